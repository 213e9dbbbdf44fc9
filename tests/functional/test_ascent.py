"""The ascent against its promises, a linear network's solution, and torch's plain arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.functional.ascend import ascend
from tb_gradascent.functional.ascent import Ascent
from tb_gradascent.functional.gradients import Norm
from tb_gradascent.functional.margins import target_margin
from tb_gradascent.functional.region import Region
from tb_gradascent.functional.response import response
from testing import networks
from testing.networks import Quadratic, digits


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    return networks.trained().eval()


def sigmoid(margin: float) -> float:
    return 1 / (1 + math.exp(-margin))


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


AIM = sigmoid(logit(0.95) + 0.1 * (logit(0.965) - logit(0.95)))
"""Where the first step of a linear margin ends: at 0.965, and then nine tenths of the way back."""


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
    assert [reason == "confidence" for reason in end.stopped] == reached.tolist()
    assert reached.float().mean() > 0.99
    assert end.inputs.min() >= low
    assert end.inputs.max() <= high


class Saturating(nn.Module):
    """Two classes with the concave margin b·(1 − exp(−u)), u = w·x, of the second class.

    A Newton step in u then ends below its goal, and the margin rises more slowly towards the end.
    """

    def forward(self, x: Tensor) -> Tensor:
        margin = 8 * (1 - (-x.flatten(1).sum(1) / 4).exp())
        return torch.stack((torch.zeros_like(margin), margin), 1)


@pytest.mark.parametrize("bounded", [False, True])
def test_the_surplus_is_taken_back_and_the_confidence_kept(bounded: bool) -> None:
    starts = torch.linspace(-0.4, 0.1, 20)[:, None, None, None].expand(20, 1, 2, 2).contiguous()
    targets = torch.ones(20, dtype=torch.int64)
    # The upper bound is reached on the way in one element, and the rest moves on.
    bounds = None
    if bounded:
        high = torch.tensor([[0.3, 9.0], [9.0, 9.0]])
        bounds = (torch.full_like(high, -9.0), high)
    model = Saturating()
    end = ascend(model, starts, targets, Ascent(max_steps=20), bounds=bounds)
    assert end.stopped == ["confidence"] * 20
    chances = probability(model, end.inputs, targets)
    assert chances.min() >= 0.95 - 1e-6
    assert chances.max() < 0.957, "steps aim at 0.965"
    assert bounds is None or (end.inputs[:, 0, 0, 0] <= 0.3).all()
    deltas = end.inputs - starts
    assert (probability(model, starts + 0.95 * deltas, targets) < 0.95).all()


def test_a_batch_ends_where_each_sample_ends_by_itself(trained: nn.Module) -> None:
    images, labels = digits("test")
    images, targets = images[:12], (labels[:12] + 3) % 10
    together = ascend(trained, images, targets, Ascent())
    for row in range(len(images)):
        alone = ascend(trained, images[row : row + 1], targets[row : row + 1], Ascent())
        assert alone.steps == [together.steps[row]]
        torch.testing.assert_close(alone.inputs[0], together.inputs[row], rtol=1e-3, atol=1e-3)


def test_on_two_linear_logits_one_step_lands_where_it_aims() -> None:
    """The margin is then linear: m(x) = (a₀ − a₁)·x, and a step ends where it should."""
    model = Quadratic(2)
    with torch.no_grad():
        model.b.zero_()
    x = torch.randn(1, 1, 4, 5, generator=torch.Generator().manual_seed(2))
    target = torch.tensor([1 - int(model(x).argmax())])
    end = ascend(model, x, target, Ascent())
    assert end.steps == [1]
    assert probability(model, end.inputs, target).item() == pytest.approx(AIM, abs=1e-5)
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
    assert end.steps == [3, 3]
    assert end.stopped == ["max_steps", "max_steps"]


def test_without_a_confidence_every_step_is_taken() -> None:
    """Here the target's probability is exactly 1 in float32 all along."""
    model = Quadratic(2)
    with torch.no_grad():
        model.b.zero_()
        model.a[:] = torch.tensor([1000.0, -1000.0]).reshape(2, 1, 1, 1)
    x = torch.ones(1, 1, 4, 5)
    assert probability(model, x, torch.tensor([0])).item() == 1
    end = ascend(model, x, torch.tensor([0]), Ascent(None, max_steps=3, step_size=0.001))
    assert (end.steps, end.stopped) == ([3], ["max_steps"])
    torch.testing.assert_close(end.inputs, x + 3)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_newton_step_is_the_shortest_in_its_norm(norm: Norm) -> None:
    """On two linear logits: dual norms say that no shorter change gains as much margin."""
    model = Quadratic(2)
    with torch.no_grad():
        model.b.zero_()
    x = torch.randn(1, 1, 4, 5, generator=torch.Generator().manual_seed(2))
    target = torch.tensor([1 - int(model(x).argmax())])
    end = ascend(model, x, target, Ascent(norm=norm))
    assert (end.steps, end.stopped) == ([1], ["confidence"])
    assert probability(model, end.inputs, target).item() == pytest.approx(AIM, abs=1e-5)
    normal = (model.a[int(target)] - model.a[1 - int(target)]).detach()
    gained = (normal * (end.inputs - x)[0]).sum().item()
    change = (end.inputs - x).abs()
    if norm == "l2":
        length, dual = change.square().sum().sqrt(), normal.square().sum().sqrt()
    else:
        length, dual = change.max(), normal.abs().sum()
    assert (length * dual).item() == pytest.approx(gained, rel=1e-5)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_newton_step_counts_on_no_element_that_cannot_move(norm: Norm) -> None:
    """On two linear logits. Half of the elements stand at the bound that they would leave."""
    model = Quadratic(2)
    with torch.no_grad():
        model.b.zero_()
    x = torch.randn(1, 1, 4, 5, generator=torch.Generator().manual_seed(2))
    target = torch.tensor([1 - int(model(x).argmax())])
    normal = (model.a[int(target)] - model.a[1 - int(target)]).detach()
    stuck = torch.arange(20).reshape(1, 4, 5) % 2 == 0
    low = torch.where(stuck & (normal < 0), x, x - 100)
    high = torch.where(stuck & (normal > 0), x, x + 100)
    end = ascend(model, x, target, Ascent(norm=norm), bounds=(low, high))
    assert (end.steps, end.stopped) == ([1], ["confidence"])
    assert probability(model, end.inputs, target).item() == pytest.approx(AIM, abs=1e-5)
    assert torch.equal((end.inputs == x)[0], stuck)


