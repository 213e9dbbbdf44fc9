"""Records as rows of bytes. ``http_api.md`` documents the layout of a row.

The page reads single values from a row and parses nothing. A hundred thousand records are 120 MB of
JSON, and a browser needs seconds to parse them.
"""

from __future__ import annotations

import bisect
import itertools
import json
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, get_args

from tb_gradascent.format.record import Codec, JsonNumber, PayloadInfo, Record, ResponseRecord
from tb_gradascent.format.record_parser import parse_records
from tb_gradascent.format.samples import Stopped

ALIGNMENT: Final = 8
"""Each row starts at a multiple of this, because a row holds float64."""
PROBE, HAS_ID, HAS_LABEL, HAS_LOSS, HAS_BOUNDS, HAS_SPREAD = 1, 2, 4, 8, 16, 32

_HEAD: Final = struct.Struct("<2Iq8d2I2H9I")
_STOPPED: Final = {name: code for code, name in enumerate(get_args(Stopped))}
_CODECS: Final = {name: code for code, name in enumerate(get_args(Codec))}
_RANGE: Final = struct.Struct("<4I")
_RUN: Final = struct.Struct("<2I")
_INDEX: Final = struct.Struct("<I")
_INDEX_AT: Final = 4
_STEP: Final = struct.Struct("<d")
_STEP_AT: Final = 24
_PAYLOAD: Final = struct.Struct("<2I")
_PAYLOAD_AT: Final = 80


class CaptureRows(NamedTuple):
    """The rows of one capture.

    Attributes:
        rows: The rows of all readable records, one after the other.
        starts: The offset of each row.
        unreadable: How many records could not be read.
    """

    rows: bytes
    starts: Sequence[int]
    unreadable: int


