"""How long things take, by turns: what slows the machine slows all that is compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from tqdm.auto import trange

Work = Callable[[], object]


class Spread(NamedTuple):
    """A median between its quartiles."""

    low: float
    middle: float
    high: float

    def text(self, form: str = "{:.3g}") -> str:
        """Such as "1.02 (0.97 to 1.05)"."""
        low, middle, high = map(form.format, self)
        return f"{middle} ({low} to {high})"


def spread(values: Sequence[float]) -> Spread:
    """The quartiles of values. A single value is allowed."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


def seconds(work: Work, clock: Callable[[], float] = time.perf_counter) -> float:
    """The seconds that it takes, and on a GPU those of its queued work.

    Args:
        work: Is done once.
        clock: ``time.thread_time`` counts the processor time of this thread alone, so that other
            processes hardly change what is measured.
    """
    synchronize()
    start = clock()
    work()
    synchronize()
    return clock() - start


def synchronize() -> None:
    """Waits for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def by_turns(
    works: Mapping[str, Work],
    rounds: int,
    *,
    what: str,
    before: Callable[[str], object] | None = None,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds that each of several works took in each round, A B C, A B C.

    Args:
        works: In the order of their turns.
        rounds: That count.
        what: For the progress bar.
        before: Called before each turn with its name; does not count.
        warm_up: Rounds before, that do not count.
        clock: See :func:`seconds`.
    """
    took: dict[str, list[float]] = {name: [] for name in works}
    for turn in trange(-warm_up, rounds, desc=what, leave=False, disable=None):
        for name, work in works.items():
            if before:
                before(name)
            passed = seconds(work, clock)
            if turn >= 0:
                took[name].append(passed)
    return took


def ratio(dividends: Sequence[float], divisors: Sequence[float]) -> Spread:
    """The spread of the ratios of what was measured in the same rounds."""
    return spread([a / b for a, b in zip(dividends, divisors, strict=True)])
