"""What happens to a fault during training: it is logged once a kind and counted, or raised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tb_gradascent.training.health import Health

#: Captures that may fail in a row before the hook switches itself off.
PATIENCE = 10


class FaultPolicy:
    """Keep faults of the hook away from the training.

    Args:
        strict: Raise each fault instead of logging it.
        health: Logs the first fault of each kind, and keeps it for the tab.

    Attributes:
        failed: Captures and scans that failed.
        gave_up: Whether so many captures failed in a row that the hook switched itself off.
    """

    def __init__(self, *, strict: bool, health: Health) -> None:
        self.failed = 0
        self.gave_up = False
        self._strict = strict
        self._health = health
        self._failed_in_a_row = 0
        self._raised_write_failure = False

    @contextlib.contextmanager
    def contain(self, what: str) -> Iterator[None]:
        """Run a block so that no fault of it reaches the training, unless ``strict``.

        Args:
            what: What the block does, as the log names it: ``"A capture"``.
        """
        try:
            yield
        except Exception as error:
            self.handle(error, what)
        else:
            if not self.gave_up:
                self._failed_in_a_row = 0

    def handle(self, error: Exception, what: str) -> None:
        """Count a fault, and log it if it is the first of its kind.

        Raises:
            Exception: ``error``, if ``strict``.
        """
        self.failed += 1
        self._failed_in_a_row += 1
        if self._strict:
            raise error
        kind = type(error).__name__
        self._health.report(
            f"{what.rpartition(' ')[2]}-failed-{kind}",
            "error",
            f"{what} failed: {kind}: {error}.",
            "Training is not affected. Further failures of this kind are counted in hook.stats and "
            "not logged; strict=True raises them.",
        )
        if self._failed_in_a_row == PATIENCE:
            self.gave_up = True
            self._health.report(
                "switched-off",
                "error",
                f"{PATIENCE} captures in a row failed: the hook is now off.",
            )

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
