"""What became of the captures so far."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Stats:
    """What became of everything so far.

    Attributes:
        captured: Samples captured.
        written: Captured samples that are in the event file.
        dropped: Captured samples that could not be written. The remaining ones are queued.
        failed: Captures, scans and batches of evaluations that failed.
        waited: Seconds that the loop waited because writing did not keep up.
        bytes: The event file's size.
        every: Steps between captures at the moment. It grows as the budget fills up, and if
            captures take too much time.
        overhead: Seconds that captures took so far, in the loop and on the writing thread.
    """

    captured: int
    written: int
    dropped: int
    failed: int
    waited: float
    bytes: int
    every: int
    overhead: float
