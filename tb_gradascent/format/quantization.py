"""Arrays as whole levels of one quantum each: how gradients and deltas are stored.

An array's value is ``float32(level) * quantum``. The quantum is the array's largest finite
magnitude over a number of levels; the levels -32768, -32767 and 32767 stand for NaN, -inf and inf.
The error is at most half a quantum (and float32's own rounding, 2⁻¹³ of a quantum).

A gradient has ``GRADIENT_LEVELS``, so its error is at most 1/2048 of its largest magnitude. That is
also float16's rounding there, at 70 % of the bytes that deflated float16 takes, because the low
bits of float16's small values are noise to everyone who compares them with the large ones. A delta
has ``DELTA_LEVELS``: what matters is that the network is asked about the very image that a viewer
shows, and for that the levels need only be the same.

Both are powers of two, which makes it idempotent: what was stored once is stored again without a
change, so that the network can be asked about what will be stored before it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tb_gradascent.format.samples import Array

GRADIENT_LEVELS: Final = 1024
DELTA_LEVELS: Final = 128

_NAN, _NEGATIVE_INFINITY, _INFINITY = -32768, -32767, 32767


def quantum(largest: Array, levels: int) -> Array:
    """The distance of two levels, float32, for arrays whose largest finite magnitude is given.

    At least the smallest positive float32, so that nothing is ever divided by zero.
    """
    least = np.float32(np.finfo(np.float32).smallest_subnormal)
    return np.asarray(np.maximum(largest / np.float32(levels), least), np.float32)


def quantize(array: Array, levels: int) -> tuple[np.float32, npt.NDArray[np.int16]]:
    """``(quantum, level of each element)``; the levels have the array's shape."""
    array = np.asarray(array, np.float32)
    finite = np.isfinite(array)
    largest = np.max(np.abs(array), where=finite, initial=np.float32(0))
    step = np.float32(quantum(largest, levels))
    level = np.rint(np.where(finite, array, 0) / step).astype("<i2")
    if not finite.all():
        level[np.isnan(array)] = _NAN
        level[np.isposinf(array)] = _INFINITY
        level[np.isneginf(array)] = _NEGATIVE_INFINITY
    return step, level


def dequantize(step: np.float32, level: npt.NDArray[np.int16]) -> Array:
    """The inverse of :func:`quantize`, up to half a quantum."""
    with np.errstate(all="ignore"):  # a damaged quantum may be anything
        array: Array = level.astype(np.float32) * step
    array[level == _NAN] = np.nan
    array[level == _INFINITY] = np.inf
    array[level == _NEGATIVE_INFINITY] = -np.inf
    return array
