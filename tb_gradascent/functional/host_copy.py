"""From the device to the computer's own memory, without making the training loop wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor


def fetch(tensors: Sequence[Tensor]) -> Callable[[], list[npt.NDArray[Any]]]:
    """Starts copies of tensors; what is returned waits for them and gives them as arrays.

    From a CUDA device they go to pinned memory, behind what the loop has queued there already;
    from the computer's own memory nothing is copied. The tensors must not be written any more.
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
