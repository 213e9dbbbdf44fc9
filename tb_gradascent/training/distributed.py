"""Which process of a job this is, and what the processes tell each other."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, TypeVar

import torch.distributed as dist

T = TypeVar("T")


class Place(NamedTuple):
    """A process among the others of its job: its rank, from 0, and how many there are."""

    rank: int
    world_size: int


def find_place() -> Place | None:
    """This process's place, or ``None`` where it is alone.

    It is that in the default process group, and before there is one what a launcher such as
    ``torchrun`` says in ``RANK`` and ``WORLD_SIZE``. Nothing is asked of other processes.
    """
    if is_connected():
        place = Place(dist.get_rank(), dist.get_world_size())
    else:
        said = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
        if not all(text.isdecimal() for text in said):
            return None
        place = Place(*map(int, said))
    return place if 0 <= place.rank < place.world_size > 1 else None


def is_connected() -> bool:
    """Whether there is a default process group."""
    return dist.is_available() and dist.is_initialized()


def share(value: T) -> list[T]:
    """What each rank gave, in their order, on every rank. A collective operation."""
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def gather(value: T) -> list[T]:
    """What each rank gave, in their order, on rank 0, and nothing elsewhere. A collective."""
    values: list[Any] | None = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(value, values)
    return values or []
