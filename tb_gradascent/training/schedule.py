"""When a capture is due, and how a budget stretches the time between captures."""

from __future__ import annotations

import math

#: The interval doubles each time another of so many parts of the budget is used up.
PARTS = 8


class Schedule:
    """Due at the first step, and at each that has passed another multiple of the interval.

    Args:
        every: The interval in steps, at least 1.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._last: int | None = None

    def is_due(self, step: int, stretch: int = 1) -> bool:
        """Whether a capture is due at a step, the interval being ``every * stretch``.

        A step that goes backwards is due: the loop was set back to a checkpoint.
        """
        last, interval = self._last, self.every * stretch
        return last is None or step < last or step // interval != last // interval

    def mark(self, step: int) -> None:
        """Says that there was a capture at a step."""
        self._last = step


def stretch(used: int, budget: int) -> int:
    """By how much the interval is longer once so many bytes of a budget are used: a power of two.

    Each of the first parts doubles it; within the last part, each half of what remains does. So
    captures go on to the end of any training: with gaps at most ``PARTS`` times as wide as if they
    were spread evenly, where it would spend the budget up to 16 times, and wider ones beyond.
    """
    if used >= budget:
        return 1 << 62
    part = PARTS * used // budget
    if part < PARTS - 1:
        return 1 << part
    halvings = int(math.log2(budget / (PARTS * (budget - used))))
    return 1 << (PARTS - 1 + halvings)
