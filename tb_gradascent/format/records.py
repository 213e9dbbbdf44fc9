"""A sample as bytes: the one format that the writer and every reader share.

A sample is stored in two halves. Its *record*, JSON in UTF-8, says everything but the arrays and is
small enough that a viewer can hold all of them; its last field is its own checksum, since
TensorBoard's fast loader checks none. Its *payload* holds the arrays, a zlib stream of

1. the image (or signal), exact, see ``palette``;
2. for each further array, in the order gradient and delta of each target: its quantum, a
   little-endian float32;
3. for each of them, in the same order: its levels (see ``quantization``), folded to uint16 so that
   small magnitudes are small numbers (0, -1, 1, -2, … become 0, 1, 2, 3, …), little-endian, all low
   bytes and then all high bytes. Both together save an eighth of a gradient's bytes and a fifth of
   a delta's.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import zlib
from collections.abc import Sequence
from typing import Any, Final, NoReturn, TypedDict, get_args

import google_crc32c
import numpy as np
import numpy.typing as npt

from tb_gradascent.format import image_codec, metadata
from tb_gradascent.format.quantization import DELTA_LEVELS, GRADIENT_LEVELS, dequantize, quantize
from tb_gradascent.format.samples import Array, Sample, Stopped, Target

_SEALED: Final = re.compile(rb'(.*),"checksum":([0-9]{1,10})\}', re.DOTALL)
#: An interval beyond it is none any more; pages hold whole numbers up to here.
_LARGEST_INTERVAL: Final = 2**53 - 1


class RecordError(ValueError):
    """A record or payload that this version cannot read; the message says why in a sentence."""


class _OptionalOfTarget(TypedDict, total=False):
    original_probabilities: list[float | str]


class TargetRecord(_OptionalOfTarget):
    """A target's part of a record. Numbers that JSON lacks are the strings of ``_number``.

    ``original_probabilities`` is missing where it would repeat ``probabilities``: where the target
    is the predicted class.
    """

    index: int
    probabilities: list[float | str]
    predictions: list[int]
    steps: int
    stopped: str
    gradient_norm: float | str
    delta_norm: float | str | None


class PayloadInfo(TypedDict):
    """How to recognise the payload that belongs to a record."""

    bytes: int
    crc32c: int


class _Optional(TypedDict, total=False):
    dropped: int
    every: int


class Record(_Optional):
    """The JSON half of a sample.

    ``dropped`` is missing where nothing was, and ``every``, the steps between captures as they
    stood, where the budget had not stretched them.
    """

    version: int
    step: int
    probe: bool
    id: str | None
    label: int | None
    shape: list[int]
    classes: list[int]
    probabilities: list[float | str]
    margin: float | str
    entropy: float | str
    loss: float | str | None
    strengths: list[float | str]
    targets: list[TargetRecord]
    payload: PayloadInfo


def encode(sample: Sample, *, dropped: int = 0, every: int | None = None) -> tuple[bytes, bytes]:
    """``(record, payload)``, the sample as it is stored.

    ``dropped`` says how many samples its session has lost so far, ``every`` how many steps lie
    between its captures where its budget has stretched them.

    Its run, tag, wall time, place, mean, std and class names are not part of either: they belong
    to the event and to the session.

    Raises:
        ValueError: The sample breaks a limit of the format or contradicts itself.
    """
    arrays = [
        (array, levels)
        for target in sample.targets
        for array, levels in ((target.gradient, GRADIENT_LEVELS), (target.delta, DELTA_LEVELS))
        if array is not None
    ]
    if any(array.shape != sample.image.shape for array, _ in arrays):
        raise ValueError("gradients and deltas must have the image's shape")
    payload = _pack(sample.image, [quantize(array, levels) for array, levels in arrays])
    strengths = sample.targets[0].strengths if sample.targets else np.zeros(0, np.float32)
    if not all(np.array_equal(target.strengths, strengths) for target in sample.targets):
        raise ValueError("the targets of one sample must share their strengths")
    record: Record = {
        "version": metadata.RECORD_VERSION,
        "step": int(sample.step),
        "probe": sample.probe,
        "id": sample.id,
        "label": sample.label,
        "shape": list(sample.image.shape),
        "classes": sample.classes.tolist(),
        "probabilities": _numbers(sample.probabilities),
        "margin": _number(sample.margin),
        "entropy": _number(sample.entropy),
        "loss": None if sample.loss is None else _number(sample.loss),
        "strengths": _numbers(strengths),
        "targets": [_target_record(target) for target in sample.targets],
        "payload": {"bytes": len(payload), "crc32c": google_crc32c.value(payload)},
    }
    if dropped:
        record["dropped"] = dropped
    if every is not None:
        record["every"] = min(every, _LARGEST_INTERVAL)
    data = seal(json.dumps(record, separators=(",", ":"), allow_nan=False).encode())
    try:
        parse_record(data)
    except RecordError as error:
        raise ValueError(f"the sample cannot be stored: {error}") from None
    return data, payload


def seal(record: bytes) -> bytes:
    """A record's JSON with the CRC-32C of all that stands before it as the last field."""
    content = record[:-1]
    return b'%b,"checksum":%d}' % (content, google_crc32c.value(content))


