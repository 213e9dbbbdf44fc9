"""The transformations against torch's own, arithmetic by hand, and what they must leave alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tb_gradascent.functional.transformations import Transformations, resampling

ONE = torch.ones(())


def test_a_shift_by_whole_elements_moves_and_mirrors() -> None:
    axis = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert (resampling(4, 1.0, 1.0) @ axis).tolist() == [2, 1, 2, 3]
    assert (resampling(4, 1.0, -2.0) @ axis).tolist() == [3, 4, 3, 2]
    assert torch.equal(resampling(4, 1.0, 0.0), torch.eye(4))
    assert resampling(1, 1.2, 0.3).tolist() == [[1.0]]


def test_half_a_shift_is_the_mean_of_two() -> None:
    axis = torch.tensor([1.0, 2.0, 4.0, 8.0])
    assert (resampling(4, 1.0, 0.5) @ axis).tolist() == [1.5, 1.5, 3, 6]


def test_a_zoom_is_torchs_grid_sample() -> None:
    """Whose grid is a number from −1 to 1 that follows the axis."""
    axis = torch.randn(9, generator=torch.Generator().manual_seed(0))
    for zoom in (0.8, 1.0, 1.3):
        places = torch.linspace(-1, 1, 9) / zoom
        grid = torch.stack((places, torch.zeros(9)), 1)[None, None]
        expected = functional.grid_sample(
            axis[None, None, None].expand(1, 1, 1, 9),
            grid,
            padding_mode="reflection",
            align_corners=True,
        )
        torch.testing.assert_close(resampling(9, zoom, 0.0) @ axis, expected[0, 0, 0])


@pytest.mark.parametrize("shape", [(1, 8, 9), (3, 12), (20,), (2, 4, 5, 6)])
def test_every_row_is_changed_alike_and_a_new_draw_differs(shape: tuple[int, ...]) -> None:
    row = torch.rand(1, *shape, generator=torch.Generator().manual_seed(1))
    batch = torch.cat((row, row + 1, row))
    change = Transformations(row.shape[1:], 0.1, 0.1, 0.2, seed=3)
    again = Transformations(row.shape[1:], 0.1, 0.1, 0.2, seed=3)
    first, second = change.draw()(batch, ONE), change.draw()(batch, ONE)
    assert first.shape == batch.shape
    assert torch.equal(first[0], first[2])
    torch.testing.assert_close(first[1], first[0] + 1)
    assert not torch.allclose(first, second, atol=1e-2)
    torch.testing.assert_close(again.draw()(row, ONE), first[:1])
    torch.testing.assert_close(again.draw()(row, ONE), second[:1])
    assert not torch.equal(
        first, Transformations(row.shape[1:], 0.1, 0.1, 0.2, seed=4).draw()(batch, ONE)
    )


@pytest.mark.parametrize("shape", [(1, 8, 9), (3, 12), (20,), (2, 4, 5, 6)])
def test_gradients_come_back_as_autograd_brings_them(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(3, *shape, generator=generator, requires_grad=True)
    gradients = torch.rand(3, *shape, generator=generator)
    for shift in (0.0, 0.1):
        change = Transformations(x.shape[1:], shift, shift, 0.2, seed=3).draw()
        (expected,) = torch.autograd.grad(change(x, ONE), x, gradients)
        torch.testing.assert_close(change.back(gradients), expected)


def test_a_smaller_strength_changes_less_and_none_changes_nothing() -> None:
    x = torch.rand(2, 1, 9, 9, generator=torch.Generator().manual_seed(1))
    half, same = (
        Transformations(x.shape[1:], 0.1 * part, 0.1 * part, 0.2 * part, seed=3).draw()(x, ONE)
        for part in (0.5, 0)
    )
    torch.testing.assert_close(
        Transformations(x.shape[1:], 0.1, 0.1, 0.2, 3).draw(0.5)(x, ONE), half
    )
    torch.testing.assert_close(
        Transformations(x.shape[1:], 0.1, 0.1, 0.2, 3).draw(0.0)(x, ONE), same
    )
    torch.testing.assert_close(same, x)


def test_the_noise_is_a_part_of_the_legal_range() -> None:
    x = torch.zeros(1, 2, 100, 100)
    legal_range = torch.tensor([1.0, 5.0]).reshape(-1, 1, 1)
    noisy = Transformations(x.shape[1:], 0.0, 0.0, 0.2, seed=0).draw()(x, legal_range)
    assert noisy.std((0, 2, 3)).tolist() == pytest.approx([0.2, 1.0], rel=0.05)


def test_without_anything_to_draw_the_rows_stay() -> None:
    x = torch.rand(2, 1, 5, 5)
    assert torch.equal(Transformations(x.shape[1:], 0.0, 0.0, 0.0, seed=0).draw()(x, ONE), x)


def test_a_shift_stays_within_its_part_of_the_side() -> None:
    """A single bright element is found again, at most so far from where it was."""
    x = torch.zeros(1, 1, 41)
    x[0, 0, 20] = 1
    change = Transformations(x.shape[1:], 0.1, 0.0, 0.0, seed=0)
    moved = [(change.draw()(x, ONE)[0, 0] * torch.arange(41)).sum().item() - 20 for _ in range(200)]
    assert -4.1 <= min(moved) < -3.5
    assert 3.5 < max(moved) <= 4.1
