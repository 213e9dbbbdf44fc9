"""Notices about the training and about what is recorded, each logged once."""

from __future__ import annotations

import collections
import dataclasses
import logging
import re
import threading
from collections.abc import Callable
from typing import Final

from tb_gradascent.format.metadata import MAX_SHORT_NAME_LENGTH
from tb_gradascent.format.status import MAX_NOTICE_LENGTH, Notice, Severity

logger = logging.getLogger("tb_gradascent")

MOST_KINDS: Final = 8
"""At most this many different messages of one type of fault get a notice each."""

_LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.WARNING}


class HealthError(ValueError):
    """A notice says that what would be recorded is wrong, and the hook is ``strict``."""


class Health:
    """Collect notices. The first of each code is logged; later ones are counted.

    Args:
        strict: Raise the notices that are errors.
    """

    def __init__(self, *, strict: bool) -> None:
        self.on_change: Callable[[], object] = lambda: None
        """Called when a notice is new. The writer thread may call it."""
        self._strict = strict
        self._notices: dict[str, Notice] = {}
        self._kinds: collections.defaultdict[str, list[str]] = collections.defaultdict(list)
        self._lock = threading.Lock()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """All notices so far, the first found first."""
        with self._lock:
            return tuple(self._notices.values())

    def add(self, notice: Notice | None, step: int | None = None) -> None:
        """Report a notice that a check returned, see :meth:`report`."""
        if notice is not None:
            self.report(notice.code, notice.severity, notice.message, notice.remedy, step)

    def report(
        self, code: str, severity: Severity, message: str, remedy: str = "", step: int | None = None
    ) -> None:
        """Log a notice if it is the first of its code, and count it otherwise.

        Args:
            code, severity, message, remedy, step: See :class:`Notice`.

        Raises:
            HealthError: The notice is an error, and the hook is ``strict``.
        """
        self.note(code, severity, message, remedy, step)
        if severity == "error" and self._strict:
            raise HealthError(f"{message} {remedy}".strip())

    def note(
        self, code: str, severity: Severity, message: str, remedy: str = "", step: int | None = None
    ) -> None:
        """Do as :meth:`report`, but never raise: for the writer thread, and for faults."""
        code = code[:MAX_SHORT_NAME_LENGTH]
        with self._lock:
            known = self._notices.get(code)
            self._notices[code] = (
                dataclasses.replace(known, count=known.count + 1)
                if known
                else Notice(
                    code,
                    severity,
                    message[:MAX_NOTICE_LENGTH],
                    remedy[:MAX_NOTICE_LENGTH],
                    step,
                )
            )
        if not known:
            logger.log(_LEVELS[severity], "%s", f"{message} {remedy}".strip())
            self.on_change()

    def note_fault(
        self, subject: str, what: str, error: Exception, remedy: str = "", step: int | None = None
    ) -> None:
        """Note a fault. Its code consists of the subject and the type of the error.

        Two faults of one type are different kinds if their messages differ in more than numbers,
        before ", got". Each kind has a code of its own.

        Args:
            subject: What failed, in one word: ``"capture"``.
            what: What failed, as the message names it: ``"A capture failed"``.
            error: The fault.
            remedy, step: See :class:`Notice`.
        """
        name = type(error).__name__
        code = f"{subject}-failed-{name}"[: MAX_SHORT_NAME_LENGTH - 3]
        text = str(error)
        with self._lock:
            kinds = self._kinds[code]
            kind = re.sub(r"\d+", "0", text.partition("\n")[0].partition(", got")[0])
            if kind not in kinds and len(kinds) < MOST_KINDS:
                kinds.append(kind)
            number = kinds.index(kind) + 1 if kind in kinds else MOST_KINDS
        message = f"{what}: {name}: {text}".rstrip(". \n") + "."
        self.note(f"{code}-{number}" if number > 1 else code, "error", message, remedy, step)