def _target_record(target: Target) -> TargetRecord:
    record: TargetRecord = {
        "index": target.index,
        "probabilities": _numbers(target.probabilities),
        "predictions": target.predictions.tolist(),
        "steps": target.steps,
        "stopped": target.stopped,
        "gradient_norm": _number(target.gradient_norm),
        "delta_norm": None if target.delta_norm is None else _number(target.delta_norm),
    }
    originals = _numbers(target.original_probabilities)
    if originals != record["probabilities"]:
        record["original_probabilities"] = originals
    return record


def decode(
    record: Record,
    payload: bytes,
    *,
    run: str,
    tag: str,
    wall_time: float,
    index: int,
    session: metadata.SessionInfo,
) -> Sample:
    """The sample that :func:`encode` was given; gradients and deltas to half a quantum.

    Raises:
        RecordError: The payload is not the one that the record describes.
    """
    arrays = iter(unpack_payload(record, payload))
    image = next(arrays)
    strengths = _floats(record["strengths"])
    targets = tuple(
        Target(
            index=target["index"],
            gradient=next(arrays),
            delta=next(arrays) if target["delta_norm"] is not None else None,
            strengths=strengths,
            probabilities=_floats(target["probabilities"]),
            original_probabilities=_floats(
                target.get("original_probabilities", target["probabilities"])
            ),
            predictions=np.array(target["predictions"], np.int64),
            steps=target["steps"],
            stopped=target["stopped"],  # type: ignore[arg-type]  # parse_record checked it
        )
        for target in record["targets"]
    )
    return Sample(
        run=run,
        tag=tag,
        step=record["step"],
        wall_time=wall_time,
        index=index,
        id=record["id"],
        label=record["label"],
        image=image,
        mean=session.mean,
        std=session.std,
        classes=np.array(record["classes"], np.int64),
        probabilities=_floats(record["probabilities"]),
        margin=float(record["margin"]),
        entropy=float(record["entropy"]),
        loss=None if record["loss"] is None else float(record["loss"]),
        targets=targets,
        probe=record["probe"],
        class_names=session.class_names,
        rank=session.rank,
    )


def largest_payload(record: Record) -> int:
    """The most bytes that a record's payload can have once inflated."""
    return image_codec.largest_size(tuple(record["shape"])) + _levels_size(record)


def check_payload(info: PayloadInfo, payload: bytes) -> None:
    """Whether a payload is the very one that was written with a record.

    Raises:
        RecordError: It is not.
    """
    if len(payload) != info["bytes"] or google_crc32c.value(payload) != info["crc32c"]:
        raise RecordError("the payload's checksum is not its record's: it was damaged")


def unpack_payload(record: Record, payload: bytes) -> list[Array]:
    """A payload's arrays, each of the record's shape: image, then gradient (and delta) a target.

    Raises:
        RecordError: The payload is damaged, or inflates to another size than the record implies.
    """
    check_payload(record["payload"], payload)
    size = largest_payload(record)
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(payload, size)
    except zlib.error as error:
        raise RecordError(f"the payload cannot be inflated: {error}") from None
    try:
        image, start = image_codec.decode_image(data, tuple(record["shape"]))
    except ValueError as error:
        raise RecordError(f"the payload cannot be read: {error}") from None
    if len(data) - start != _levels_size(record) or not inflate.eof:
        raise RecordError("the payload does not inflate to the bytes that its shape takes")
    elements = math.prod(record["shape"])
    count = (len(data) - start) // (4 + 2 * elements)
    steps = np.frombuffer(data, "<f4", count, start)
    planes = np.frombuffer(data, np.uint8, offset=start + 4 * count).reshape(count, 2, elements)
    levels = _unfold(np.ascontiguousarray(planes.transpose(0, 2, 1)).view("<u2"))
    return [
        image,
        *(
            dequantize(step, level.reshape(record["shape"]))
            for step, level in zip(steps, levels, strict=True)
        ),
    ]


