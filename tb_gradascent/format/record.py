"""The types of a record, the JSON half of a stored sample, and its checksum.

A record is a JSON object in UTF-8. It holds everything of a sample but the arrays. JSON has no NaN
and no infinities: a :data:`JsonNumber` writes them as strings.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, TypedDict

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


class _OptionalOfResponse(TypedDict, total=False):
    original_probabilities: list[JsonNumber]


class ResponseRecord(_OptionalOfResponse):
    """The answers of one network at the sample's strengths.

    ``original_probabilities`` is missing if it equals ``probabilities``. That is so if the target
    is the class that was predicted for the image itself.
    """

    probabilities: list[JsonNumber]
    predictions: list[int]


class JudgeRecord(ResponseRecord):
    """The answers of another network, with the judge's name."""

    name: str


class _OptionalOfMorph(TypedDict, total=False):
    survived: str
    judges: list[JudgeRecord]
    spread: list[JsonNumber]


class MorphRecord(ResponseRecord, _OptionalOfMorph):
    """The part of a record that describes one morph.

    ``name`` is the name of the ascent. ``survived`` has one character a check, ``"1"`` if the morph
    survived it and ``"0"`` if not. It is missing if there were no checks. ``judges`` is missing if
    there are none. ``spread`` is the lowest and the highest probability of the target among several
    answers about the finished morph. It is missing unless the network answers at random.
    ``largest_change`` and ``mean_change`` are ``None`` if they are unknown: version 1 did not
    record them.
    """

    name: str
    steps: int
    stopped: Stopped
    delta_norm: JsonNumber
    largest_change: JsonNumber | None
    mean_change: JsonNumber | None


class _OptionalOfTarget(TypedDict, total=False):
    direction: Literal[1, -1]


class TargetRecord(_OptionalOfTarget):
    """The part of a record that describes one target.

    ``direction`` is missing if it is 1. ``gradient_p99`` is ``None`` if it is unknown: version 1
    did not record it.
    """

    index: int
    gradient_norm: JsonNumber
    gradient_p99: JsonNumber | None
    morphs: list[MorphRecord]


Codec = Literal[
    "palette", "levels", "coarse_levels", "predicted_palette", "predicted_levels", "not_stored"
]
"""How an array is encoded. ``payload`` describes the codecs. Their order never changes."""


class PayloadInfo(TypedDict):
    """The length and the CRC-32C of the payload that belongs to a record."""

    bytes: int
    crc32c: int


class PayloadRecord(PayloadInfo):
    """The part of a record that describes its payload.

    ``codecs`` has one name for the image and one for each further array, in the order of the
    payload.
    """

    codecs: list[Codec]


class _Optional(TypedDict, total=False):
    dropped: int
    every: int
    bounds: list[list[JsonNumber]]
    loop_margin: JsonNumber
    spread: list[JsonNumber]


class Record(_Optional):
    """The JSON half of a sample, in the newest version.

    ``dropped`` counts the samples that the session has lost so far; it is missing if there are
    none. ``every`` is the number of steps between captures; it is missing unless ``budget_mb`` or
    ``max_overhead`` made captures rarer. ``bounds`` is ``[low, high]``, each with one value a
    channel; it is missing if the sample has no bounds of its own. ``loop_margin`` is missing if the
    sample was not chosen by logits of the loop. ``spread`` is the lowest and the highest
    probability of the first class among several answers about the image; it is missing unless the
    network answers at random. ``strengths`` belong to every morph of the sample.
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
    payload: PayloadRecord


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
