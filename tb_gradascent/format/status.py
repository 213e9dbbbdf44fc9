"""What a session tells about itself, also when it captured nothing: its status and its notices.

The status series of a session, ``<tag>/status/<session>``, begins when the hook is made. It has an
event for the hook's end and for changes in between. Each event holds the whole status as JSON, and
the last one counts.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal, get_args

from tb_gradascent.format.metadata import MAX_STEP, is_short_name

MAX_STATUS_BYTES = 1 << 16
MAX_NOTICES = 64
MAX_NOTICE_LENGTH = 1000
"""The most characters of a notice's message, and of its remedy."""

Severity = Literal["info", "warning", "error"]


@dataclasses.dataclass(frozen=True)
class Notice:
    """Something that the user should know about the training or about what is recorded.

    Attributes:
        code: A short name of the situation, the same in every session: ``"softmax-output"``.
        severity: ``"error"`` if a record would be wrong or is missing, ``"warning"`` if it
            may mislead, ``"info"`` if the user may want to know it.
        message: What was found, in one or two sentences.
        remedy: What to do about it; empty if there is nothing to do.
        step: The training step at which it was found first; ``None`` before the first step.
        count: How often it was found.
    """

    code: str
    severity: Severity
    message: str
    remedy: str = ""
    step: int | None = None
    count: int = 1


@dataclasses.dataclass(frozen=True)
class Status:
    """What is known of a session at one moment.

    Attributes:
        notices: What was found so far, the first found first.
        steps: Steps of the training that the hook has seen.
        captured: Samples captured.
        dropped: Captured samples that could not be written.
        failed: Captures, scans and batches of evaluations that failed.
        overhead: Seconds that captures took.
        elapsed: Seconds of the training so far, without those of the captures.
        unlimited: Whether captures may take any share of the training's time.
        every: Steps between captures as things stand.
        least_margin: The smallest difference between the two largest probabilities that the hook
            has seen in the batches of due steps; ``None`` if it has seen none.
        ended: Whether the hook was closed.
    """

    notices: tuple[Notice, ...] = ()
    steps: int = 0
    captured: int = 0
    dropped: int = 0
    failed: int = 0
    overhead: float = 0.0
    elapsed: float = 0.0
    unlimited: bool = False
    every: int | None = None
    least_margin: float | None = None
    ended: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that is stored and that the viewer's page gets."""
        return dataclasses.asdict(self)

    def encode(self) -> bytes:
        """Return the JSON object as bytes, at most ``MAX_STATUS_BYTES`` of them.

        If there are too many notices, the last ones are left out.
        """
        notices = self.notices[:MAX_NOTICES]
        while True:
            status = dataclasses.replace(self, notices=notices)
            data = json.dumps(status.to_json(), separators=(",", ":"), allow_nan=False).encode()
            if len(data) <= MAX_STATUS_BYTES:
                return data
            notices = notices[:-1]

    def why_no_samples(self) -> str:
        """Return why the session has no samples, in one or two sentences, as the page says it."""
        seen = "1 step seen" if self.steps == 1 else f"{self.steps:,} steps seen"
        if self.captured:
            return (
                f"its {self.captured:,} captured samples are under another tag, or were lost in "
                "writing."
            )
        if self.failed:
            return self._with_notice("every capture failed so far.", "error")
        if self.least_margin is not None:
            so_far = "" if self.ended else " so far"
            return f"nothing was confused{so_far}: smallest margin {self.least_margin:.2f}, {seen}."
        if self.ended:
            return f"the hook was closed and captured nothing, {seen}."
        return f"the hook is running, or was not closed: no capture yet, {seen}."

    def _with_notice(self, words: str, severity: Severity) -> str:
        """Add the first notice of a severity, with its remedy."""
        for notice in self.notices:
            if notice.severity == severity:
                return f"{words} {notice.message} {notice.remedy}".strip()
        return words

    @classmethod
    def decode(cls, data: object) -> Status:
        """Invert :meth:`encode`. A missing or malformed field gets its default. It never raises."""
        try:
            readable = isinstance(data, bytes) and len(data) <= MAX_STATUS_BYTES
            fields = json.loads(data) if readable else {}  # type: ignore[arg-type]  # bytes
        except (ValueError, RecursionError):
            fields = {}
        if not isinstance(fields, dict):
            fields = {}
        notices = fields.get("notices")
        listed = notices[:MAX_NOTICES] if isinstance(notices, list) else []
        return cls(
            notices=tuple(filter(None, map(_decode_notice, listed))),
            steps=_count(fields.get("steps")),
            captured=_count(fields.get("captured")),
            dropped=_count(fields.get("dropped")),
            failed=_count(fields.get("failed")),
            overhead=_seconds(fields.get("overhead")),
            elapsed=_seconds(fields.get("elapsed")),
            unlimited=fields.get("unlimited") is True,
            every=_count(fields.get("every")) or None,
            least_margin=_probability(fields.get("least_margin")),
            ended=fields.get("ended") is True,
        )


def _decode_notice(fields: object) -> Notice | None:
    if not isinstance(fields, dict):
        return None
    code, severity, message = (fields.get(name) for name in ("code", "severity", "message"))
    if not is_short_name(code) or severity not in get_args(Severity):
        return None
    if not isinstance(message, str) or not message:
        return None
    remedy, step = fields.get("remedy"), fields.get("step")
    return Notice(
        code=code,
        severity=severity,  # type: ignore[arg-type]  # one of them: checked just above
        message=message[:MAX_NOTICE_LENGTH],
        remedy=remedy[:MAX_NOTICE_LENGTH] if isinstance(remedy, str) else "",
        step=step if type(step) is int and abs(step) < MAX_STEP else None,
        count=max(_count(fields.get("count")), 1),
    )


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < MAX_STEP else 0


def _seconds(value: object) -> float:
    return float(value) if type(value) in (int, float) and 0 <= value < 1e12 else 0.0  # type: ignore[operator, arg-type]  # a number


def _probability(value: object) -> float | None:
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else None  # type: ignore[operator, arg-type]  # a number
