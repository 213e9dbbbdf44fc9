"""Input gradients against the hand, finite differences, and torch one sample at a time."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.gradients import Score, input_gradient
from tests.networks import Quadratic, convolutional, digits

SCORES = get_args(Score)


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
def test_the_gradient_is_that_of_finite_differences(score: Score) -> None:
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
def test_a_batch_gives_each_sample_its_own_gradient(score: Score) -> None:
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
