"""Stores gradients and deltas as integer levels of a quantum.

A value is ``float32(level) * quantum``. The quantum is the array's largest finite magnitude divided
by a number of levels. The levels -32768, -32767 and 32767 stand for NaN, -inf and inf. The error is
at most half a quantum, plus float32's own rounding of 2⁻¹³ of a quantum.

A gradient has ``GRADIENT_LEVELS``, so its error is at most 1/2048 of its largest magnitude. Float16
has the same error for the largest values. After deflating, levels take 70 % of its bytes, because
they do not store the low bits of small values.

A gradient of at least ``LARGE`` elements has the number of levels that its direction needs: see
:func:`gradient_levels`. Most such gradients need 80 to 300. Levels at unequal distances would not
save bytes, because deflating already gives frequent levels short codes.

A delta has ``DELTA_LEVELS``. Fewer levels are enough, because the network is asked about the
rounded delta, which is also the one that a viewer shows. A delta of at least ``LARGE`` elements has
``LARGE_DELTA_LEVELS`` if it is not smooth. A smooth delta takes few bytes with many levels, and the
edges between few levels would change what the network sees.

The numbers of levels of a delta are powers of two. Therefore rounding a delta to one of them and
then to the same or a larger one gives the same result as rounding it once. So a delta is rounded
before the network is asked about it, and is stored unchanged, with ``DELTA_LEVELS``.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from tb_gradascent.format.samples import Array

GRADIENT_LEVELS: Final = 1024
DELTA_LEVELS: Final = 128
LARGE_DELTA_LEVELS: Final = 32
LARGE: Final = 1 << 14
"""An array with this many elements or more is large. For example 3×74×74 is large."""
LEAST_COSINE: Final = 0.999

_NAN, _NEGATIVE_INFINITY, _INFINITY = -32768, -32767, 32767
_MOST_LEVELS: Final = 32766

_LEAST_QUANTUM = np.finfo(np.float32).smallest_subnormal


def gradient_levels(gradient: Array) -> int:
    """Return how many levels a gradient has.

    A finite gradient of at least ``LARGE`` elements has about as few as leave it a cosine of
    ``LEAST_COSINE`` with its rounded form.
    """
    if gradient.size < LARGE or not np.isfinite(gradient).all():
        return GRADIENT_LEVELS
    true = gradient.astype(np.float64).ravel()
    rms = float(np.sqrt(np.mean(true**2)))
    if rms == 0:
        return GRADIENT_LEVELS
    # Errors that are spread evenly have a cosine of about 1 - (quantum / rms)² / 24.
    coarsest = math.sqrt(24 * (1 - LEAST_COSINE)) * rms
    levels = math.ceil(float(np.abs(true).max()) / coarsest)
    while levels < _MOST_LEVELS:
        stored = dequantize(*quantize(gradient, levels)).astype(np.float64).ravel()
        if true @ stored >= LEAST_COSINE * float(np.linalg.norm(stored)) * rms * true.size**0.5:
            return levels
        levels += 1 + levels // 16
    return _MOST_LEVELS


def quantize(array: Array, levels: int) -> tuple[np.float32, npt.NDArray[np.int16]]:
    """Return ``(quantum, levels)``. The levels have the array's shape.

    The quantum is at least the smallest positive float32, so that it never is 0.
    """
    array = np.asarray(array, np.float32)
    finite = np.isfinite(array)
    largest = np.max(np.abs(array), where=finite, initial=np.float32(0))
    quantum = np.float32(np.maximum(largest / np.float32(levels), _LEAST_QUANTUM))
    level = np.rint(np.where(finite, array, 0) / quantum).astype("<i2")
    if not finite.all():
        level[np.isnan(array)] = _NAN
        level[np.isposinf(array)] = _INFINITY
        level[np.isneginf(array)] = _NEGATIVE_INFINITY
    return quantum, level


def dequantize(quantum: np.float32, level: npt.NDArray[np.int16]) -> Array:
    """Invert :func:`quantize`, up to half a quantum."""
    with np.errstate(all="ignore"):  # a damaged quantum may have any value
        array: Array = level.astype(np.float32) * quantum
    array[level == _NAN] = np.nan
    array[level == _INFINITY] = np.inf
    array[level == _NEGATIVE_INFINITY] = -np.inf
    return array
