"""Small random transformations, under which a visible change has to convince the network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Transformations:
    """Draws shifts, scales and noise. All rows of a batch are transformed alike.

    So what happens to a row does not depend on the rows beside it. The random numbers come from a
    separate generator on the CPU: they are the same on every device, and no global state changes.

    Args:
        shape: That of one row: (channels, …), or a single dimension without channels.
        shift: The largest shift along each axis, as a part of the side.
        scale: By how much a side becomes longer or shorter at most, as a part of itself.
        noise: The standard deviation of Gaussian noise, as a part of the legal range.
        seed: Of the generator.
    """

    def __init__(
        self, shape: torch.Size, shift: float, scale: float, noise: float, seed: int
    ) -> None:
        self._shape = shape
        self._sides = shape[1:] or shape
        self._shift = shift
        self._scale = scale
        self._noise = noise
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, x: Tensor, legal_range: Tensor, strength: float = 1.0) -> Tensor:
        """The rows (N, …) under the next transformation, differentiable.

        Args:
            x: Shape (N, …), floating point.
            legal_range: The highest legal value minus the lowest, broadcastable to ``x``.
            strength: What shift, scale and noise are multiplied by.
        """
        zoom, *shifts = (
            2 * torch.rand(1 + len(self._sides), generator=self._generator) - 1
        ).tolist()
        if self._shift or self._scale:
            maps = [
                resampling(
                    side, 1 + strength * self._scale * zoom, strength * self._shift * shift * side
                ).to(x)
                for side, shift in zip(self._sides, shifts, strict=True)
            ]
            x = _resampled(x, maps)
        if self._noise:
            noise = torch.randn(self._shape, generator=self._generator).to(x)
            x = x + strength * self._noise * legal_range * noise
        return x


def resampling(side: int, zoom: float, shift: float) -> Tensor:
    """The matrix (side, side) that zooms an axis about its centre, and then shifts it.

    Values between elements are interpolated linearly. Beyond its ends the axis is mirrored.
    A matrix is differentiated in the same way on every device, and without atomic additions.

    Args:
        side: Elements of the axis.
        zoom: Above 1 makes what is shown larger.
        shift: In elements; may be a fraction.
    """
    if side == 1:  # its mirror images are all the same
        return torch.ones(1, 1)
    centre = (side - 1) / 2
    places = (torch.arange(side) - centre - shift) / zoom + centre
    period = 2 * (side - 1)
    places = places.remainder(period)
    places = torch.minimum(places, period - places)
    return (1 - (places[:, None] - torch.arange(side)).abs()).clamp_min(0)


def _resampled(x: Tensor, maps: Sequence[Tensor]) -> Tensor:
    """Each of the last axes mapped by a matrix."""
    for place, matrix in enumerate(maps):
        axis = place - len(maps)
        x = torch.movedim(torch.movedim(x, axis, -1) @ matrix.T, -1, axis)
    return x
