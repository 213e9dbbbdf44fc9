"""The range of the values that the network was given so far."""

from __future__ import annotations

import torch
from torch import Tensor


class SeenRange:
    """The least and the greatest finite value of each channel so far.

    It stays on the device, so that nothing waits for it.
    """

    def __init__(self) -> None:
        self._range: Tensor | None = None
        self._fixed: tuple[float, float] | None = None

    def add(self, inputs: Tensor, value_range: tuple[float, float] | None = None) -> None:
        """Take the values of a batch (N, channels, …).

        Args:
            inputs: The batch.
            value_range: What its dtype allows, if that is known: then the range is this one.
        """
        if inputs.is_meta:  # no values: the capture will fail
            return
        self._fixed = value_range or self._fixed
        low, high = _range_of(inputs.detach())
        if self._range is not None and self._range.shape[1] == len(low):
            before = self._range.to(low.device, non_blocking=True)
            low, high = torch.minimum(low, before[0]), torch.maximum(high, before[1])
        self._range = torch.stack((low, high))

    def bounds(self) -> Tensor | None:
        """Return the least and the greatest value of each channel, shape (2, channels).

        A channel of one value gets a range of 1, so that it can be painted.
        """
        if self._range is None:
            return None
        low, high = self._range
        if self._fixed is not None:
            low, high = (torch.full_like(low, value) for value in self._fixed)
        low = low.where(low.isfinite(), 0)
        return torch.stack((low, high.where(high > low, low + 1)))


def _range_of(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest finite value of each channel, shape (channels,)."""
    if inputs.is_cpu and inputs.numel():
        # A tenth of the time of the way below. On a GPU, to look at the result would be a wait.
        values = inputs.flatten(2)
        low, high = values.amin(2).amin(0).float(), values.amax(2).amax(0).float()
        if (low.isfinite() & high.isfinite()).all():
            return low, high
    values = inputs.transpose(0, 1).flatten(1).float()
    finite = values.isfinite()
    low = values.where(finite, torch.inf).amin(1)
    return low, values.where(finite, -torch.inf).amax(1)
