"""How arguments are checked, and how a value is named in an error."""

from __future__ import annotations

import math
import numbers
from typing import TypeGuard

from torch import Tensor


def describe(value: object) -> str:
    """A value's type, and a tensor's dtype and shape."""
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_finite(value: object) -> TypeGuard[float]:
    """Whether it is a real number that is finite as a float, too."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that is no float
        return False
