"""What natural images have in common: their spectrum and the correlation of their colours.

A step along K·g instead of the gradient g changes what natural images differ in: large structures
more than fine ones, and brightness more than hue. Olah, Mordvintsev and Schubert ("Feature
Visualization", Distill 2017, doi:10.23915/distill.00007) call it preconditioning: steepest ascent
in a Fourier basis whose colours are decorrelated.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tb_gradascent.functional.transformations import mapped

#: The square root of the covariance of red, green and blue in natural images, from the code of
#: "Feature Visualization". It is divided by the largest norm of its columns.
_COLOUR_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))

#: Images whose sides are at most this long have small structures only, such as the strokes of a
#: digit. A spectrum that falls steeply covers them with clouds.
_SMALL_SIDE = 64


class Prior:
    """The matrix K: symmetric, positive definite, and the same for every row.

    K multiplies each spatial frequency f by ``1 / max(f, 1 / size)^exponent``, with f in cycles per
    element and the size of the longest side. It mixes the channels of an image (N, 3, H, W), which
    are taken to be red, green and blue, by their covariance. Other channels are not mixed.

    Args:
        shape: That of one row: (channels, …), or a single dimension without channels.
        device: Where the rows are.
        dtype: Of the rows, float32 or float64.
    """

    def __init__(
        self, shape: torch.Size, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        self._sides = shape[1:] or shape
        self._device = device
        self._waves: Sequence[Tensor] | None = None
        if max(self._sides) <= _SMALL_SIDE:
            self._waves = _waves(self._sides, device, dtype)
        self._colours: Tensor | None = None
        if len(shape) == 3 and shape[0] == 3:
            root = torch.tensor(_COLOUR_ROOT, device=device, dtype=dtype)
            root = root / root.norm(dim=0).max()
            self._colours = root @ root.T

    @property
    def exponent(self) -> float:
        """The default for images of this size: how steeply the spectrum falls."""
        return 1.0 if max(self._sides) <= _SMALL_SIDE else 1.5

    def __call__(self, gradients: Tensor, exponent: float) -> Tensor:
        """K·g of each row g, shaped like it.

        Args:
            gradients: Shape (N, …), float32 or float64.
            exponent: How steeply the spectrum falls. Natural images fall with about 1; 0 keeps the
                spectrum as it is.
        """
        weights = _weights(self._sides, exponent, self._device, self._waves is not None)
        if self._waves is not None:
            # Faster than two Fourier transforms.
            smooth = mapped(mapped(gradients, self._waves) * weights, self._waves)
        else:
            dims = tuple(range(-len(self._sides), 0))
            spectrum = torch.fft.rfftn(gradients, dim=dims) * weights
            smooth = torch.fft.irfftn(spectrum, s=self._sides, dim=dims)
        if self._colours is None:
            return smooth
        return torch.einsum("ij,njhw->nihw", self._colours, smooth)


@functools.lru_cache(maxsize=32)
def _weights(sides: torch.Size, exponent: float, device: torch.device, whole: bool) -> Tensor:
    """What each frequency is multiplied by. Every capture needs the same few."""
    with torch.inference_mode(False):
        return (_frequencies(sides, whole) ** -exponent).to(device)


def _frequencies(sides: torch.Size, whole: bool) -> Tensor:
    """max(f, 1 / size) of each frequency f of arrays with these sides.

    In the order of ``fftn``, or of ``rfftn`` for a part of them.
    """
    squares = torch.zeros(())
    for place, side in enumerate(sides):
        last = place == len(sides) - 1
        some = last and not whole
        frequencies = torch.fft.rfftfreq(side) if some else torch.fft.fftfreq(side)
        squares = squares[..., None] + frequencies.square()
    return squares.sqrt().clamp_min(1 / max(sides))


@functools.lru_cache(maxsize=8)
def _waves(sides: torch.Size, device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    """The transform of each axis."""
    with torch.inference_mode(False):
        return [_hartley(side).to(device, dtype) for side in sides]


def _hartley(side: int) -> Tensor:
    """The discrete Hartley transform: a matrix (side, side), float64, that is its own inverse.

    The waves cos(2πkt/side) + sin(2πkt/side) are its rows. As they are real, symmetric filters are
    diagonal between two of these transforms, also along several axes.
    """
    places = torch.arange(side, dtype=torch.float64)
    angles = 2 * math.pi / side * (places[:, None] * places).remainder(side)
    return (angles.cos() + angles.sin()) / math.sqrt(side)
