"""The types of a record, the JSON half of a stored sample, and its checksum.

A record is a JSON object in UTF-8. It holds everything of a sample but the arrays. JSON has no NaN
and no infinities: a :data:`JsonNumber` writes them as strings.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias, TypedDict

import google_crc32c

from tb_gradascent.format.samples import Stopped

JsonNumber: TypeAlias = float | str
"""A number, or one of ``NOT_FINITE``."""

NOT_FINITE: Final = ("NaN", "Infinity", "-Infinity")
"""Python's ``float`` and JavaScript's ``Number`` both read these strings."""
LARGEST_INTERVAL: Final = 2**53 - 1
"""The largest number of steps between captures: JavaScript represents no larger integer exactly."""

_SEALED: Final = re.compile(rb'(.*),"checksum":([0-9]{1,10})\}', re.DOTALL)


class RecordError(ValueError):
    """A record or a payload cannot be read by this version; the message says why."""


class _OptionalOfTarget(TypedDict, total=False):
    original_probabilities: list[JsonNumber]


class TargetRecord(_OptionalOfTarget):
    """The part of a record that describes one target.

    ``original_probabilities`` is missing if it equals ``probabilities``. That is so if the target
    is the predicted class. ``delta_norm`` is ``None`` if the payload holds no delta.
    """

    index: int
    probabilities: list[JsonNumber]
    predictions: list[int]
    steps: int
    stopped: Stopped
    gradient_norm: JsonNumber
    delta_norm: JsonNumber | None


class PayloadInfo(TypedDict):
    """The length and the CRC-32C of the payload that belongs to a record."""

    bytes: int
    crc32c: int


class _Optional(TypedDict, total=False):
    dropped: int
    every: int


class Record(_Optional):
    """The JSON half of a sample.

    ``dropped`` counts the samples that the session has lost so far; it is missing if there are
    none. ``every`` is the number of steps between captures; it is missing unless the budget has
    stretched them.
    """

    version: int
    step: int
    probe: bool
    id: str | None
    label: int | None
    shape: list[int]
    classes: list[int]
    probabilities: list[JsonNumber]
    margin: JsonNumber
    entropy: JsonNumber
    loss: JsonNumber | None
    strengths: list[JsonNumber]
    targets: list[TargetRecord]
    payload: PayloadInfo


def seal(record: bytes) -> bytes:
    """Append a last field to a record's JSON: the CRC-32C of everything before that field."""
    content = record[:-1]
    return b'%b,"checksum":%d}' % (content, google_crc32c.value(content))


def check_seal(record: bytes) -> None:
    """Check a record's checksum. A record without one passes.

    Raises:
        RecordError: The checksum does not match.
    """
    sealed = _SEALED.fullmatch(record)
    if sealed and google_crc32c.value(sealed[1]) != int(sealed[2]):
        raise RecordError("the record was damaged: its checksum does not match")