def encode_row(record: Record, *, capture: int, index: int, wall_time: float) -> bytes:
    """Return the row of one sample.

    Args:
        record: The record, as ``parse_record`` returned it.
        capture: The capture's number.
        index: The sample's index in the capture.
        wall_time: The capture's wall time, seconds since the epoch.
    """
    classes, strengths, targets = record["classes"], record["strengths"], record["targets"]
    name, label, loss = record["id"], record["label"], record["loss"]
    bounds = record.get("bounds")
    numbers: list[JsonNumber] = [*record["probabilities"], *strengths]
    if bounds is not None:
        numbers += itertools.chain(*bounds)
    integers: list[int] = [*classes]
    names: dict[str, int] = {}
    spreads: list[list[JsonNumber] | None] = []
    for target in targets:
        morphs = target["morphs"]
        numbers += (target["gradient_norm"], _or_nan(target["gradient_p99"]))
        integers += (target["index"], target.get("direction", 1) == 1, len(morphs))
        for morph in morphs:
            survived, judges = morph.get("survived", ""), morph.get("judges", ())
            spreads.append(morph.get("spread"))
            numbers.append(morph["delta_norm"])
            numbers += (_or_nan(morph["largest_change"]), _or_nan(morph["mean_change"]))
            numbers += _answers([morph, *judges])
            integers += (names.setdefault(morph["name"], len(names)), morph["steps"])
            integers += (_STOPPED[morph["stopped"]], len(survived))
            integers += (int(survived[::-1] or "0", 2), len(judges))
            integers += morph["predictions"]
            for judge in judges:
                integers.append(names.setdefault(judge["name"], len(names)))
                integers += judge["predictions"]
    has_spread = any(spreads)
    if has_spread:
        numbers += itertools.chain(*(spread or ("NaN", "NaN") for spread in spreads))
    body = _body(len(numbers), len(integers))
    id_text = b"" if name is None else name.encode("utf-8", "replace")
    names_text = "\n".join(names).encode()
    tail = id_text + names_text + bytes(_CODECS[codec] for codec in record["payload"]["codecs"])
    length = -(-(_HEAD.size + body.size + len(tail)) // ALIGNMENT) * ALIGNMENT
    flags = (
        record["probe"] * PROBE
        | (bounds is not None) * HAS_BOUNDS
        | has_spread * HAS_SPREAD
        | (name is not None) * HAS_ID
        | (label is not None) * HAS_LABEL
        | (loss is not None) * HAS_LOSS
    )
    shape = record["shape"]
    head = _HEAD.pack(
        length,
        index,
        capture,
        wall_time,
        record["step"],
        0 if label is None else label,
        float(record["margin"]),
        float(record["entropy"]),
        0.0 if loss is None else float(loss),
        record.get("dropped", 0),
        record.get("every", 0),
        record["payload"]["bytes"],
        record["payload"]["crc32c"],
        record["version"],
        flags,
        *(shape if len(shape) == 3 else (*shape, 0)),
        len(classes),
        len(strengths),
        len(targets),
        len(id_text),
        len(names_text),
        len(numbers),
    )
    rest = body.pack(*map(float, numbers), *integers)
    return (head + rest + tail).ljust(length, b"\0")


def _or_nan(value: JsonNumber | None) -> JsonNumber:
    return "NaN" if value is None else value


def _answers(responses: Iterable[ResponseRecord]) -> Iterator[JsonNumber]:
    """Yield the probabilities of the network and of each judge."""
    for response in responses:
        yield from response["probabilities"]
        yield from response.get("original_probabilities", response["probabilities"])


def encode_capture(number: int, wall_time: float, values: Sequence[object]) -> CaptureRows:
    """Return the rows of one capture.

    Args:
        number: The capture's number: the event's step.
        wall_time: The event's wall time, seconds since the epoch.
        values: The elements of the index tensor. Every value that is no record counts as
            unreadable. If no address can hold the number, all values do.
    """
    rows: list[bytes] = []
    starts = array("Q")
    end = 0
    for index, _, record in parse_records(number, values):
        row = encode_row(record, capture=number, index=index, wall_time=wall_time)
        rows.append(row)
        starts.append(end)
        end += len(row)
    return CaptureRows(b"".join(rows), starts, len(values) - len(rows))


def least_step(capture: CaptureRows) -> float | None:
    """Return the least training step in a capture; ``None`` if no record could be read."""
    steps = (_STEP.unpack_from(capture.rows, start + _STEP_AT)[0] for start in capture.starts)
    return min(steps, default=None)


def find_payload_info(capture: CaptureRows, index: int) -> PayloadInfo | None:
    """Return the length and checksum of the payload of the sample with this index.

    The result is ``None`` if there is no such sample or its record could not be read.
    """
    row = find_row(capture, index)
    if row is None:
        return None
    size, checksum = _PAYLOAD.unpack_from(row, _PAYLOAD_AT)
    return {"bytes": size, "crc32c": checksum}


def find_row(capture: CaptureRows, index: int) -> memoryview | None:
    """Return the row of the sample with this index, or ``None`` if there is no such sample."""

    def index_at(start: int) -> int:
        value: int = _INDEX.unpack_from(capture.rows, start + _INDEX_AT)[0]
        return value

    position = bisect.bisect_left(capture.starts, index, key=index_at)
    if position == len(capture.starts) or index_at(capture.starts[position]) != index:
        return None
    ends = [*capture.starts[position + 1 : position + 2], len(capture.rows)]
    return memoryview(capture.rows)[capture.starts[position] : ends[0]]


def pack_run(index: Mapping[str, Any], rows: Sequence[bytes]) -> list[bytes]:
    """Return the answer of the route ``newest`` for one run.

    Args:
        index: The answer of the route ``index``, with the ranges as ``parts``; or an ``error``.
        rows: The answer of the route ``records`` to these ranges.
    """
    text = json.dumps(index, allow_nan=False).encode()
    return [_RUN.pack(len(text), sum(map(len, rows))), text, *rows]


def pack_ranges(first: int, end: int, unreadable: int, rows: Sequence[bytes]) -> list[bytes]:
    """Return the answer of the route ``records`` for one range of captures."""
    return [_RANGE.pack(first, end, unreadable, sum(map(len, rows))), *rows]


@lru_cache(maxsize=256)
def _body(numbers: int, integers: int) -> struct.Struct:
    return struct.Struct(f"<{numbers}d{integers}I")
