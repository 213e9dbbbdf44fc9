"""This process's rank in a job, and collective operations of its processes."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, TypeVar

import torch.distributed as dist

T = TypeVar("T")


class ProcessRank(NamedTuple):
    """A process of a job of several processes.

    Attributes:
        rank: From 0 to ``world_size`` − 1.
        world_size: The number of processes, at least 2.
    """

    rank: int
    world_size: int


def find_process_rank() -> ProcessRank | None:
    """Return this process's rank, or ``None`` if the job has one process.

    The rank is the one in the default process group. Before there is a group it is the one that a
    launcher such as ``torchrun`` sets in ``RANK`` and ``WORLD_SIZE``. This is not a collective
    operation.
    """
    if is_connected():
        found = ProcessRank(dist.get_rank(), dist.get_world_size())
    else:
        texts = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
        if not all(text.isdecimal() for text in texts):
            return None
        found = ProcessRank(*map(int, texts))
    return found if 0 <= found.rank < found.world_size > 1 else None


def is_connected() -> bool:
    """Return whether there is a default process group."""
    return dist.is_available() and dist.is_initialized()


def share(value: T) -> list[T]:
    """Return the values of all ranks, in their order, on every rank. A collective operation."""
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def gather(value: T) -> list[T]:
    """Return the values of all ranks, in their order, on rank 0 only; elsewhere an empty list.

    A collective operation.
    """
    values: list[Any] | None = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(value, values)
    return values or []
