"""Small random transformations, under which a visible change has to convince the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Transformation(NamedTuple):
    """One shift, scale and noise. All rows of a batch are transformed alike.

    Attributes:
        maps: Matrices that resample each axis, see :func:`resampling`. Empty without a shift and a
            scale.
        noise: Shaped like one row, in parts of the legal range; ``None`` without noise.
    """

    maps: Sequence[Tensor]
    noise: Tensor | None

    def __call__(self, x: Tensor, legal_range: Tensor) -> Tensor:
        """The rows (N, …) transformed.

        Args:
            x: Shape (N, …), floating point.
            legal_range: The highest legal value minus the lowest, broadcastable to ``x``.
        """
        if self.maps:
            x = mapped(x, self.maps)
        return x if self.noise is None else torch.addcmul(x, self.noise, legal_range)

    def back(self, gradients: Tensor) -> Tensor:
        """From gradients of the transformed rows (N, …) to those of the rows.

        Autograd needs more operations for it.
        """
        if not self.maps:
            return gradients
        return mapped(gradients, [matrix.T for matrix in self.maps])

    def to(self, device: torch.device, dtype: torch.dtype) -> Transformation:
        """The same for rows on another device, or of another dtype."""
        noise = None if self.noise is None else self.noise.to(device, dtype)
        return Transformation([matrix.to(device, dtype) for matrix in self.maps], noise)


class Transformations:
    """Draws shifts, scales and noise.

    What happens to a row does not depend on the rows beside it. The random numbers come from a
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

    def draw(self, strength: float = 1.0) -> Transformation:
        """The next transformation.

        Args:
            strength: What shift, scale and noise are multiplied by.
        """
        zoom, *shifts = (
            2 * torch.rand(1 + len(self._sides), generator=self._generator) - 1
        ).tolist()
        maps, noise = [], None
        if self._shift or self._scale:
            maps = [
                resampling(
                    side, 1 + strength * self._scale * zoom, strength * self._shift * shift * side
                )
                for side, shift in zip(self._sides, shifts, strict=True)
            ]
        if self._noise:
            noise = torch.randn(self._shape, generator=self._generator)
            noise *= strength * self._noise
        return Transformation(maps, noise)


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


def mapped(x: Tensor, maps: Sequence[Tensor]) -> Tensor:
    """The rows (N, …), with each of their last axes multiplied by a matrix."""
    if len(maps) == 2:
        # Fewer operations than matmul takes.
        planes = x.flatten(0, -3)
        count = planes.shape[0]
        first, last = (matrix.expand(count, -1, -1) for matrix in maps)
        return torch.bmm(torch.bmm(first, planes), last.mT).view_as(x)
    for place, matrix in enumerate(maps):
        axis = place - len(maps)
        x = torch.movedim(torch.movedim(x, axis, -1) @ matrix.T, -1, axis)
    return x