def parse_record(data: bytes) -> Record:
    """A record's JSON, checked field by field, so that no later code meets a surprise.

    Fields that this version does not know are left out, and so is the checksum, which must hold
    where there is one: what damages its name leaves the rest as it was.

    Raises:
        RecordError: It was damaged, or is not a record of a version that this code reads.
    """
    if len(data) > metadata.MAX_RECORD_BYTES:
        _fail("it", f"may take {metadata.MAX_RECORD_BYTES} bytes", len(data))
    sealed = _SEALED.fullmatch(data)
    if sealed and google_crc32c.value(sealed[1]) != int(sealed[2]):
        raise RecordError("the record's checksum is not its own: it was damaged")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"the record is not JSON: {error}") from None
    if not isinstance(fields, dict):
        _fail("it", "must be an object", fields)
    version = fields.get("version")
    if version != metadata.RECORD_VERSION or type(version) is not int:
        _fail("version", f"must be {metadata.RECORD_VERSION} (newer records: update)", version)
    shape = _integers(fields, "shape", 3, low=1, high=metadata.MAX_ELEMENTS)
    if not metadata.is_sample_shape(shape):
        _fail(
            "shape",
            f"must be 1 to {metadata.MAX_IMAGE_CHANNELS} channels, a height and a width, or 1 to "
            f"{metadata.MAX_SIGNAL_CHANNELS} channels and a length, with at most "
            f"{metadata.MAX_ELEMENTS} elements",
            shape,
        )
    strengths = _strengths(fields)
    classes = _integers(
        fields, "classes", metadata.MAX_LISTED_CLASSES, high=metadata.MAX_CLASSES - 1
    )
    targets = [
        _parse_target(target, len(strengths))
        for target in _list(fields, "targets", metadata.MAX_TARGETS)
    ]
    payload = fields.get("payload")
    if not isinstance(payload, dict):
        _fail("payload", "must be an object", payload)
    record: Record = {
        "version": version,
        "step": _integer(fields, "step", low=-(2**63), high=2**63 - 1),
        "probe": bool(fields.get("probe")),
        "id": _optional_text(fields, "id"),
        "label": (
            None
            if fields.get("label") is None
            else _integer(fields, "label", low=-(2**63), high=2**63 - 1)
        ),
        "shape": shape,
        "classes": classes,
        "probabilities": _reals(fields, "probabilities", exactly=len(classes)),
        "margin": _real(fields, "margin"),
        "entropy": _real(fields, "entropy"),
        "loss": None if fields.get("loss") is None else _real(fields, "loss"),
        "strengths": strengths,
        "targets": targets,
        "payload": {
            "bytes": _integer(payload, "bytes", high=metadata.MAX_PAYLOAD_BYTES),
            "crc32c": _integer(payload, "crc32c", high=2**32 - 1),
        },
    }
    if fields.get("dropped"):
        record["dropped"] = _integer(fields, "dropped", high=2**63 - 1)
    if fields.get("every") is not None:
        record["every"] = _integer(fields, "every", low=1, high=_LARGEST_INTERVAL)
    if largest_payload(record) > metadata.MAX_PAYLOAD_BYTES:
        _fail("shape", f"and targets may take {metadata.MAX_PAYLOAD_BYTES} bytes", shape)
    return record


def _parse_target(fields: object, strengths: int) -> TargetRecord:
    if not isinstance(fields, dict):
        _fail("targets", "must hold objects", fields)
    if fields.get("stopped") not in get_args(Stopped):
        _fail("stopped", f"must be one of {get_args(Stopped)}", fields.get("stopped"))
    record: TargetRecord = {
        "index": _integer(fields, "index", high=metadata.MAX_CLASSES - 1),
        "probabilities": _reals(fields, "probabilities", exactly=strengths),
        "predictions": _integers(
            fields, "predictions", exactly=strengths, high=metadata.MAX_CLASSES - 1
        ),
        "steps": _integer(fields, "steps", high=2**31 - 1),
        "stopped": fields["stopped"],
        "gradient_norm": _real(fields, "gradient_norm"),
        "delta_norm": None if fields.get("delta_norm") is None else _real(fields, "delta_norm"),
    }
    if "original_probabilities" in fields:
        record["original_probabilities"] = _reals(
            fields, "original_probabilities", exactly=strengths
        )
    return record


