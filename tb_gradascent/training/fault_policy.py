"""What happens to a fault during training: it is logged once a kind and counted, or raised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from tb_gradascent.training.health import Health

PATIENCE: Final = 10
"""Captures that may fail in a row before the next ones are tried less often."""

_LONGEST_REST: Final = 40
"""The longest rest is 2 to this power of intervals."""


class FaultPolicy:
    """Keep faults of the hook away from the training.

    After ``PATIENCE`` failures in a row a capture is tried at 2, then 4, 8, … times the interval,
    until one succeeds.

    Args:
        strict: Raise each fault instead of logging it.
        health: Logs the first fault of each kind, and keeps it for the tab.

    Attributes:
        failed: Captures, scans and batches of evaluations that failed.
        resting: Whether the present capture is passed over.
    """

    def __init__(self, *, strict: bool, health: Health) -> None:
        self.failed = 0
        self.resting = False
        self._strict = strict
        self._health = health
        self._failed_in_a_row = 0
        self._to_pass_over = 0
        self._raised_write_failure = False

    def take_rest(self) -> bool:
        """Whether to pass over a due capture, because many before it failed in a row."""
        self.resting = self._to_pass_over > 0
        self._to_pass_over -= self.resting
        return self.resting

    @contextlib.contextmanager
    def contain(self, what: str, step: int, *, counts: bool = True) -> Iterator[None]:
        """Run a block so that no fault of it reaches the training, unless ``strict``.

        Args:
            what: What the block does, as the log names it: ``"A capture"``.
            step: The training step.
            counts: Whether a fault counts as one of several in a row.
        """
        try:
            yield
        except Exception as error:
            self.handle(error, what, step)
            if counts:
                self._note_failure(step)
        else:
            if counts and not self.resting:
                self._note_success(step)

    def handle(self, error: Exception, what: str, step: int | None = None) -> None:
        """Count a fault, and log it if it is the first of its kind.

        Raises:
            Exception: ``error``, if ``strict``.
        """
        self.failed += 1
        if self._strict:
            raise error
        self._health.note_fault(
            what.rpartition(" ")[2],
            f"{what} failed",
            error,
            "Training is not affected. Further failures of this kind are counted in hook.stats and "
            "not logged; strict=True raises them.",
            step,
        )

    def _note_failure(self, step: int) -> None:
        self._failed_in_a_row += 1
        beyond = self._failed_in_a_row - PATIENCE
        if beyond < 0:
            return
        self._to_pass_over = (2 << min(beyond, _LONGEST_REST)) - 1
        self._health.note(
            "captures-fail",
            "error",
            f"{PATIENCE} captures in a row failed. From here on a capture is tried at 2, 4, 8, … "
            "times the interval, until one succeeds.",
            "Mend the cause, which the first fault names.",
            step,
        )

    def _note_success(self, step: int) -> None:
        if self._failed_in_a_row >= PATIENCE:
            self._health.note(
                "captures-succeed-again",
                "info",
                f"A capture succeeded again after {self._failed_in_a_row} failures in a row.",
                step=step,
            )
        self._failed_in_a_row = self._to_pass_over = 0

    def raise_write_failure(self, failure: Exception | None, *, again: bool = True) -> None:
        """Raise what the writing thread met, if ``strict``.

        Args:
            failure: The first fault of the writing thread, if there was one.
            again: Whether to raise it also if it was raised before.

        Raises:
            Exception: ``failure``.
        """
        if self._strict and failure and (again or not self._raised_write_failure):
            self._raised_write_failure = True
            raise failure
