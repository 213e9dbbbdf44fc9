"""Input gradients against the hand, finite differences, and torch one sample at a time."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.gradients import (
    Score,
    ScoreName,
    check_score,
    input_gradient,
    lengths,
    steepest,
)
from tests.networks import Quadratic, convolutional, digits

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
def test_the_steepest_direction_has_length_1_and_gains_most(scale: float) -> None:
    """Against random directions of length 1, whatever the size of the gradient."""
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(4, 1, 3, 3, generator=generator)
    others = torch.randn(500, 1, 1, 3, 3, generator=generator)
    l2, slope = steepest(gradient * scale, "l2")
    torch.testing.assert_close(slope, lengths(gradient * scale))
    torch.testing.assert_close(l2.flatten(1).norm(dim=1), torch.ones(4))
    rivals = others / others.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1, 1)
    assert ((gradient * l2).sum((1, 2, 3)) >= (gradient * rivals).sum((2, 3, 4))).all()
    linf, slope = steepest(gradient * scale, "linf")
    torch.testing.assert_close(slope.flatten(), gradient.flatten(1).norm(1, dim=1) * scale)
    assert linf.abs().eq(1).all()
    rivals = others / others.flatten(1).abs().amax(1).reshape(-1, 1, 1, 1, 1)
    assert ((gradient * linf).sum((1, 2, 3)) >= (gradient * rivals).sum((2, 3, 4))).all()
    torch.testing.assert_close(
        lengths(gradient * scale).flatten().double(),
        gradient.double().flatten(1).norm(dim=1) * scale,
    )
    for norm in ("l2", "linf"):
        assert all(part.eq(0).all() for part in steepest(torch.zeros(2, 1, 3, 3), norm))
