"""How a value is named in an error."""

from __future__ import annotations

from torch import Tensor


def describe(value: object) -> str:
    """A value's type, and a tensor's dtype and shape."""
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
