"""The visible ascent against its promises."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.functional.ascend import ascend
from tb_gradascent.functional.ascent import Ascent
from tb_gradascent.functional.gradients import Forward
from tb_gradascent.functional.margins import target_margin
from testing import networks
from testing.networks import MEAN, STD, Quadratic, digits

LOW, HIGH = torch.tensor((0 - MEAN) / STD), torch.tensor((1 - MEAN) / STD)
BOUNDS = (LOW, HIGH)


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    return networks.trained().eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return digits("test")[0][:24]


@pytest.fixture(scope="module")
def targets(trained: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        second: Tensor = trained(images).topk(2, 1).indices[:, 1]
    return second


def probability(model: Forward, x: Tensor, targets: Tensor) -> Tensor:
    with torch.no_grad():
        chances: Tensor = model(x).softmax(1)
    return chances.gather(1, targets[:, None])[:, 0]


def roughness(deltas: Tensor) -> Tensor:
    """How much neighbours differ, beside how much each changed, shape (N,)."""
    steps = deltas.diff(dim=-1).flatten(1).norm(dim=1)
    ratio: Tensor = steps / deltas.flatten(1).norm(dim=1)
    return ratio


def test_it_reaches_the_confidence_within_the_bounds(
    trained: nn.Module, images: Tensor, targets: Tensor
) -> None:
    end = ascend(trained, images, targets, Ascent.visible(finish_steps=20), bounds=BOUNDS)
    assert end.stopped == ["confidence"] * len(images)
    assert probability(trained, end.inputs, targets).min() >= 0.95 - 1e-6
    assert end.inputs.min() >= torch.minimum(LOW, images.min())
    assert end.inputs.max() <= torch.maximum(HIGH, images.max())
    assert 1 <= min(end.steps) <= max(end.steps) <= 40


def test_the_network_is_only_asked_about_legal_points_except_for_noise(
    trained: nn.Module, images: Tensor, targets: Tensor
) -> None:
    seen: list[Tensor] = []

    def forward(x: Tensor) -> Tensor:
        seen.append(x.detach())
        logits: Tensor = trained(x)
        return logits

    ascent = Ascent.visible(noise=0.0, steps=5)
    ascend(forward, images, targets, ascent, bounds=BOUNDS)
    assert all(x.min() >= LOW - 1e-5 and x.max() <= HIGH + 1e-5 for x in seen)


def test_the_change_is_larger_and_smoother_than_the_smallest(
    trained: nn.Module, images: Tensor, targets: Tensor
) -> None:
    small, large = (
        ascend(trained, images, targets, ascent, bounds=BOUNDS).inputs - images
        for ascent in (Ascent.smallest(), Ascent.visible())
    )
    assert (large.flatten(1).norm(dim=1) > small.flatten(1).norm(dim=1)).all()
    assert (roughness(large) < roughness(small)).float().mean() > 0.9


def test_on_a_linear_margin_every_step_is_along_the_smoothed_gradient() -> None:
    """Two linear logits, one channel: one step of the right length, along a wave that is known."""
    time = torch.arange(32.0)
    waves = [(2 * math.pi * cycles * time / 32).cos() for cycles in (1, 8)]
    normal = waves[0] + waves[1]

    def forward(x: Tensor) -> Tensor:
        margin = x.flatten(1) @ normal
        return torch.stack((torch.zeros_like(margin), margin), 1)

    x = torch.randn(1, 1, 32, generator=torch.Generator().manual_seed(0)) / 100
    bounds = torch.tensor(-50.0), torch.tensor(50.0)
    ascent = Ascent.visible(
        steps=1, spectrum_exponent=1.5, shift=0.0, scale=0.0, noise=0.0, max_step_rms=10.0
    )
    end = ascend(forward, x, torch.tensor([1]), ascent, bounds=bounds)
    assert (end.steps, end.stopped) == ([1], ["confidence"])
    change = (end.inputs - x)[0, 0]
    # K multiplies the waves by 32^1.5 and 4^1.5.
    expected = waves[0] * 8**1.5 + waves[1]
    cosine = torch.cosine_similarity(change, expected, dim=0).item()
    assert cosine == pytest.approx(1, abs=1e-5)
    aim = 0.95 + 0.995 * 0.05
    reached = probability(forward, end.inputs, torch.tensor([1]))
    assert reached.item() == pytest.approx(aim, abs=1e-4)


@pytest.mark.parametrize(
    ("shape", "exponent"), [((1, 64, 20), 1.0), ((1, 65, 20), 1.5), ((2, 64), 1.0), ((65,), 1.5)]
)
def test_small_images_change_less_coarsely(shape: tuple[int, ...], exponent: float) -> None:
    generator = torch.Generator().manual_seed(0)
    normals = torch.randn(3, *shape, generator=generator)

    def forward(x: Tensor) -> Tensor:
        return torch.tanh(x.flatten(1) @ normals.flatten(1).T / 9) * 6

    x = torch.randn(2, *shape, generator=generator)
    targets = 2 - forward(x).argmax(1) // 2
    by_size, given, other = (
        ascend(forward, x, targets, Ascent.visible(steps=2, spectrum_exponent=value)).inputs
        for value in (None, exponent, 2.5 - exponent)
    )
    assert torch.equal(by_size, given)
    assert not torch.allclose(by_size, other, atol=1e-2)


def test_the_transformations_fade_away_in_the_last_two_fifths_of_the_steps() -> None:
    seen: list[Tensor] = []

    def forward(x: Tensor) -> Tensor:
        seen.append(x.detach())
        nothing = x.flatten(1).sum(1) * 0
        return torch.stack((nothing, nothing), 1)

    x = torch.zeros(1, 1, 40, 40)
    bounds = torch.tensor(-1.0), torch.tensor(1.0)
    ascent = Ascent.visible(steps=20, noise=0.15)
    ascend(forward, x, torch.tensor([0]), ascent, bounds=bounds)
    noise = [float(at.std()) / 0.3 for at in seen[1:21]]
    assert noise[:13] == pytest.approx([1] * 13, rel=0.1)
    assert noise[13:] == pytest.approx([part / 8 for part in range(7, 0, -1)], rel=0.1)
    assert torch.equal(seen[21], x)


def test_a_channels_range_scales_its_change() -> None:
    """With twice the range a channel changes by four times as much: once more than the gradient."""

    def forward(x: Tensor) -> Tensor:
        margin = x.mean((1, 2, 3)) * 50
        return torch.stack((torch.zeros_like(margin), margin), 1)

    x = torch.zeros(1, 2, 4, 4)
    high = torch.tensor([1.0, 2.0]).reshape(2, 1, 1)
    ascent = Ascent.visible(steps=3, noise=0.0)
    end = ascend(forward, x, torch.tensor([1]), ascent, bounds=(-high, high))
    change = end.inputs[0].mean((1, 2))
    assert change[1].item() == pytest.approx(4 * change[0].item(), rel=1e-3)


def test_no_step_is_longer_than_its_cap(
    trained: nn.Module, images: Tensor, targets: Tensor
) -> None:
    seen: list[Tensor] = []

    def forward(x: Tensor) -> Tensor:
        seen.append(x.detach())
        logits: Tensor = trained(x)
        return logits

    ascent = Ascent.visible(steps=6, shift=0.0, scale=0.0, noise=0.0, max_step_rms=0.01)
    ascend(forward, images, targets, ascent, bounds=BOUNDS)
    rms = [
        ((after - before) / (HIGH - LOW)).square().mean((1, 2, 3)).sqrt().max().item()
        for before, after in pairwise(seen[1:7])
    ]
    assert max(rms) <= 0.01 * (1 + 1e-5)
    assert max(rms) > 0.009


def test_no_row_ends_lower_and_what_convinces_already_stays(
    trained: nn.Module, images: Tensor
) -> None:
    for shift in range(10):
        targets = (trained(images).argmax(1) + shift) % 10
        before = target_margin(trained(images), targets)
        ascent = Ascent.visible(steps=2, finish_steps=1)
        end = ascend(trained, images, targets, ascent, bounds=BOUNDS)
        after = target_margin(trained(end.inputs), targets)
        assert (after >= before - 1e-5).all()
        sure = before >= math.log(0.95 / 0.05)
        assert torch.equal(end.inputs[sure], images[sure])
        assert [end.steps[row] for row in sure.nonzero()] == [0] * int(sure.sum())


def test_it_is_reproducible_and_leaves_the_global_random_state_alone(
    trained: nn.Module, images: Tensor, targets: Tensor
) -> None:
    state = torch.get_rng_state()
    ends = [
        ascend(trained, images, targets, Ascent.visible(seed=seed, steps=4), bounds=BOUNDS).inputs
        for seed in (0, 0, 1)
    ]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(ends[0], ends[1])
    assert not torch.allclose(ends[0], ends[2], atol=1e-2)


@pytest.mark.parametrize("bounds", [BOUNDS, None], ids=["bounds", "no bounds"])
def test_a_row_ends_where_it_ends_alone_and_a_bad_one_harms_no_other(
    trained: nn.Module, images: Tensor, targets: Tensor, bounds: tuple[Tensor, Tensor] | None
) -> None:
    images = images[:5].clone()
    images[2, 0, 3, 3] = math.nan
    ascent = Ascent.visible(steps=4, finish_steps=3)
    together = ascend(trained, images, targets[:5], ascent, bounds=bounds)
    assert together.stopped[2] == "nonfinite"
    assert torch.equal(together.inputs[2].nan_to_num(7), images[2].nan_to_num(7))
    for row in (0, 1, 3, 4):
        alone = ascend(
            trained, images[row : row + 1], targets[row : row + 1], ascent, bounds=bounds
        )
        assert alone.steps == [together.steps[row]]
        torch.testing.assert_close(alone.inputs[0], together.inputs[row], rtol=1e-3, atol=1e-3)


def test_one_answer_that_is_no_number_is_overcome() -> None:
    model = Quadratic(2)
    asked = 0

    def forward(x: Tensor) -> Tensor:
        nonlocal asked
        asked += 1
        logits: Tensor = model(x)
        return logits * math.nan if asked == 3 else logits

    x = torch.randn(2, 1, 4, 5, generator=torch.Generator().manual_seed(2))
    targets = 1 - model(x).argmax(1)
    end = ascend(forward, x, targets, Ascent.visible())
    assert asked > 3
    assert end.stopped == ["confidence"] * 2


def test_every_row_takes_part_in_the_same_passes(
    trained: nn.Module, images: Tensor, targets: Tensor
) -> None:
    passes: list[tuple[int, bool]] = []

    def forward(x: Tensor) -> Tensor:
        passes.append((len(x), x.requires_grad))
        logits: Tensor = trained(x)
        return logits

    ascent = Ascent.visible(0.999999, steps=5, finish_steps=3, draws=2)
    ascend(forward, images, targets, ascent, bounds=BOUNDS)
    rows = len(images)
    assert passes == [(rows, False), *[(rows, True)] * (5 * 2 + 3 + 1)]


def test_known_logits_need_no_graph(trained: nn.Module, images: Tensor, targets: Tensor) -> None:
    passes: list[bool] = []

    def forward(x: Tensor) -> Tensor:
        passes.append(x.requires_grad)
        logits: Tensor = trained(x)
        return logits

    ascent = Ascent.visible(0.999999, steps=5, finish_steps=3)
    known = trained(images).detach()
    end = ascend(forward, images, targets, ascent, bounds=BOUNDS, logits=known)
    assert passes == [True] * (5 + 3 + 1)
    alone = ascend(trained, images, targets, ascent, bounds=BOUNDS)
    torch.testing.assert_close(end.inputs, alone.inputs)


def test_known_logits_save_a_pass(trained: nn.Module, images: Tensor, targets: Tensor) -> None:
    ascent = Ascent.visible(steps=3)
    leaf = images.clone().requires_grad_()
    ends = [
        ascend(trained, leaf, targets, ascent, bounds=BOUNDS, logits=logits).inputs
        for logits in (None, trained(leaf))
    ]
    assert torch.equal(*ends)
    assert not ends[1].requires_grad
    assert leaf.grad is None


def test_half_precision_is_worked_on_in_float32(
    trained: nn.Module, images: Tensor, targets: Tensor
) -> None:
    end = ascend(
        lambda x: trained(x.float()).bfloat16(), images.bfloat16(), targets, Ascent.visible(steps=3)
    )
    assert end.inputs.dtype == torch.float32


@pytest.mark.parametrize("shape", [(2, 40), (40,), (3, 6, 5), (4, 1, 7), (1, 3, 6, 6)])
def test_any_shape_serves(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    normals = torch.randn(3, *shape, generator=generator)

    def forward(x: Tensor) -> Tensor:
        return torch.tanh(x.flatten(1) @ normals.flatten(1).T / 3) * 6

    x = torch.randn(6, *shape, generator=generator)
    targets = 2 - forward(x).argmax(1) // 2
    end = ascend(forward, x, targets, Ascent.visible(steps=6, draws=2))
    after, before = (target_margin(forward(at), targets) for at in (end.inputs, x))
    assert end.inputs.shape == x.shape
    assert (after >= before).all()
    assert end.stopped.count("confidence") >= 5


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_huge_and_tiny_gradients_are_followed(scale: float) -> None:
    model = Quadratic(2)
    x = torch.randn(1, 1, 4, 5, generator=torch.Generator().manual_seed(2)) / scale
    target = 1 - model(x * scale).argmax(1)
    end = ascend(lambda x: model(x * scale), x, target, Ascent.visible())
    assert end.stopped == ["confidence"]


def test_no_gradient_and_no_room_leave_the_image() -> None:
    def constant(x: Tensor) -> Tensor:
        return torch.stack((x.flatten(1).sum(1) * 0, x.flatten(1).sum(1) * 0 + 3), 1)

    x = torch.ones(2, 1, 4, 4)
    end = ascend(constant, x, torch.tensor([0, 0]), Ascent.visible())
    assert (end.steps, end.stopped) == ([0, 0], ["stalled", "stalled"])
    assert torch.equal(end.inputs, x)
    wide = torch.tensor(-50.0), torch.tensor(50.0)
    end = ascend(constant, x, torch.tensor([0, 0]), Ascent.visible(), bounds=wide)
    assert (end.steps, end.stopped) == ([0, 0], ["stalled", "stalled"])
    assert torch.equal(end.inputs, x)
    nowhere = torch.tensor(1.0)
    end = ascend(
        lambda x: torch.stack((x.sum((1, 2, 3)), -x.sum((1, 2, 3))), 1),
        x,
        torch.tensor([1, 1]),
        Ascent.visible(),
        bounds=(nowhere, nowhere),
    )
    assert torch.equal(end.inputs, x)


def test_an_ascent_that_is_visible_is_an_ascent() -> None:
    ascent = Ascent.visible(0.9, steps=5, finish_steps=4)
    assert isinstance(ascent, Ascent)
    assert (ascent.confidence, ascent.max_steps) == (0.9, 9)
    assert ascent == Ascent.visible(0.9, 5, 4)
    assert ascent != Ascent.visible(0.9, 5, 5)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("confidence", (None, 0, 1.0, "high")),
        ("steps", (0, 2.5, True)),
        ("finish_steps", (0, "9")),
        ("draws", (0, 1.5)),
        ("seed", (-1, 2**63, None)),
        ("shift", (-0.1, 0.5, math.nan)),
        ("scale", (-0.1, 0.5, "0.1")),
        ("noise", (-0.1, math.inf)),
        ("spectrum_exponent", (-1, math.nan)),
        ("max_step_rms", (0, -1, math.inf)),
    ],
)
def test_a_bad_argument_is_named(name: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=rf"Ascent(\.visible)?\({name}\)"):
            Ascent.visible(**{name: value})  # type: ignore[arg-type]
