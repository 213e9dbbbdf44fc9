"""Encodes a sample as the two halves that are stored, and decodes it.

The *record* is JSON and holds everything but the arrays. It is small, so that a viewer can hold all
records. The *payload* holds the arrays. Each half has a checksum, because TensorBoard's fast loader
checks none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from tb_gradascent.format.metadata import RECORD_VERSION
from tb_gradascent.format.payload import pack_payload, unpack_payload
from tb_gradascent.format.record import (
    LARGEST_INTERVAL,
    JsonNumber,
    JudgeRecord,
    MorphRecord,
    Record,
    RecordError,
    ResponseRecord,
    TargetRecord,
    seal,
)
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.samples import Array, CapturedSample, Morph, Response, Spread, Target


def encode_sample(
    sample: CapturedSample, *, dropped: int = 0, every: int | None = None, arrays: bool = True
) -> tuple[bytes, bytes]:
    """Return ``(record, payload)``: the sample as it is stored.

    Args:
        sample: The sample.
        dropped: How many samples its session has lost so far.
        every: The steps between its session's captures, if ``budget_mb`` or ``max_overhead`` made
            captures rarer.
        arrays: Whether to store the image, the gradients and the deltas.

    Raises:
        ValueError: The sample breaks a limit of the format, or its arrays do not fit each other.
    """
    shape = sample.image.shape
    for target in sample.targets:
        for array in (target.gradient, *(morph.delta for morph in target.morphs.values())):
            if array.shape != shape:
                raise ValueError(
                    f"gradients and deltas must have the image's shape {shape}, got {array.shape}"
                )
    payload, described = pack_payload(sample.image, sample.targets, stored=arrays)
    strengths = _common_strengths(sample.targets)
    record: Record = {
        "version": RECORD_VERSION,
        "step": int(sample.step),
        "probe": sample.probe,
        "id": sample.id,
        "label": sample.label,
        "shape": list(shape),
        "classes": sample.classes.tolist(),
        "probabilities": _to_json(sample.probabilities),
        "margin": _number(sample.margin),
        "entropy": _number(sample.entropy),
        "loss": None if sample.loss is None else _number(sample.loss),
        "strengths": _to_json(strengths),
        "targets": [_encode_target(target) for target in sample.targets],
        "payload": described,
    }
    if sample.bounds is not None:
        record["bounds"] = [_to_json(values) for values in sample.bounds]
    if sample.loop_margin is not None:
        record["loop_margin"] = _number(sample.loop_margin)
    if sample.spread is not None:
        record["spread"] = _to_json(sample.spread)
    if dropped:
        record["dropped"] = dropped
    if every is not None:
        record["every"] = min(every, LARGEST_INTERVAL)
    data = seal(json.dumps(record, separators=(",", ":"), allow_nan=False).encode())
    try:
        parse_record(data)
    except RecordError as error:
        raise ValueError(f"the sample cannot be stored: {error}") from None
    return data, payload


def decode_sample(record: Record, payload: bytes) -> CapturedSample:
    """Return the sample that :func:`encode_sample` was given.

    The image is exact. Gradients and deltas are exact to half a quantum. Arrays that are not stored
    are NaN.

    Raises:
        RecordError: The payload is not the one that the record describes.
    """
    arrays = iter(unpack_payload(record, payload))
    image = next(arrays)
    strengths = _from_json(record["strengths"])
    targets = tuple(_decode_target(target, strengths, arrays) for target in record["targets"])
    bounds, loop_margin = record.get("bounds"), record.get("loop_margin")
    return CapturedSample(
        step=record["step"],
        id=record["id"],
        label=record["label"],
        image=image,
        classes=np.array(record["classes"], np.int64),
        probabilities=_from_json(record["probabilities"]),
        margin=float(record["margin"]),
        entropy=float(record["entropy"]),
        loss=None if record["loss"] is None else float(record["loss"]),
        targets=targets,
        probe=record["probe"],
        bounds=None if bounds is None else (_numbers(bounds[0]), _numbers(bounds[1])),
        loop_margin=None if loop_margin is None else float(loop_margin),
        spread=_decode_spread(record),
    )


def _common_strengths(targets: Iterable[Target]) -> Array:
    """Return the strengths of all morphs. Also check that each morph has its target's class."""
    strengths: Array | None = None
    for target in targets:
        for morph in target.morphs.values():
            if morph.target != target.index:
                raise ValueError(
                    f"a morph of the target {target.index} must have that target, got "
                    f"{morph.target}"
                )
            if strengths is None:
                strengths = morph.strengths
            if not np.array_equal(morph.strengths, strengths):
                raise ValueError("the morphs of one sample must have the same strengths")
    return np.zeros(0, np.float32) if strengths is None else strengths


