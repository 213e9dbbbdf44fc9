"""Encodes a sample as the two halves that are stored, and decodes it.

The *record* is JSON and holds everything but the arrays. It is small, so that a viewer can hold all
records. The *payload* holds the arrays. Each half has a checksum, because TensorBoard's fast loader
checks none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

import numpy as np

from tb_gradascent.format.metadata import RECORD_VERSION
from tb_gradascent.format.payload import pack_payload, payload_info, unpack_payload
from tb_gradascent.format.quantization import DELTA_LEVELS, GRADIENT_LEVELS
from tb_gradascent.format.record import (
    LARGEST_INTERVAL,
    JsonNumber,
    Record,
    RecordError,
    TargetRecord,
    seal,
)
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.samples import Array, CapturedSample, Target


def encode_sample(
    sample: CapturedSample, *, dropped: int = 0, every: int | None = None
) -> tuple[bytes, bytes]:
    """Return ``(record, payload)``: the sample as it is stored.

    Args:
        sample: The sample.
        dropped: How many samples its session has lost so far.
        every: The steps between its session's captures, if the budget has stretched them.

    Raises:
        ValueError: The sample breaks a limit of the format, or its arrays do not fit each other.
    """
    arrays = [
        (array, levels)
        for target in sample.targets
        for array, levels in ((target.gradient, GRADIENT_LEVELS), (target.delta, DELTA_LEVELS))
        if array is not None
    ]
    shape = sample.image.shape
    for array, _ in arrays:
        if array.shape != shape:
            raise ValueError(
                f"gradients and deltas must have the image's shape {shape}, got {array.shape}"
            )
    payload = pack_payload(sample.image, arrays)
    strengths = sample.targets[0].strengths if sample.targets else np.zeros(0, np.float32)
    if not all(np.array_equal(target.strengths, strengths) for target in sample.targets):
        raise ValueError("the targets of one sample must have the same strengths")
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
        "payload": payload_info(payload),
    }
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

    The image is exact. Gradients and deltas are exact to half a quantum.

    Raises:
        RecordError: The payload is not the one that the record describes.
    """
    arrays = iter(unpack_payload(record, payload))
    image = next(arrays)
    strengths = _from_json(record["strengths"])
    targets = tuple(
        Target(
            index=target["index"],
            gradient=next(arrays),
            delta=next(arrays) if target["delta_norm"] is not None else None,
            strengths=strengths,
            probabilities=_from_json(target["probabilities"]),
            original_probabilities=_from_json(
                target.get("original_probabilities", target["probabilities"])
            ),
            predictions=np.array(target["predictions"], np.int64),
            steps=target["steps"],
            stopped=target["stopped"],
        )
        for target in record["targets"]
    )
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
    )


def _encode_target(target: Target) -> TargetRecord:
    record: TargetRecord = {
        "index": target.index,
        "probabilities": _to_json(target.probabilities),
        "predictions": target.predictions.tolist(),
        "steps": target.steps,
        "stopped": target.stopped,
        "gradient_norm": _number(target.gradient_norm),
        "delta_norm": None if target.delta_norm is None else _number(target.delta_norm),
    }
    originals = _to_json(target.original_probabilities)
    if originals != record["probabilities"]:
        record["original_probabilities"] = originals
    return record


def _number(value: float) -> JsonNumber:
    """Round to float32 and return the shortest number that JSON can hold for it."""
    with np.errstate(over="ignore"):
        short = float(str(np.float32(value)))
    if math.isfinite(short):
        return short
    return "NaN" if math.isnan(short) else "Infinity" if short > 0 else "-Infinity"


def _to_json(values: Iterable[float]) -> list[JsonNumber]:
    return [_number(value) for value in values]


def _from_json(values: Sequence[JsonNumber]) -> Array:
    return np.array([float(value) for value in values], np.float32)