def test_the_smallest_ascent_is_the_default() -> None:
    assert Ascent.smallest() == Ascent()
    assert Ascent.smallest(0.9, 4, "linf", 0.1) == Ascent(0.9, 4, None, "linf", 0.1)


class Hill(nn.Module):
    """Two logits, 0 and u · exp(−u²/2) with u = normal · x. The margin is largest at u = 1.

    Near u = 0 the slope is 1, so that a Newton step leads far beyond the top.
    """

    def __init__(self) -> None:
        super().__init__()
        self.normal = torch.tensor([0.6, 0.8])

    def along(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.normal

    def forward(self, x: Tensor) -> Tensor:
        u = self.along(x)
        rise = u * (-u.square() / 2).exp()
        return torch.stack((torch.zeros_like(rise), rise), 1)


def test_a_step_that_lowers_the_margin_is_cut_to_a_quarter() -> None:
    """By hand: from u = 0.1 the step is (aim − m(u)) / m'(u)."""
    model = Hill()
    x = torch.tensor([[0.06, 0.08]])
    value = 0.1 * math.exp(-0.005)
    slope = (1 - 0.01) * math.exp(-0.005)
    step = (logit(0.965) - value) / slope
    beyond = 0.1 + step
    assert beyond * math.exp(-(beyond**2) / 2) < value, "the whole step leads down"
    target = torch.tensor([1])
    end = ascend(model, x, target, Ascent(max_steps=1))
    assert (end.steps, end.stopped) == ([1], ["max_steps"])
    torch.testing.assert_close(end.inputs, x)
    end = ascend(model, x, target, Ascent(max_steps=2))
    assert (end.steps, end.stopped) == ([2], ["max_steps"])
    assert model.along(end.inputs).item() == pytest.approx(0.1 + step / 4, rel=1e-4)


def test_where_the_confidence_is_out_of_reach_the_best_point_is_kept() -> None:
    model = Hill()
    x = torch.tensor([[0.06, 0.08], [-0.3, 0.1], [0.9, 0.9]])
    targets = torch.ones(3, dtype=torch.int64)
    highest = math.exp(-0.5)
    for steps in range(1, 25):
        end = ascend(model, x, targets, Ascent(max_steps=steps))
        margins = model(end.inputs)[:, 1]
        assert (margins >= model(x)[:, 1]).all()
    assert end.stopped == ["max_steps"] * 3
    assert (margins > 0.97 * highest).all()


def test_a_transformer_never_ends_lower_than_it_started() -> None:
    """Layer norm bends the margin of small inputs, so that many undamped steps lead down."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=True)
    model = nn.Sequential(
        nn.Unflatten(1, (5, 8)), layer, nn.LayerNorm(8), nn.Flatten(), nn.Linear(40, 3)
    ).eval()
    x = torch.randn(64, 40) / 10
    targets = torch.arange(64) % 3
    before = target_margin(model(x), targets)
    falls = 0
    for steps in (1, 2, 4, 8):
        end = ascend(model, x, targets, Ascent(0.999, steps))
        after = target_margin(model(end.inputs), targets)
        assert (after >= before - 1e-5).all()
        falls += int((after == before).sum())
    assert falls, "no step led down, and nothing was tested"


def test_a_newton_step_in_linf_is_smaller_there_and_longer_in_l2(trained: nn.Module) -> None:
    images, labels = digits("test")
    images, targets = images[:50], (labels[:50] + 1) % 10
    ends = {norm: ascend(trained, images, targets, Ascent(norm=norm)) for norm in ("l2", "linf")}
    deltas = {norm: (end.inputs - images).flatten(1) for norm, end in ends.items()}
    assert all(end.stopped.count("confidence") > 45 for end in ends.values())
    assert (deltas["linf"].abs().amax(1) < deltas["l2"].abs().amax(1)).all()
    assert (deltas["linf"].norm(dim=1) > deltas["l2"].norm(dim=1)).all()


@pytest.mark.parametrize("step_size", [None, 0.3], ids=["newton", "fixed"])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_at_the_edge_of_the_ball_it_has_stalled(norm: Norm, step_size: float | None) -> None:
    """On linear logits the best point of the ball is reached at once, and known by hand."""
    model = Quadratic(2)
    with torch.no_grad():
        model.b.zero_()
    x = torch.randn(6, 1, 4, 5, generator=torch.Generator().manual_seed(2))
    x[:, :, 0] = 0
    targets = 1 - model(x).argmax(1)
    epsilon = 0.01
    ascent = Ascent(0.999999, step_size=step_size, norm=norm, epsilon=epsilon, max_steps=10)
    end = ascend(model, x, targets, ascent, score="log_probability")
    assert set(end.stopped) == {"stalled"}
    assert max(end.steps) <= 2
    normal = (model.a[targets] - model.a[1 - targets]).detach()
    best = (
        normal.sign()
        if norm == "linf"
        else normal / normal.flatten(1).norm(dim=1)[:, None, None, None]
    )
    torch.testing.assert_close(end.inputs, x + epsilon * best, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("step_size", [None, 0.1], ids=["newton", "fixed"])
def test_rows_do_not_mix_and_a_bad_one_stops_alone(
    trained: nn.Module, norm: Norm, step_size: float | None
) -> None:
    images, labels = digits("test")
    images, targets = images[:6].clone(), (labels[:6] + 3) % 10
    images[2, 0, 3, 3] = math.nan
    ascent = Ascent(step_size=step_size, norm=norm, epsilon=2.0)
    together = ascend(trained, images, targets, ascent)
    assert [row for row, reason in enumerate(together.stopped) if reason == "nonfinite"] == [2]
    for row in (0, 1, 3, 4, 5):
        alone = ascend(trained, images[row : row + 1], targets[row : row + 1], ascent)
        assert alone.stopped == [together.stopped[row]]
        assert alone.steps == [together.steps[row]]
        torch.testing.assert_close(alone.inputs[0], together.inputs[row], rtol=1e-3, atol=1e-3)


def test_a_class_that_cannot_be_has_no_step() -> None:
    """A logit of -inf, as of a masked class: its margin is no number to work with."""

    def forward(x: Tensor) -> Tensor:
        total = x.flatten(1).sum(1)
        return torch.stack((total, -total, total.detach() * 0 - math.inf), 1)

    x = torch.ones(2, 1, 2, 2)
    end = ascend(forward, x, torch.tensor([2, 1]), Ascent(), bounds=(-9 * x[0], 9 * x[0]))
    assert end.stopped == ["nonfinite", "confidence"]
    assert torch.equal(end.inputs[0], x[0])


def test_numpys_numbers_serve(trained: nn.Module) -> None:
    images, labels = digits("test")
    plain = Ascent(0.9, 3, 0.5, "l2", 2.0)
    numpys = Ascent(np.float64(0.9), 3, np.float32(0.5), "l2", np.float64(2.0))
    ends = [ascend(trained, images[:3], labels[:3], ascent).inputs for ascent in (plain, numpys)]
    assert torch.equal(*ends)


def test_a_step_is_taken_however_small_beside_the_values() -> None:
    model = Quadratic(2)
    x = torch.full((1, 1, 4, 5), 255.0)
    step_size = 1e-4 / model.gradient(x[0], 0).abs().max().item()
    end = ascend(model, x, torch.tensor([0]), Ascent(None, max_steps=4, step_size=step_size))
    assert (end.steps, end.stopped) == ([4], ["max_steps"])
    assert (end.inputs - x).abs().max().item() == pytest.approx(4e-4, rel=0.3)


@pytest.mark.parametrize("bounded", [False, True])
def test_a_step_beyond_all_numbers_is_not_taken(bounded: bool) -> None:
    """Not even where the bounds would hide it."""
    model = Quadratic(2)
    x = torch.ones(2, 1, 4, 5)
    bounds = (x[0] - 1, x[0] + 1) if bounded else None
    step_size = 1e38 / model.gradient(x[0], 0).abs().max().item() * 10
    end = ascend(model, x, torch.tensor([0, 1]), Ascent(None, 4, step_size), bounds=bounds)
    assert end.stopped == ["nonfinite", "nonfinite"]
    assert torch.equal(end.inputs, x)


def test_an_image_that_is_no_number_is_not_changed_though_the_network_knows_it() -> None:
    x = torch.rand(2, 1, 4, 5, generator=torch.Generator().manual_seed(1))
    x[0, 0, 1, 1] = math.inf
    model = Quadratic(2)

    def forward(x: Tensor) -> Tensor:
        logits: Tensor = model(x.clamp(0, 1))
        return logits

    targets = 1 - forward(x).argmax(1)
    end = ascend(forward, x, targets, Ascent(0.6))
    assert end.stopped == ["nonfinite", "confidence"]
    assert torch.equal(end.inputs[0], x[0])


def test_who_is_convinced_already_is_left_alone(trained: nn.Module) -> None:
    images = digits("test")[0][:200]
    with torch.no_grad():
        chances, targets = trained(images).softmax(1).max(1)
    sure = chances > 0.96
    end = ascend(trained, images[sure], targets[sure], Ascent())
    assert torch.equal(end.inputs, images[sure])
    assert (
        end.inputs.data_ptr()
        != ascend(trained, end.inputs, targets[sure], Ascent()).inputs.data_ptr()
    )
    assert set(end.steps) == {0}
    assert set(end.stopped) == {"confidence"}


def test_max_steps_is_the_reason_where_it_was(trained: nn.Module) -> None:
    images, labels = digits("test")
    targets = (labels[:50] + 1) % 10
    end = ascend(trained, images[:50], targets, Ascent(max_steps=1))
    assert max(end.steps) == 1
    assert "max_steps" in end.stopped


def test_no_gradient_stalls_and_nothing_moves() -> None:
    def constant(x: Tensor) -> Tensor:
        return torch.stack((x.flatten(1).sum(1) * 0, x.flatten(1).sum(1) * 0 + 3), 1)

    x = torch.ones(2, 1, 2, 2)
    end = ascend(constant, x, torch.tensor([0, 0]), Ascent())
    assert end.stopped == ["stalled", "stalled"]
    assert torch.equal(end.inputs, x)


def test_the_bounds_leave_nowhere_to_go() -> None:
    model = Quadratic(2)
    x = torch.zeros(1, 1, 4, 5)
    target = torch.tensor([0])
    end = ascend(model, x, target, Ascent(), bounds=(torch.tensor(0.0), torch.tensor(0.0)))
    assert end.stopped == ["stalled"]
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
    assert end.stopped[1] == "nonfinite"
    assert [end.stopped[0], end.stopped[2]] == [clean.stopped[0], clean.stopped[2]]
    torch.testing.assert_close(end.inputs[[0, 2]], clean.inputs[[0, 2]])
    assert torch.equal(end.inputs[1].nan_to_num(7), images[1].nan_to_num(7))


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("scale", [1e-9, 1e9, 1e-18, 1e18])
def test_huge_and_tiny_gradients_are_followed(scale: float, norm: Norm) -> None:
    """A network whose input is scaled: its square of the gradient fits no float32."""
    model = Quadratic(2)

    def forward(x: Tensor) -> Tensor:
        logits: Tensor = model(x * scale)
        return logits

    x = torch.randn(1, 1, 4, 5, generator=torch.Generator().manual_seed(2)) / scale
    target = torch.tensor([1 - int(forward(x).argmax())])
    end = ascend(forward, x, target, Ascent(norm=norm, epsilon=10 / scale))
    assert end.stopped == ["confidence"]


def test_the_response_is_what_the_network_says_at_each_point(trained: nn.Module) -> None:
    images, _ = digits("test")
    images, deltas = images[:5], torch.randn(5, 1, 28, 28) / 5
    strengths = [0.0, 0.3, 1.0, 1.25]
    known = trained(images)
    for max_rows, first in ((None, None), (3, None), (12, None), (None, known)):
        answers = response(
            trained, images, deltas, strengths, bounds=None, max_rows=max_rows, logits=first
        )
        assert answers.shape == (5, 4, 10)
        assert not answers.requires_grad
        for row in range(5):
            for place, strength in enumerate(strengths):
                with torch.no_grad():
                    logits = trained((images[row] + strength * deltas[row])[None])[0]
                torch.testing.assert_close(answers[row, place], logits)


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
        ({"step_size": True}, "step_size"),
        ({"epsilon": 0}, "epsilon"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"epsilon": math.inf}, "epsilon"),
        ({"epsilon": "8/255"}, "epsilon"),
        ({"epsilon": 10**400}, "epsilon"),
        ({"step_size": 10**400}, "step_size"),
        ({"max_steps": True}, "max_steps"),
        ({"norm": np.zeros(2)}, "norm"),
        ({"norm": "l1"}, "norm"),
        ({"norm": 2}, "norm"),
        ({"norm": "linf", "step_size": 0.1}, "norm"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, object], name: str) -> None:
    with pytest.raises(ValueError, match=rf"Ascent\({name}\)"):
        Ascent(**arguments)  # type: ignore[arg-type]


def test_the_inward_gradient_leaves_out_what_would_cross_a_bound() -> None:
    x = torch.tensor([[0.0, 0.0, 1.0, 1.0, 0.5, 1e-6], [-2.0, -2.0, 3.0, 3.0, 0.0, 1.0]])
    gradient = torch.tensor([[-1e9, 2.0, 3.0, -4.0, -1e9, -1e9], [-1.0, 2.0, 3.0, -4.0, 0.0, -5.0]])
    region = Region(x, (torch.tensor(0.0), torch.tensor(1.0)))
    assert region.inward(x, gradient).tolist() == [
        [0, 2, 0, -4, -1e9, gradient[0, 5].item()],
        [0, 2, 0, -4, 0, -5],
    ]
    assert Region(x, None).inward(x, gradient) is gradient
