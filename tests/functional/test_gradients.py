"""Input gradients against the hand, finite differences, and torch one sample at a time."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.functional.gradients import (
    Norm,
    Score,
    ScoreName,
    check_score,
    input_gradient,
    lengths,
    slopes_of,
)
from testing.networks import Quadratic, convolutional, digits

SCORES = get_args(ScoreName)


def score_in_doubles(model: nn.Module, x: Tensor, target: int, score: str) -> Tensor:
    logits: Tensor = model(x[None])[0]
    chances = logits.softmax(0)
    return {
        "logit": logits[target],
        "probability": chances[target],
        "log_probability": chances[target].log(),
    }[score]


def test_the_gradient_of_a_logit_is_the_one_solved_by_hand() -> None:
    model = Quadratic()
    x = torch.randn(6, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1, 2, 2, 1, 0])
    gradient = input_gradient(model, x, targets)
    for row, target in enumerate(targets.tolist()):
        torch.testing.assert_close(gradient[row], model.gradient(x[row], target))


@pytest.mark.parametrize("score", SCORES)
def test_the_gradient_is_that_of_finite_differences(score: ScoreName) -> None:
    model = Quadratic().double()
    x = torch.randn(2, 1, 4, 5, generator=torch.Generator().manual_seed(3)).double() / 4
    gradient = input_gradient(model, x, torch.tensor([2, 0]), score).flatten(1)
    step = 1e-5
    for row, target in enumerate((2, 0)):
        for element in range(x[row].numel()):
            bump = torch.zeros_like(x[row]).flatten()
            bump[element] = step
            bump = bump.reshape(x[row].shape)
            up = score_in_doubles(model, x[row] + bump, target, score)
            down = score_in_doubles(model, x[row] - bump, target, score)
            slope = ((up - down) / (2 * step)).item()
            assert gradient[row, element].item() == pytest.approx(slope, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("score", SCORES)
def test_a_batch_gives_each_sample_its_own_gradient(score: ScoreName) -> None:
    model = convolutional().eval()
    images, labels = digits("test")
    rows = slice(0, 2000, 63)
    batch = input_gradient(model, images[rows], labels[rows], score)
    for x, target, gradient in zip(images[rows], labels[rows], batch, strict=True):
        alone = x[None].clone().requires_grad_()
        logits = model(alone)[0]
        value = {
            "logit": logits[target],
            "probability": logits.softmax(0)[target],
            "log_probability": logits.log_softmax(0)[target],
        }[score]
        value.backward()
        assert alone.grad is not None
        torch.testing.assert_close(gradient, alone.grad[0], rtol=1e-4, atol=1e-7)


def test_nothing_but_the_result_is_left_behind() -> None:
    model = convolutional().eval()
    x = torch.randn(2, 1, 28, 28)
    with torch.no_grad():
        gradient = input_gradient(model, x, torch.tensor([0, 1]))
    assert not gradient.requires_grad
    assert not x.requires_grad
    assert x.grad is None
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_score_that_does_not_depend_on_the_input_has_a_zero_gradient() -> None:
    bias = nn.Parameter(torch.ones(3))
    gradient = input_gradient(
        lambda x: bias.expand(len(x), 3), torch.ones(2, 1, 2, 2), torch.tensor([0, 1])
    )
    assert gradient.eq(0).all()


def test_a_callable_score_is_differentiated_as_it_is() -> None:
    """The logit's difference to class 0 on a network whose gradient is known by hand."""

    def difference(logits: Tensor, targets: Tensor) -> Tensor:
        return logits.gather(1, targets[:, None])[:, 0] - logits[:, 0]

    model = Quadratic()
    x = torch.randn(3, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([1, 2, 0])
    check_score(difference)
    gradient = input_gradient(model, x, targets, difference)
    for row, target in enumerate(targets.tolist()):
        expected = model.gradient(x[row], target) - model.gradient(x[row], 0)
        torch.testing.assert_close(gradient[row], expected, rtol=1e-4, atol=1e-5)


def test_a_callable_score_sees_no_half_precision() -> None:
    seen = []

    def look(logits: Tensor, targets: Tensor) -> Tensor:
        seen.append(logits.dtype)
        return logits[:, 0]

    model = convolutional().eval().bfloat16()
    input_gradient(model, torch.rand(2, 1, 28, 28).bfloat16(), torch.tensor([0, 1]), look)
    assert seen == [torch.float32]


@pytest.mark.parametrize(
    ("score", "got"),
    [
        (lambda logits, targets: logits, r"float32 tensor of shape \(2, 3\)"),
        (lambda logits, targets: logits.sum(), r"float32 tensor of shape \(\)"),
        (lambda logits, targets: targets, "int64 tensor"),
        (lambda logits, targets: 1.0, "a float"),
        (lambda logits, targets: logits[:, 0].detach(), "without a graph"),
    ],
)
def test_what_a_callable_score_returns_is_checked(score: Score, got: str) -> None:
    with pytest.raises(ValueError, match=f"score must return .*{got}"):
        input_gradient(Quadratic(), torch.rand(2, 1, 4, 5), torch.tensor([0, 1]), score)


@pytest.mark.parametrize("score", ["loss", None, 3, ["logit"]])
def test_a_bad_score_is_refused(score: object) -> None:
    with pytest.raises(ValueError, match="score must be"):
        check_score(score)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_slope_is_the_steepest_of_all_changes_of_length_1(scale: float) -> None:
    """Against random changes, and against the one that is known, whatever the gradient's size."""
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(4, 1, 3, 3, generator=generator).double()
    others = torch.randn(500, 4, 1, 3, 3, generator=generator).double()
    size = gradient.square().sum((1, 2, 3)).sqrt()
    best = {"l2": gradient / size.reshape(-1, 1, 1, 1), "linf": gradient.sign()}
    for norm in get_args(Norm):
        slopes = slopes_of((gradient * scale).float(), norm).double()
        gained = (gradient * scale * best[norm]).sum((1, 2, 3))
        torch.testing.assert_close(slopes, gained, rtol=1e-5, atol=0)
        order = 2 if norm == "l2" else torch.inf
        unit = torch.linalg.vector_norm(others, order, (2, 3, 4), keepdim=True)
        assert (slopes >= (gradient * scale * others / unit).sum((2, 3, 4)) * (1 - 1e-6)).all()
        assert slopes_of(torch.zeros(2, 1, 3, 3), norm).eq(0).all()
        for bad in (torch.nan, torch.inf):
            row = torch.tensor([[[1.0, bad], [2.0, -3.0]]])
            assert not slopes_of(row, norm).isfinite().any()
    torch.testing.assert_close(
        lengths((gradient * scale).float()).double(),
        size.reshape(-1, 1, 1, 1) * scale,
        rtol=1e-5,
        atol=0,
    )