def _levels_size(record: Record) -> int:
    arrays = sum(1 + (target["delta_norm"] is not None) for target in record["targets"])
    return arrays * (4 + 2 * math.prod(record["shape"]))


def _fold(level: npt.NDArray[np.int16]) -> npt.NDArray[np.uint16]:
    """Levels 0, -1, 1, -2, … as 0, 1, 2, 3 and so on."""
    return ((level << 1) ^ (level >> 15)).astype("<u2")


def _unfold(folded: npt.NDArray[np.uint16]) -> npt.NDArray[np.int16]:
    """The inverse of :func:`_fold`."""
    sign: npt.NDArray[np.int16] = -(folded & 1).astype("<i2")
    return (folded >> 1).astype("<i2") ^ sign


def _pack(image: Array, quantized: Sequence[tuple[np.float32, npt.NDArray[np.int16]]]) -> bytes:
    steps, planes = [], []
    for step, level in quantized:
        steps.append(step)
        pairs = _fold(level).reshape(-1, 1).view(np.uint8)
        planes.append(pairs.T.tobytes())
    quanta = np.array(steps, "<f4").tobytes()
    return zlib.compress(b"".join((image_codec.encode_image(image), quanta, *planes)))


def _number(value: float) -> float | str:
    """A float32 as JSON's shortest number, or "NaN", "Infinity", "-Infinity": JSON has no others.

    Those are the strings that both Python's ``float`` and JavaScript's ``Number`` read.
    """
    with np.errstate(over="ignore"):
        short = float(str(np.float32(value)))
    if math.isfinite(short):
        return short
    return "NaN" if math.isnan(short) else "Infinity" if short > 0 else "-Infinity"


def _numbers(values: Array) -> list[float | str]:
    return [_number(value) for value in values]


def _floats(values: Sequence[float | str]) -> Array:
    return np.array([float(value) for value in values], np.float32)


def _fail(name: str, rule: str, value: object) -> NoReturn:
    shown = repr(value)
    raise RecordError(f"the record's {name} {rule}, and is {shown[:80]}")


def _is_integer(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_real(value: object) -> bool:
    if type(value) is str:
        return value in ("NaN", "Infinity", "-Infinity")
    if type(value) is int:
        return abs(value) < 2**64
    return type(value) is float and math.isfinite(value)


def _integer(fields: dict[str, Any], name: str, *, low: int = 0, high: int) -> int:
    value = fields.get(name)
    if not _is_integer(value, low, high):
        _fail(name, f"must be a whole number from {low} to {high}", value)
    return value  # type: ignore[return-value]  # checked just above


def _real(fields: dict[str, Any], name: str) -> float | str:
    value = fields.get(name)
    if not _is_real(value):
        _fail(name, "must be a number", value)
    return value  # type: ignore[return-value]  # checked just above


def _strengths(fields: dict[str, Any]) -> list[float | str]:
    values = _reals(fields, "strengths", metadata.MAX_STRENGTHS)
    numbers = [float(value) for value in values]
    ascending = all(low < high for low, high in itertools.pairwise(numbers))
    if not ascending or not all(0 <= number <= metadata.MAX_STRENGTH for number in numbers):
        _fail("strengths", f"must be numbers from 0 to {metadata.MAX_STRENGTH}, ascending", values)
    return values


def _optional_text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not (
        isinstance(value, str) and len(value) <= metadata.MAX_NAME_LENGTH
    ):
        _fail(name, f"must be text of at most {metadata.MAX_NAME_LENGTH} characters", value)
    return value


def _list(
    fields: dict[str, Any], name: str, most: int | None = None, exactly: int | None = None
) -> list[Any]:
    value = fields.get(name)
    if not isinstance(value, list):
        _fail(name, "must be a list", value)
    if exactly is not None and len(value) != exactly:
        _fail(name, f"must have {exactly} elements", len(value))
    if most is not None and len(value) > most:
        _fail(name, f"may have {most} elements", len(value))
    return value


def _integers(
    fields: dict[str, Any],
    name: str,
    most: int | None = None,
    *,
    exactly: int | None = None,
    low: int = 0,
    high: int,
) -> list[int]:
    values = _list(fields, name, most, exactly)
    if not all(_is_integer(value, low, high) for value in values):
        _fail(name, f"must hold whole numbers from {low} to {high}", values)
    return values


def _reals(
    fields: dict[str, Any], name: str, most: int | None = None, exactly: int | None = None
) -> list[float | str]:
    values = _list(fields, name, most, exactly)
    if not all(_is_real(value) for value in values):
        _fail(name, "must hold numbers", values)
    return values
