"""The processes that this one has started, and the memory that each has to itself (Linux)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def below(process: int | None = None) -> Iterator[int]:
    """Every process below one, by default this one; none where the system does not tell."""
    for path in Path(f"/proc/{process or os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            for child in map(int, path.read_text().split()):
                yield child
                yield from below(child)


def name(process: int) -> str:
    """The name of a process; empty if it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return ""


def memory(process: int) -> float:
    """MB that a process has to itself, files that it maps left out. 0 where it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
