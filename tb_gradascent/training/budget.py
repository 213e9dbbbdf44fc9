"""How a number of bytes lasts for a training of unknown length."""

from __future__ import annotations

import math
from typing import Protocol

from tb_gradascent.format.status import MAX_STATUS_BYTES

#: The largest gap between two captures, as a part of the steps so far. Captures hold fewer samples
#: before gaps become longer.
LARGEST_GAP = 0.0125

#: This part of the remaining budget may be spent until the training is e times as long.
SPENT_EACH_E_FOLD = 0.25

#: An interval that no training reaches.
NEVER = 1 << 62


def status_reserve(total: int) -> int:
    """Return how many bytes of a budget are kept for the session's notices and its end."""
    return min(total // 16, MAX_STATUS_BYTES)


class SampleFile(Protocol):
    """What uses up the budget."""

    @property
    def size(self) -> int:
        """Bytes written so far."""
        ...

    @property
    def written(self) -> int:
        """Samples written so far."""
        ...


class Budget:
    """Say how rare captures must be, and how many samples they may hold.

    Captures are as frequent and as large as the user asked while the budget allows it. Later the
    gap between two captures grows with the training: it is a part of the steps so far. Each time
    the training becomes e times as long, a quarter of the remaining budget is spent. So captures
    cover the whole of a training of any length, and the budget never ends. If the gap would be
    longer than ``LARGEST_GAP`` of the steps so far, captures hold fewer samples, and at least one.

    Args:
        total: Bytes that may be written.

    Attributes:
        total: As given.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._file: SampleFile | None = None

    def watch(self, file: SampleFile) -> None:
        """Take what is used from a file."""
        self._file = file

    def samples_at_once(self, wanted: int) -> int:
        """Return how many samples a capture may hold, from 1 to ``wanted``."""
        if self._file is None or not self._file.written:
            return wanted
        within = LARGEST_GAP * SPENT_EACH_E_FOLD * self._left / self._bytes_a_sample
        return max(1, min(wanted, int(within)))

    def stretch(self, every: int, steps: int, samples: int) -> int:
        """Return by how much captures have to be rarer than each ``every`` steps.

        Args:
            every: The interval that the user asked for.
            steps: Steps of the training so far.
            samples: Samples that a capture holds.
        """
        if self._file is None or not self._file.written:
            return 1
        cost = samples * self._bytes_a_sample
        if cost > self._left:
            return NEVER
        return max(1, math.floor(cost * steps / (SPENT_EACH_E_FOLD * self._left * every)))

    @property
    def _left(self) -> int:
        return self.total - status_reserve(self.total) - (self._file.size if self._file else 0)

    @property
    def _bytes_a_sample(self) -> float:
        return self._file.size / self._file.written if self._file else 0.0
