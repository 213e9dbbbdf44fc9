"""How a request names samples and captures."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from tb_gradascent.plugin.errors import RequestError

_ADDRESS: Final = re.compile(r"([0-9A-Za-z-]{1,64})\.(-?[0-9]{1,18})\.([0-9]{1,9})")
_RANGE: Final = re.compile(r"([0-9A-Za-z-]{1,64})\.([0-9]{1,10})\.([0-9]{1,10})")


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """The address of one sample.

    Attributes:
        session: The session's name.
        capture: The capture's number.
        index: The sample's index in the capture.
    """

    session: str
    capture: int
    index: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse ``<session>.<capture>.<index>``.

        Raises:
            RequestError: The text has another form.
        """
        rule = "sample must be <session>.<capture>.<index>, as the index lists them"
        return cls(*_split(text, _ADDRESS, rule))


@dataclasses.dataclass(frozen=True, slots=True)
class CaptureRange:
    """Captures of one session with consecutive numbers.

    Attributes:
        session: The session's name.
        first: The number of the first capture.
        end: The number after the last capture.
    """

    session: str
    first: int
    end: int

    @classmethod
    def parse(cls, text: str) -> CaptureRange:
        """Parse ``<session>.<first>.<end>``.

        Raises:
            RequestError: The text has another form.
        """
        return cls(*_split(text, _RANGE, "part must be <session>.<first>.<end>"))

    def __str__(self) -> str:
        return f"{self.session}.{self.first}.{self.end}"


def _split(text: str, pattern: re.Pattern[str], rule: str) -> tuple[str, int, int]:
    """Split into a session's name and two integers."""
    match = pattern.fullmatch(text)
    if match is None:
        raise RequestError(f"{rule}, got {text[:80]!r}")
    return match[1], int(match[2]), int(match[3])
