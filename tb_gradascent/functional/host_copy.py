"""From the device to the computer's own memory, without making the training loop wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor


class HostCopy:
    """Copies of tensors in the computer's own memory, started now and awaited later.

    From a CUDA device the copies go to pinned memory, behind the work that the loop has queued
    already. Tensors that are in the computer's memory are not copied.

    Args:
        tensors: Must not be written to any more.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._arrived: torch.cuda.Event | None = None
        on_cuda = next((tensor.device for tensor in tensors if tensor.is_cuda), None)
        if on_cuda is None:
            self._tensors = [tensor.detach().cpu() for tensor in tensors]
            return
        self._tensors = [
            torch.empty_like(tensor, device="cpu", pin_memory=True).copy_(
                tensor.detach(), non_blocking=True
            )
            for tensor in tensors
        ]
        self._arrived = torch.cuda.Event()
        self._arrived.record(torch.cuda.current_stream(on_cuda))

    def arrays(self) -> list[npt.NDArray[Any]]:
        """Wait for the copies and return them as arrays, in the order of the tensors."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return [tensor.numpy() for tensor in self._tensors]
