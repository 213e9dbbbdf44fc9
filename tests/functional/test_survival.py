"""A finished morph is asked about again under eight small changes, worked out here with numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from tb_gradascent.functional.survival import CHECKS, small_changes, survives
from testing.networks import Quadratic, convolutional

Array = npt.NDArray[np.float32]

IMAGE, SIGNAL = (3, 2, 6, 5), (3, 2, 9)
LOW, HIGH = -0.5, 1.5


def made(shape: tuple[int, ...]) -> Tensor:
    """Rows within the legal range, some of whose values lie on its ends."""
    generator = torch.Generator().manual_seed(7)
    return torch.empty(shape).uniform_(LOW - 0.2, HIGH + 0.2, generator=generator).clamp(LOW, HIGH)


def changed_by_hand(inputs: Array) -> list[Array | None]:
    """The eight changes of the inputs, before the bounds; ``None`` for a noise."""
    sides = inputs.ndim - 2
    around = ((0, 0), (0, 0), *((2, 2),) * sides)
    padded = np.pad(inputs, around, mode="edge")

    def window(*by: int) -> Array:
        """What stands ``by`` places further right, or further down and further right."""
        ends = zip(by, inputs.shape[2:], strict=True)
        places = tuple(slice(2 + step, 2 + step + size) for step, size in ends)
        return padded[(slice(None), slice(None)) + places]  # noqa: RUF005

    if sides == 2:
        left, right, up, down = window(0, 1), window(0, -1), window(1, 0), window(-1, 0)
        shifts = [left, right, up, down]
        box = [window(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    else:
        shifts = [window(1), window(-1), window(2), window(-2)]
        box = [window(x) for x in (-1, 0, 1)]
    step = (HIGH - LOW) / 255
    rounded = LOW + np.round((inputs - LOW) / step) * step
    return [*shifts, np.mean(box, axis=0), None, None, rounded]


@pytest.mark.parametrize("shape", [IMAGE, SIGNAL], ids=["image", "signal"])
def test_each_change_is_the_one_worked_out_by_hand(shape: tuple[int, ...]) -> None:
    inputs = made(shape)
    changes = small_changes(inputs, torch.tensor(LOW), torch.tensor(HIGH))
    assert changes.shape == (CHECKS, *shape)
    expected = changed_by_hand(inputs.numpy())
    assert [name for name, change in enumerate(expected) if change is None] == [5, 6]
    for change, by_hand in zip(changes.numpy(), expected, strict=True):
        if by_hand is not None:
            np.testing.assert_allclose(change, np.clip(by_hand, LOW, HIGH), atol=1e-6)


def test_a_shift_to_the_left_moves_the_picture_to_the_left() -> None:
    """The first four changes have the directions that the documentation names."""
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 2, 2] = 1
    changes = small_changes(image, torch.tensor(0.0), torch.tensor(1.0))[:4, 0, 0]
    places = [tuple(place) for place in changes.nonzero()[:, 1:].tolist()]
    assert places == [(2, 1), (2, 3), (1, 2), (3, 2)]
    signal = torch.zeros(1, 1, 7)
    signal[0, 0, 3] = 1
    moved = small_changes(signal, torch.tensor(0.0), torch.tensor(1.0))[:4, 0, 0]
    assert moved.argmax(1).tolist() == [2, 4, 1, 5]


@pytest.mark.parametrize("shape", [(2, 3, 64, 64), (2, 3, 4096)], ids=["image", "signal"])
def test_the_noises_differ_and_have_their_deviation(shape: tuple[int, ...]) -> None:
    low, high = torch.tensor(-10.0), torch.tensor(10.0)
    inputs = torch.zeros(shape)
    noises = small_changes(inputs, low, high)[5:7] / (20 * 4 / 255)
    assert noises.std((2, *range(3, noises.dim()))) == pytest.approx(1, abs=0.05)
    assert noises.mean() == pytest.approx(0, abs=0.02)
    first, second = noises
    assert np.corrcoef(first[0].flatten(), second[0].flatten())[0, 1] == pytest.approx(0, abs=0.05)
    assert torch.equal(first[0], first[1]), "one noise for all rows"


def test_the_changes_are_the_same_each_time_and_leave_the_random_state() -> None:
    inputs, ends = made(IMAGE), (torch.tensor(LOW), torch.tensor(HIGH))
    before = torch.get_rng_state()
    first = small_changes(inputs, *ends)
    torch.rand(5)
    assert torch.equal(first, small_changes(inputs, *ends))
    torch.set_rng_state(before)
    small_changes(inputs, *ends)
    assert torch.equal(before, torch.get_rng_state())


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    inputs, ends = made(IMAGE), (torch.tensor(LOW), torch.tensor(HIGH))
    assert torch.equal(small_changes(inputs, *ends)[:, 1:2], small_changes(inputs[1:2], *ends))


@pytest.mark.parametrize("shape", [IMAGE, SIGNAL], ids=["image", "signal"])
def test_every_change_keeps_to_the_bounds_of_each_channel(shape: tuple[int, ...]) -> None:
    inputs = made(shape)
    column = (2,) + (1,) * (len(shape) - 2)
    low, high = torch.tensor([LOW, 0.0]).reshape(column), torch.tensor([1.0, HIGH]).reshape(column)
    inputs = torch.maximum(torch.minimum(inputs, high), low)
    changes = small_changes(inputs, low, high)
    assert bool((changes >= low).all())
    assert bool((changes <= high).all())
    # The bounds are tight: the noises would leave them.
    for noise in changes[5:7]:
        assert bool(((noise == low) | (noise == high)).any())


def test_the_answer_is_the_networks_about_each_change() -> None:
    network = Quadratic()
    images = made((6, 1, 4, 5))
    low, high = torch.tensor(LOW), torch.tensor(HIGH)
    targets = network(images).argmax(1).detach()
    targets[0] = (targets[0] + 1) % 3
    convinced = survives(network, images, targets, bounds=(low, high))
    assert convinced.shape == (6, CHECKS)
    assert convinced.dtype == torch.bool
    for row, target in enumerate(targets):
        for check, change in enumerate(small_changes(images[row : row + 1], low, high)):
            assert convinced[row, check] == (network(change).argmax(1)[0] == target)
    assert bool(convinced.any())
    assert not bool(convinced.all())


@pytest.mark.parametrize("max_rows", [1, 5, 7, 1000])
def test_no_pass_has_more_rows_than_allowed(max_rows: int) -> None:
    network = convolutional(channels=2).eval()
    images = made((3, 2, 8, 8))
    targets = network(images).argmax(1)
    sizes: list[int] = []

    def forward(inputs: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        sizes.append(len(inputs))
        logits: Tensor = network(inputs)
        return logits

    limited = survives(forward, images, targets, max_rows=max_rows)
    assert max(sizes) <= max_rows
    assert sum(sizes) == CHECKS * 3
    assert torch.equal(limited, survives(network, images, targets))


def test_without_bounds_each_row_has_its_own_range() -> None:
    images = made((2, 1, 4, 5))
    images[1] *= 100
    seen: list[Tensor] = []

    def forward(inputs: Tensor) -> Tensor:
        seen.append(inputs)
        return inputs.flatten(1)[:, :3]

    survives(forward, images, torch.tensor([0, 1]))
    changes = torch.cat(seen).unflatten(0, (CHECKS, 2))
    for row, image in enumerate(images):
        own = small_changes(image[None], image.min(), image.max())[:, 0]
        assert torch.allclose(changes[:, row], own, rtol=1e-5)
        assert bool((changes[:, row] >= image.min()).all())
        assert bool((changes[:, row] <= image.max()).all())


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (1, 1, 6)], ids=["image", "signal"])
def test_a_row_of_one_colour_has_finite_changes(shape: tuple[int, ...]) -> None:
    inputs = torch.full(shape, 0.25)
    seen: list[Tensor] = []

    def forward(rows: Tensor) -> Tensor:
        seen.append(rows)
        return torch.stack([rows.flatten(1).mean(1), torch.zeros(len(rows))], 1)

    convinced = survives(forward, inputs, torch.tensor([0]))
    assert bool(torch.cat(seen).isfinite().all())
    assert bool(convinced.all()), "the mean stays above 0"
    # Shifts, the blur and the rounding leave one colour as it is.
    changes = torch.cat(seen)
    for change in (*changes[:5], changes[7]):
        assert torch.allclose(change, inputs[0])


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 1)], ids=["image", "signal"])
def test_a_single_value_can_be_changed(shape: tuple[int, ...]) -> None:
    changes = small_changes(torch.full(shape, 0.5), torch.tensor(0.0), torch.tensor(1.0))
    assert changes.shape == (CHECKS, *shape)
    assert bool(changes.isfinite().all())