def _encode_target(target: Target) -> TargetRecord:
    record: TargetRecord = {
        "index": target.index,
        "gradient_norm": _number(target.gradient_norm),
        "gradient_p99": _number(target.gradient_p99),
        "morphs": [_encode_morph(name, morph) for name, morph in target.morphs.items()],
    }
    if target.direction != 1:
        record["direction"] = target.direction
    return record


def _decode_target(record: TargetRecord, strengths: Array, arrays: Iterator[Array]) -> Target:
    return Target(
        index=record["index"],
        gradient=next(arrays),
        morphs={
            morph["name"]: Morph(
                target=record["index"],
                delta=next(arrays),
                strengths=strengths,
                steps=morph["steps"],
                stopped=morph["stopped"],
                survived=tuple(check == "1" for check in morph.get("survived", "")),
                judges={
                    judge["name"]: Response(**_decode_response(judge))
                    for judge in morph.get("judges", ())
                },
                spread=_decode_spread(morph),
                **_decode_response(morph),
            )
            for morph in record["morphs"]
        },
        direction=record.get("direction", 1),
    )


def _encode_morph(name: str, morph: Morph) -> MorphRecord:
    record: MorphRecord = {
        "name": name,
        "steps": morph.steps,
        "stopped": morph.stopped,
        "delta_norm": _number(morph.delta_norm),
        "largest_change": _number(morph.largest_change),
        "mean_change": _number(morph.mean_change),
        **_encode_response(morph),  # type: ignore[typeddict-item]  # adds no other key
    }
    if morph.survived:
        record["survived"] = "".join("01"[survived] for survived in morph.survived)
    if morph.judges:
        record["judges"] = [_encode_judge(*judge) for judge in morph.judges.items()]
    if morph.spread is not None:
        record["spread"] = _to_json(morph.spread)
    return record


def _decode_spread(record: Record | MorphRecord) -> Spread | None:
    if "spread" not in record:
        return None
    low, high = _numbers(record["spread"])
    return low, high


def _encode_judge(name: str, response: Response) -> JudgeRecord:
    return {"name": name, **_encode_response(response)}


def _encode_response(response: Response) -> ResponseRecord:
    record: ResponseRecord = {
        "probabilities": _to_json(response.probabilities),
        "predictions": response.predictions.tolist(),
    }
    originals = _to_json(response.original_probabilities)
    if originals != record["probabilities"]:
        record["original_probabilities"] = originals
    return record


class _Answers(TypedDict):
    probabilities: Array
    original_probabilities: Array
    predictions: npt.NDArray[np.int64]


def _decode_response(record: ResponseRecord) -> _Answers:
    probabilities = record["probabilities"]
    return {
        "probabilities": _from_json(probabilities),
        "original_probabilities": _from_json(record.get("original_probabilities", probabilities)),
        "predictions": np.array(record["predictions"], np.int64),
    }


def _number(value: float) -> JsonNumber:
    return _to_json([value])[0]


def _to_json(values: Sequence[float] | Array) -> list[JsonNumber]:
    """Round to float32 and return the shortest numbers that JSON can hold for them."""
    with np.errstate(over="ignore"):
        rounded = np.asarray(values, np.float32)
    return [_short(value) for value in rounded]


def _short(value: np.float32) -> JsonNumber:
    short = float(str(value))
    if math.isfinite(short):
        return short
    return "NaN" if math.isnan(short) else "Infinity" if short > 0 else "-Infinity"


def _from_json(values: Sequence[JsonNumber]) -> Array:
    return np.array(_numbers(values), np.float32)


def _numbers(values: Sequence[JsonNumber]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
