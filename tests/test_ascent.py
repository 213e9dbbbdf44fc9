"""The ascent against its promises, a linear network's solution, and torch's plain arithmetic."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.ascent import REASONS, Ascended, Ascent, ascend, response, target_margin
from tests.networks import Quadratic, convolutional, digits, train


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    return train(convolutional()).eval()


def reasons(end: Ascended) -> list[str]:
    return [REASONS[reason] for reason in end.stopped.tolist()]


def probability(model: nn.Module, x: Tensor, targets: Tensor) -> Tensor:
    with torch.no_grad():
        chances: Tensor = model(x).softmax(1)
        return chances.gather(1, targets[:, None])[:, 0]


def test_the_margins_sigmoid_is_the_targets_probability() -> None:
    logits = torch.randn(20, 7, generator=torch.Generator().manual_seed(0)) * 5
    targets = torch.arange(20) % 7
    expected = logits.double().softmax(1).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(target_margin(logits, targets).double().sigmoid(), expected)


def test_it_reaches_the_confidence_within_the_bounds(trained: nn.Module) -> None:
    images, labels = digits("test")
    images, targets = images[:200], (labels[:200] + 1) % 10
    low, high = images.amin(), images.amax()
    end = ascend(trained, images, targets, Ascent(max_steps=20), bounds=(low, high))
    reached = probability(trained, end.inputs, targets) >= 0.95 - 1e-6
    assert [reason == "confidence" for reason in reasons(end)] == reached.tolist()
    assert reached.float().mean() > 0.99
    assert end.inputs.min() >= low
    assert end.inputs.max() <= high


def test_a_batch_ends_where_each_sample_ends_by_itself(trained: nn.Module) -> None:
    images, labels = digits("test")
    images, targets = images[:12], (labels[:12] + 3) % 10
    together = ascend(trained, images, targets, Ascent())
    for row in range(len(images)):
        alone = ascend(trained, images[row : row + 1], targets[row : row + 1], Ascent())
        assert alone.steps.item() == together.steps[row].item()
        torch.testing.assert_close(alone.inputs[0], together.inputs[row], rtol=1e-3, atol=1e-3)


def test_on_two_linear_logits_one_step_lands_where_it_aims() -> None:
    """The margin is then linear: m(x) = (a₀ − a₁)·x, and a step ends on m = logit(0.96)."""
    model = Quadratic(2)
    with torch.no_grad():
        model.b.zero_()
    x = torch.randn(1, 1, 4, 5, generator=torch.Generator().manual_seed(2))
    target = torch.tensor([1 - int(model(x).argmax())])
    end = ascend(model, x, target, Ascent())
    assert end.steps.item() == 1
    assert probability(model, end.inputs, target).item() == pytest.approx(0.96, abs=1e-5)
    normal = model.a[int(target)] - model.a[1 - int(target)]
    change = (end.inputs - x)[0]
    cosine = torch.cosine_similarity(change.flatten(), normal.flatten(), dim=0).item()
    assert cosine == pytest.approx(1, abs=1e-5), "the shortest way is along the normal"


def test_a_fixed_step_size_is_plain_gradient_ascent() -> None:
    model = Quadratic()
    x = torch.randn(2, 1, 4, 5, generator=torch.Generator().manual_seed(2))
    targets = torch.tensor([2, 0])
    expected = x.clone()
    for _ in range(3):
        slopes = [model.gradient(row, int(t)) for row, t in zip(expected, targets, strict=True)]
        expected = expected + 0.05 * torch.stack(slopes)
    end = ascend(model, x, targets, Ascent(confidence=None, max_steps=3, step_size=0.05))
    torch.testing.assert_close(end.inputs, expected)
    assert end.steps.tolist() == [3, 3]
    assert reasons(end) == ["max_steps", "max_steps"]


def test_who_is_convinced_already_is_left_alone(trained: nn.Module) -> None:
    images, _ = digits("test")
    with torch.no_grad():
        chances, targets = trained(images).softmax(1).max(1)
    sure = chances > 0.96
    end = ascend(trained, images[sure], targets[sure], Ascent())
    assert torch.equal(end.inputs, images[sure])
    assert end.steps.eq(0).all()
    assert set(reasons(end)) == {"confidence"}


def test_max_steps_is_the_reason_where_it_was(trained: nn.Module) -> None:
    images, labels = digits("test")
    targets = (labels[:50] + 1) % 10
    end = ascend(trained, images[:50], targets, Ascent(max_steps=1))
    assert end.steps.max() == 1
    assert "max_steps" in reasons(end)


def test_no_gradient_stalls_and_nothing_moves() -> None:
    def constant(x: Tensor) -> Tensor:
        return torch.stack((x.flatten(1).sum(1) * 0, x.flatten(1).sum(1) * 0 + 3), 1)

    x = torch.ones(2, 1, 2, 2)
    end = ascend(constant, x, torch.tensor([0, 0]), Ascent())
    assert reasons(end) == ["stalled", "stalled"]
    assert torch.equal(end.inputs, x)


def test_the_bounds_leave_nowhere_to_go() -> None:
    model = Quadratic(2)
    x = torch.zeros(1, 1, 4, 5)
    target = torch.tensor([0])
    end = ascend(model, x, target, Ascent(), bounds=(torch.tensor(0.0), torch.tensor(0.0)))
    assert reasons(end) == ["stalled"]
    assert torch.equal(end.inputs, x)


def test_what_starts_outside_the_bounds_is_not_pulled_inside(trained: nn.Module) -> None:
    images, labels = digits("test")
    images, targets = images[:4] * 3, (labels[:4] + 1) % 10
    end = ascend(trained, images, targets, Ascent(), bounds=(images.min() / 3, images.max() / 3))
    delta = end.inputs - images
    outside = images > images.max() / 3
    assert outside.any()
    assert delta[outside].le(0).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_bad_sample_does_not_reach_its_neighbours(trained: nn.Module, bad: float) -> None:
    images, labels = digits("test")
    images, targets = images[:3].clone(), (labels[:3] + 1) % 10
    clean = ascend(trained, images, targets, Ascent())
    images[1, 0, 5, 5] = bad
    end = ascend(trained, images, targets, Ascent())
    assert reasons(end)[1] == "nonfinite"
    assert [reasons(end)[0], reasons(end)[2]] == [reasons(clean)[0], reasons(clean)[2]]
    torch.testing.assert_close(end.inputs[[0, 2]], clean.inputs[[0, 2]])
    assert torch.equal(end.inputs[1].nan_to_num(7), images[1].nan_to_num(7))


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_huge_and_tiny_gradients_are_followed(scale: float) -> None:
    """A network whose input is scaled: its square of the gradient fits no float32."""
    model = Quadratic(2)

    def forward(x: Tensor) -> Tensor:
        logits: Tensor = model(x * scale)
        return logits

    x = torch.randn(1, 1, 4, 5, generator=torch.Generator().manual_seed(2)) / scale
    target = torch.tensor([1 - int(forward(x).argmax())])
    end = ascend(forward, x, target, Ascent())
    assert reasons(end) == ["confidence"]


def test_the_response_is_the_networks_verdict_at_each_point(trained: nn.Module) -> None:
    images, _ = digits("test")
    images, deltas = images[:5], torch.randn(5, 1, 28, 28) / 5
    targets = torch.tensor([1, 2, 3, 4, 5])
    strengths = [0.0, 0.3, 1.0, 1.25]
    whole = response(trained, images, deltas, targets, strengths)
    pieces = response(trained, images, deltas, targets, strengths, max_rows=3)
    assert whole.probabilities.shape == whole.predictions.shape == (5, 4)
    torch.testing.assert_close(pieces.probabilities, whole.probabilities)
    for row in range(5):
        for place, strength in enumerate(strengths):
            with torch.no_grad():
                logits = trained((images[row] + strength * deltas[row])[None])[0]
            chance = logits.softmax(0)[targets[row]].item()
            assert whole.probabilities[row, place].item() == pytest.approx(chance, abs=1e-5)
            assert whole.predictions[row, place].item() == logits.argmax().item()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": 0}, "confidence"),
        ({"confidence": "high"}, "confidence"),
        ({"confidence": None}, "confidence"),
        ({"max_steps": 0}, "max_steps"),
        ({"max_steps": 2.5}, "max_steps"),
        ({"step_size": -1}, "step_size"),
        ({"step_size": math.nan}, "step_size"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, object], name: str) -> None:
    with pytest.raises(ValueError, match=rf"Ascent\({name}\)"):
        Ascent(**arguments)  # type: ignore[arg-type]
