"""The prior against sums over cosines, its eigenvectors, and matrices written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tb_gradascent.functional.prior import Prior

CPU = torch.device("cpu")


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def by_hand(gradient: Tensor, exponent: float) -> Tensor:
    """K·g of one channel (H, W), as a circular convolution with K's kernel, a sum of cosines."""
    height, width = gradient.shape
    kernel = torch.zeros(height, width, dtype=torch.float64)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    for m in range(height):
        for n in range(width):
            u, v = (min(k, side - k) / side for k, side in ((m, height), (n, width)))
            factor = max(math.hypot(u, v), 1 / max(height, width)) ** -exponent
            angle = 2 * math.pi * (m * rows / height + n * columns / width)
            kernel += factor * angle.double().cos() / (height * width)
    result = torch.zeros(height, width, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            result += gradient[y, x] * kernel.roll((y, x), (0, 1))
    return result


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("sides", [(4, 5), (5, 4), (6, 6), (1, 7)])
def test_it_is_the_convolution_that_is_written_out(sides: tuple[int, int], exponent: float) -> None:
    gradients = random(2, 2, *sides)
    smooth = Prior(gradients.shape[1:], CPU)(gradients, exponent)
    for row in range(2):
        for channel in range(2):
            expected = by_hand(gradients[row, channel], exponent).float()
            torch.testing.assert_close(smooth[row, channel], expected, rtol=1e-4, atol=1e-4)


def test_a_wave_is_an_eigenvector_and_its_frequency_gives_the_eigenvalue() -> None:
    time = torch.arange(32.0)
    for cycles in (0, 1, 4, 16):
        wave = (2 * math.pi * cycles * time / 32).cos()[None, None]
        smooth = Prior(wave.shape[1:], CPU)(wave, 1.5)
        frequency = max(cycles, 1) / 32
        torch.testing.assert_close(smooth, wave * frequency**-1.5, rtol=1e-4, atol=1e-3)


def test_gray_is_kept_most_and_the_channels_are_mixed_by_their_covariance() -> None:
    """The columns of the root, and their products, by hand."""
    root = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
    covariance = root @ root.T / (0.26**2 + 0.27**2 + 0.27**2)
    prior = Prior(torch.Size((3, 1, 1)), CPU)
    for channel in range(3):
        pure = torch.zeros(1, 3, 1, 1)
        pure[0, channel] = 1
        torch.testing.assert_close(prior(pure, 0.0)[0, :, 0, 0], covariance[:, channel])
    gray, hue = torch.ones(1, 3, 1, 1), torch.tensor([1.0, -1.0, 0.0])[None, :, None, None]
    assert prior(gray, 0.0).norm() / gray.norm() > 10 * prior(hue, 0.0).norm() / hue.norm()


@pytest.mark.parametrize("shape", [(1, 6, 6), (2, 6, 6), (4, 6, 6), (3, 36), (36,), (3, 2, 3, 4)])
def test_channels_that_are_no_colours_do_not_mix(shape: tuple[int, ...]) -> None:
    gradient = random(1, *shape)
    prior = Prior(gradient.shape[1:], CPU)
    channels = shape[0] if len(shape) > 1 else 1
    for channel in range(channels):
        alone = torch.zeros_like(gradient)
        alone[:, channel : channel + 1 if len(shape) > 1 else None] = gradient[
            :, channel : channel + 1 if len(shape) > 1 else None
        ]
        changed = prior(alone, 1.0).flatten(2) if len(shape) > 1 else prior(alone, 1.0)[:, None]
        assert [float(part.abs().max()) > 1e-3 for part in changed[0]] == [
            other == channel for other in range(channels)
        ]


@pytest.mark.parametrize("shape", [(3, 6, 7), (1, 28, 28), (2, 33), (20,)])
def test_it_is_symmetric_and_positive(shape: tuple[int, ...]) -> None:
    first, second = random(2, *shape).split(1)
    prior = Prior(first.shape[1:], CPU)
    ahead = (first * prior(second, 1.5)).sum()
    torch.testing.assert_close(ahead, (second * prior(first, 1.5)).sum(), rtol=1e-4, atol=1e-3)
    assert (first * prior(first, 1.5)).sum() > 0
