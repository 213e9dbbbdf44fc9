"""Checks of values that users give or return, and the words for them in errors."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any, TypeGuard

from torch import Tensor


def describe(value: object) -> str:
    """A value's type, and a tensor's dtype and shape."""
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number, and not a boolean."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_finite(value: object) -> TypeGuard[float]:
    """Return whether a value is a real number, not a boolean, that is finite as a float."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that is too large for a float
        return False


def check_range(name: str, value: Any, low: float, high: float = math.inf) -> None:
    """Check that an argument is a real number from ``low`` to ``high``.

    Raises:
        ValueError: ``value`` is not a number, is NaN, or is out of the range.
    """
    is_number = isinstance(value, numbers.Real)
    if not is_number or not low <= value <= high:
        least = "" if low == -math.inf else f" of at least {low}"
        rule = least if high == math.inf else f" from {low} to {high}"
        raise ValueError(f"{name} must be a number{rule}, got {value!r}")


def check_returned(
    value: object, is_valid: Callable[[Tensor], bool], rule: str, function: object
) -> Tensor:
    """Check the value that a user's callable returned.

    Args:
        value: The returned value.
        is_valid: Returns whether a tensor follows the rule.
        rule: A text: the argument's name, and what its callable must return.
        function: The callable.

    Returns:
        ``value``.

    Raises:
        ValueError: ``value`` is not a tensor, or not a valid one.
    """
    if not isinstance(value, Tensor) or not is_valid(value):
        raise ValueError(f"{rule}, got {describe(value)} from {function!r}")
    return value


def without_subclass(tensor: Tensor) -> Tensor:
    """Return a tensor as torch's own class, with the same data and the same graph.

    MONAI's ``MetaTensor`` and fastai's ``TensorImage`` change what functions return, and cannot
    always be sliced. Tensors that hold other tensors, such as a ``DTensor``, stay as they are.
    """
    kind = type(tensor)
    if kind is Tensor or hasattr(kind, "__tensor_flatten__"):
        return tensor
    return tensor.as_subclass(Tensor)
