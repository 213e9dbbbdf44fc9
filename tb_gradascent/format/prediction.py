"""Predicts the values of an image from their neighbours, so that only small residuals are stored.

The values are integers: levels or palette indices. First, each channel becomes its difference from
the channel before it, because the channels of a photograph are alike. The first channel stays as it
is. Then each difference ``d`` is predicted as the median of ``W``, ``N`` and ``W + N - NW``. These
are its neighbours to the left, above, and above to the left. A neighbour outside of the image is 0.
The prediction is that of JPEG-LS (Weinberger, Seroussi and Sapiro, doi:10.1109/83.855427). The
residual is ``d`` minus its prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

LARGEST_SIDE: Final = 4096
"""The largest side of an image whose values are predicted. To restore it takes ``height + width``
steps."""

Integers = npt.NDArray[np.int32]


def can_predict(shape: Sequence[int]) -> bool:
    """Return whether a sample of this shape is an image with sides that are not too large."""
    return len(shape) == 3 and max(shape[1:]) <= LARGEST_SIDE


def residuals_of(values: Integers) -> Integers:
    """Return the residuals of values, shape (channels, height, width)."""
    differences = values.copy()
    differences[1:] -= values[:-1]
    padded = _padded(differences)
    west, north, corner = padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, :-1, :-1]
    residuals: Integers = differences - _median(west, north, corner)
    return residuals


def restore(residuals: Integers) -> Integers:
    """Invert :func:`residuals_of`. The magnitude of a residual must be at most 2¹⁵.

    The pixels of one antidiagonal are restored at once, because they do not depend on each other.
    """
    channels, height, width = residuals.shape
    row = width + 1
    padded = _padded(residuals).reshape(channels, -1)
    for diagonal in range(height + width - 1):
        top = max(0, diagonal - width + 1)
        bottom = min(height - 1, diagonal)
        # Between two pixels of an antidiagonal lie `row - 1` positions of the padded image.
        first = row + 1 + diagonal + top * (row - 1)
        last = row + 1 + diagonal + bottom * (row - 1)

        def at(offset: int, first: int = first, last: int = last) -> Integers:
            return padded[:, first - offset : last - offset + 1 : row - 1]

        at(0)[...] += _median(at(1), at(row), at(row + 1))
    differences = padded.reshape(channels, height + 1, row)[:, 1:, 1:]
    return np.cumsum(differences, axis=0, dtype=np.int32)


def _padded(values: Integers) -> Integers:
    """Return values with a row of zeros above and a column of zeros to their left."""
    channels, height, width = values.shape
    padded = np.zeros((channels, height + 1, width + 1), values.dtype)
    padded[:, 1:, 1:] = values
    return padded


def _median(west: Integers, north: Integers, corner: Integers) -> Integers:
    """Return the median of ``west``, ``north`` and ``west + north - corner``."""
    low, high = np.minimum(west, north), np.maximum(west, north)
    median: Integers = np.minimum(np.maximum(west + north - corner, low), high)
    return median
