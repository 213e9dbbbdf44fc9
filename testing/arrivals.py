"""Locks that tell a test when several threads wait for the same thing."""

from __future__ import annotations

import threading
from types import TracebackType


class Arrivals:
    """Makes locks, and sets ``complete`` when a number of threads have asked for one of them.

    A test can so hold back the first thread until all others wait for it.
    """

    def __init__(self, threads: int) -> None:
        self.complete = threading.Event()
        self._left = threads
        self._guard = threading.Lock()

    def make_lock(self) -> AnnouncedLock:
        """Return a new lock. It can stand in for ``threading.Lock()``."""
        return AnnouncedLock(self)

    def announce(self) -> None:
        """Count one more thread."""
        with self._guard:
            self._left -= 1
            if self._left == 0:
                self.complete.set()


class AnnouncedLock:
    """A lock that announces each thread before the thread waits for it."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._arrivals.announce()
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()
