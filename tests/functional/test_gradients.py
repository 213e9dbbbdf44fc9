"""Input gradients against gradients by hand, finite differences, and single samples in torch."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.functional.gradients import (
    Forward,
    Norm,
    Score,
    ScoreName,
    check_score,
    lengths,
    score_gradient,
    slopes_of,
)
from testing.networks import Quadratic, convolutional, digits

SCORES = get_args(ScoreName)


def input_gradient(
    forward: Forward, inputs: Tensor, targets: Tensor, score: Score = "logit"
) -> Tensor:
    """The gradient as a capture computes it."""
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        return score_gradient(forward(inputs), inputs, targets, score)


def score_in_doubles(model: nn.Module, x: Tensor, target: int, score: str) -> Tensor:
    logits: Tensor = model(x[None])[0]
    chances = logits.softmax(0)
    return {
        "logit": logits[target],
        "probability": chances[target],
        "log_probability": chances[target].log(),
    }[score]


def test_a_logits_gradient_equals_the_one_solved_by_hand() -> None:
    model = Quadratic()
    x = torch.randn(6, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1, 2, 2, 1, 0])
    gradient = input_gradient(model, x, targets)
    for row, target in enumerate(targets.tolist()):
        torch.testing.assert_close(gradient[row], model.gradient(x[row], target))


@pytest.mark.parametrize("score", SCORES)
def test_the_gradient_equals_finite_differences(score: ScoreName) -> None:
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


def test_no_gradient_is_left_in_the_model_or_the_input() -> None:
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


def test_a_callable_score_is_differentiated() -> None:
    """The score is the logit's difference to class 0; the gradient is known by hand."""

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


def test_a_callable_score_gets_float32_logits() -> None:
    seen = []

    def record_dtype(logits: Tensor, targets: Tensor) -> Tensor:
        seen.append(logits.dtype)
        return logits[:, 0]

    model = convolutional().eval().bfloat16()
    input_gradient(model, torch.rand(2, 1, 28, 28).bfloat16(), torch.tensor([0, 1]), record_dtype)
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
def test_a_wrong_result_of_a_callable_score_is_rejected(score: Score, got: str) -> None:
    with pytest.raises(ValueError, match=f"score must return .*{got}"):
        input_gradient(Quadratic(), torch.rand(2, 1, 4, 5), torch.tensor([0, 1]), score)


@pytest.mark.parametrize("score", ["loss", None, 3, ["logit"]])
def test_a_wrong_score_is_rejected(score: object) -> None:
    with pytest.raises(ValueError, match="score must be"):
        check_score(score)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_slope_is_the_largest_of_all_directions(scale: float) -> None:
    """Compared with random directions and with the known steepest one, for three scales."""
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
