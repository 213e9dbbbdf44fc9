"""When captures are made: schedules, and how the budget stretches the time between captures."""

from __future__ import annotations

import math
import sys
from typing import Protocol

from tb_gradascent.format.status import MAX_STATUS_BYTES
from tb_gradascent.training.health import Health
from tb_gradascent.training.overhead import Overhead

#: The interval doubles each time another of so many parts of the budget is used up.
PARTS = 8


def status_reserve(budget: int) -> int:
    """Return how many bytes of a budget are kept for the session's notices and its end."""
    return min(budget // 16, MAX_STATUS_BYTES)


class Schedule:
    """Due at the first step, and at each step that has passed another multiple of the interval.

    Args:
        every: The interval in steps, at least 1.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._last: int | None = None

    def is_due(self, step: int, stretch: int = 1) -> bool:
        """Whether a capture is due at a step, if the interval is ``every * stretch``.

        A step that goes backwards is due: the loop went back to a checkpoint.
        """
        last, interval = self._last, self.every * stretch
        return last is None or step < last or step // interval != last // interval

    def mark(self, step: int) -> None:
        """Remember that a capture was due at a step."""
        self._last = step


def stretch(used: int, budget: int) -> int:
    """Return by how much the interval is longer once ``used`` bytes of a budget are written.

    The result is a power of two. Each of the first parts doubles the interval; within the last
    part, each half of what remains doubles it. So captures go on to the end of any training. The
    gaps are at most ``PARTS`` times as wide as evenly spread ones if the training would spend the
    budget up to 16 times, and wider beyond.
    """
    if used >= budget:
        return 1 << 62
    part = PARTS * used // budget
    if part < PARTS - 1:
        return 1 << part
    halvings = int(math.log2(budget / (PARTS * (budget - used))))
    return 1 << (PARTS - 1 + halvings)


class SizedFile(Protocol):
    """A file that uses up the budget."""

    @property
    def size(self) -> int:
        """Bytes written so far."""
        ...


class Pacer:
    """Count the loop's steps and decide at which of them captures are made.

    Args:
        every: Steps between captures, at least 1.
        budget_mb: Megabytes that all files of the job may take.
        files: How many files share the budget.
        overhead: The time of captures, and its limit.
        health: Is told that the intervals grow.

    Attributes:
        main: The schedule of the hook's own captures. Probes may have schedules of their own.
        budget: Bytes that this process's file may take.
        overhead: See above.
        steps: Steps of the loop so far.
    """

    def __init__(
        self, every: int, budget_mb: float, files: int, overhead: Overhead, health: Health
    ) -> None:
        self.main = Schedule(every)
        self.budget = int(min(budget_mb * 1e6, sys.maxsize)) // files
        self._for_captures = self.budget - status_reserve(self.budget)
        self._schedules = [self.main]
        self.overhead = overhead
        self._health = health
        self.steps = 0
        self._file: SizedFile | None = None
        self._agreed_stretch: int | None = None

    def watch(self, file: SizedFile) -> None:
        """Take the bytes used from a file."""
        self._file = file

    def agree(self, stretch: int) -> None:
        """Stretch by the same number as all other ranks from here on."""
        self._agreed_stretch = stretch

    def add_schedule(self, every: int) -> Schedule:
        """Add a schedule beside the main one."""
        schedule = Schedule(every)
        self._schedules.append(schedule)
        return schedule

    @property
    def next_step(self) -> int:
        """The step of the next call, if the loop does not say it: calls are counted from 0."""
        return self.steps

    def count_step(self) -> None:
        """Count one step of the loop."""
        if not self.steps:
            self.overhead.start()
        self.steps += 1

    @property
    def stretch(self) -> int:
        """By how much all intervals are longer than they were asked to be."""
        return self.own_stretch if self._agreed_stretch is None else self._agreed_stretch

    @property
    def own_stretch(self) -> int:
        """What :attr:`stretch` would be if this process had to agree with no other."""
        used = self._file.size if self._file else 0
        # By the time so far: at the first capture hardly any of the training's time has passed.
        wanted = self.overhead.stretch(self.main.every, self.steps)
        return max(stretch(used, self._for_captures), wanted)

    @property
    def every(self) -> int:
        """Steps between the main captures as things stand."""
        return self.main.every * self.stretch

    @property
    def stretched_every(self) -> int | None:
        """:attr:`every` if it is longer than it was asked to be, else ``None``."""
        return self.every if self.stretch > 1 else None

    def is_due(self, step: int) -> bool:
        """Whether any capture is due at a step."""
        stretched = self.stretch
        if not any(schedule.is_due(step, stretched) for schedule in self._schedules):
            return False
        # Ranks that need each other decide by what they agreed on alone.
        return self._agreed_stretch is not None or self.overhead.allows_another()

    def account(self, loop_seconds: float, writer_seconds: float) -> None:
        """Account for the time of a capture, see :meth:`Overhead.add`."""
        self.overhead.add(loop_seconds, writer_seconds)

    def take_due(self, step: int) -> list[Schedule]:
        """Return the schedules that are due at a step, and mark them.

        They are marked before the capture can fail, so that a failed one is not repeated at once.
        """
        stretched = self.stretch
        if self._file and stretch(self._file.size, self._for_captures) > 1:
            self._health.report(
                "budget",
                "warning",
                f"A part of budget_mb={self.budget / 1e6:g} is used up: captures are now "
                f"{self.every} steps apart. The interval will double again as more is used.",
                step=step,
            )
        due = [schedule for schedule in self._schedules if schedule.is_due(step, stretched)]
        for schedule in due:
            schedule.mark(step)
        return due
