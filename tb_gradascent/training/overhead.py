"""What captures cost, and how it is kept to a small part of the training's time."""

from __future__ import annotations

import math
import time

#: Captures may take this many seconds in all, however short the training is.
FREE_SECONDS = 5.0


class Overhead:
    """Account for the time of captures and of the training around them.

    Captures may take ``max(5 seconds, max_overhead * the training's time so far)``. The ascent
    reads its numbers from the device after each step, so the time that the loop waits for a capture
    includes the device's time.

    Args:
        max_overhead: The part of the training's time that captures may take, or ``None`` for no
            limit.

    Attributes:
        seconds: The time of all captures so far, in the loop and on the writing thread.
    """

    def __init__(self, max_overhead: float | None) -> None:
        self._limit = max_overhead
        self._loop_seconds = 0.0
        self._writer_seconds = 0.0
        self._captures = 0
        self._last_cost = 0.0
        self._started: float | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether captures may take any time."""
        return self._limit is None

    @property
    def seconds(self) -> float:
        """Seconds that captures took so far."""
        return self._loop_seconds + self._writer_seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the training's clock was started, without those of the captures."""
        if self._started is None:
            return 0.0
        return max(time.perf_counter() - self._started - self._loop_seconds, 1e-9)

    def start(self) -> None:
        """Start the training's clock; a second call does nothing."""
        if self._started is None:
            self._started = time.perf_counter()

    def add(self, loop_seconds: float, writer_seconds: float) -> None:
        """Account for one capture.

        Args:
            loop_seconds: How long the loop waited for it.
            writer_seconds: The processor time of the writing thread in all.
        """
        before = self.seconds
        self._loop_seconds += loop_seconds
        self._writer_seconds = writer_seconds
        self._captures += 1
        self._last_cost = self.seconds - before

    @property
    def mean_cost(self) -> float:
        """Seconds that a capture took so far, at least one capture given."""
        return self.seconds / self._captures

    def allows_another(self) -> bool:
        """Whether one more capture keeps within the limit."""
        if self._limit is None or not self._captures:
            return True
        return self._with_another() <= max(FREE_SECONDS, self._limit * self.elapsed)

    def stretch(self, every: int, steps: int) -> int:
        """Return by how much captures have to be rarer than each ``every`` steps: a power of two.

        Args:
            every: The interval that the user asked for.
            steps: Steps of the training so far.
        """
        if self._limit is None or not self._captures or not steps:
            return 1
        if self._with_another() <= FREE_SECONDS:
            return 1
        wanted = self.mean_cost * steps / (self._limit * self.elapsed * every)
        return 1 if wanted <= 1 else 1 << min(math.ceil(math.log2(wanted)), 62)

    def _with_another(self) -> float:
        """Seconds after one more capture, which costs as much as the mean or the last one."""
        return self.seconds + max(self.mean_cost, self._last_cost)
