"""The ascent with a budget against two libraries of attacks, foolbox and captum."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tb_gradascent.functional.ascend import ascend
from tb_gradascent.functional.ascent import Ascent
from tb_gradascent.functional.gradients import Norm
from testing.networks import digits, trained

LOW, HIGH = -0.375, 2.75
"""Inside what normalized digits span, so that the bounds matter."""

BUDGETS = [
    pytest.param("l2", 0.2, 3.0, 12, id="l2"),
    pytest.param("l2", 2.0, 1.5, 12, id="l2, one step leaves the ball"),
    pytest.param("linf", 0.02, 0.3, 12, id="linf"),
    pytest.param("linf", 0.04, 0.1, 12, id="linf, at the edge of the ball"),
]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return trained().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return digits("test")[0][:24].clamp(LOW, HIGH)


@pytest.fixture(scope="module")
def targets(model: nn.Module, images: Tensor) -> Tensor:
    predictions: Tensor = model(images).argmax(1)
    return (predictions + 1 + torch.arange(len(images)) % 9) % 10


def with_budget(  # what the attacks do: the cross entropy, every step
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    bounds: tuple[float, float] | None,
    ascent: Ascent,
) -> Tensor:
    limits = None if bounds is None else (torch.tensor(bounds[0]), torch.tensor(bounds[1]))
    return ascend(model, images, targets, ascent, bounds=limits, score="log_probability").inputs


@pytest.mark.parametrize("bounds", [(LOW, HIGH), (-100.0, 100.0)], ids=["bounds", "none in reach"])
@pytest.mark.parametrize(("norm", "step_size", "epsilon", "steps"), BUDGETS)
def test_it_ends_where_foolbox_ends(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    norm: Norm,
    step_size: float,
    epsilon: float,
    steps: int,
    bounds: tuple[float, float],
) -> None:
    with warnings.catch_warnings():
        # It imports a name of scipy that is on its way out.
        warnings.simplefilter("ignore", DeprecationWarning)
        from foolbox.attacks.projected_gradient_descent import (
            L2ProjectedGradientDescentAttack,
            LinfProjectedGradientDescentAttack,
        )
        from foolbox.criteria import TargetedMisclassification
        from foolbox.models.pytorch import PyTorchModel
    attacks = {
        "l2": L2ProjectedGradientDescentAttack,
        "linf": LinfProjectedGradientDescentAttack,
    }
    attack = attacks[norm](abs_stepsize=step_size, steps=steps, random_start=False)
    expected = attack.run(
        PyTorchModel(model, bounds=bounds, device="cpu"),
        images,
        TargetedMisclassification(targets),
        epsilon=epsilon,
    )
    ascent = Ascent(None, steps, step_size, norm, epsilon)
    ours = with_budget(model, images, targets, bounds, ascent)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4)
    assert (ours - images).abs().max() > 0.01


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require:UserWarning")
@pytest.mark.parametrize("bounds", [(LOW, HIGH), None], ids=["bounds", "no bounds"])
@pytest.mark.parametrize(("norm", "step_size", "epsilon", "steps"), BUDGETS[2:])
def test_it_ends_where_captum_ends(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    norm: Norm,
    step_size: float,
    epsilon: float,
    steps: int,
    bounds: tuple[float, float] | None,
) -> None:
    """Captum's steps are signs whatever the norm of its ball, so only "linf" is the same attack."""
    from captum.robust import PGD  # type: ignore[import-untyped]

    limits = {} if bounds is None else {"lower_bound": bounds[0], "upper_bound": bounds[1]}

    def cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
        return functional.cross_entropy(logits, classes, reduction="none")

    attack = PGD(model, cross_entropy, **limits)
    attack.fgsm.zero_thresh = 0.0  # it takes smaller gradients for none
    expected = attack.perturb(images, epsilon, step_size, steps, targets, targeted=True)
    ascent = Ascent(None, steps, step_size, norm, epsilon)
    ours = with_budget(model, images, targets, bounds, ascent)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("step_size", [None, 0.5], ids=["newton", "fixed"])
@pytest.mark.parametrize(("norm", "epsilon"), [("l2", 2.0), ("l2", 0.3), ("linf", 0.1)])
def test_no_row_leaves_the_ball_or_the_bounds(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    norm: Norm,
    epsilon: float,
    step_size: float | None,
) -> None:
    ascent = Ascent(step_size=step_size, norm=norm, epsilon=epsilon, max_steps=20)
    limits = (torch.tensor(LOW), torch.tensor(HIGH))
    end = ascend(model, images, targets, ascent, bounds=limits)
    delta = (end.inputs - images).flatten(1)
    lengths = torch.linalg.vector_norm(delta, 2.0 if norm == "l2" else torch.inf, dim=1)
    assert lengths.max() <= epsilon * (1 + 1e-5)
    assert LOW <= end.inputs.min() < end.inputs.max() <= HIGH
    reached = model(end.inputs).softmax(1).gather(1, targets[:, None])[:, 0] >= 0.95 - 1e-6
    assert [reason == "confidence" for reason in end.stopped] == reached.tolist()


@pytest.mark.parametrize(("norm", "epsilon"), [("l2", 0.3), ("linf", 0.02)])
def test_who_needs_more_uses_the_whole_budget(
    model: nn.Module, images: Tensor, targets: Tensor, norm: Norm, epsilon: float
) -> None:
    end = ascend(model, images, targets, Ascent(norm=norm, epsilon=epsilon))
    delta = (end.inputs - images).flatten(1)
    lengths = torch.linalg.vector_norm(delta, 2.0 if norm == "l2" else torch.inf, dim=1)
    assert set(end.stopped) == {"max_steps"}
    torch.testing.assert_close(lengths, torch.full_like(lengths, epsilon), rtol=1e-4, atol=0)
