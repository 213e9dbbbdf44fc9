"""Copy tensors from the device to the host without making the training loop wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor


def fetch(tensors: Sequence[Tensor]) -> Callable[[], list[npt.NDArray[Any]]]:
    """Start to copy tensors to the host.

    From a CUDA device the copies go to pinned memory, after the work that the loop has already
    queued on the device. Tensors on the CPU are not copied. The caller must not write to the
    tensors afterwards.

    Args:
        tensors: Of any shapes and dtypes.

    Returns:
        A function that waits for the copies and returns them as arrays.
    """
    if all(tensor.device.type == "cpu" for tensor in tensors):
        return lambda: [tensor.detach().numpy() for tensor in tensors]
    if not any(tensor.is_cuda for tensor in tensors):
        arrays = [tensor.detach().cpu().numpy() for tensor in tensors]
        return lambda: arrays
    copies = [
        torch.empty_like(tensor, device="cpu", pin_memory=True).copy_(
            tensor.detach(), non_blocking=True
        )
        for tensor in tensors
    ]
    arrived = torch.cuda.Event()
    arrived.record(torch.cuda.current_stream(next(t.device for t in tensors if t.is_cuda)))

    def wait() -> list[npt.NDArray[Any]]:
        arrived.synchronize()
        return [copy.numpy() for copy in copies]

    return wait
