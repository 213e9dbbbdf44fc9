"""How a request says which samples and captures it is about."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from tb_gradascent.plugin.errors import RequestError

_ADDRESS: Final = re.compile(r"([0-9A-Za-z-]{1,64})\.(-?[0-9]{1,18})\.([0-9]{1,9})")
_PART: Final = re.compile(r"([0-9A-Za-z-]{1,64})\.([0-9]{1,9})\.([0-9]{1,9})")


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where one sample is: its session's name, its capture's number, its place in the capture."""

    session: str
    capture: int
    index: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """From ``<session>.<capture>.<index>``.

        Raises:
            RequestError: It is something else.
        """
        rule = "sample must be <session>.<capture>.<index>, as the index lists them,"
        return cls(*_split(text, _ADDRESS, rule))


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Captures of one session, by their places in the order in which they came.

    Attributes:
        session: The session's name.
        first: The first capture's place.
        end: The place after the last one's.
    """

    session: str
    first: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """From ``<session>.<first>.<end>``.

        Raises:
            RequestError: It is something else.
        """
        return cls(*_split(text, _PART, "part must be <session>.<first>.<end>,"))


def _split(text: str, pattern: re.Pattern[str], rule: str) -> tuple[str, int, int]:
    """A session's name and two numbers."""
    match = pattern.fullmatch(text)
    if match is None:
        raise RequestError(f"{rule} and is {text[:80]!r}")
    return match[1], int(match[2]), int(match[3])
