"""Reads an index and its records as ``http_api.md`` documents them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

STOPPED = ("confidence", "max_steps", "stalled", "nonfinite", "none")


def read_index(index: dict[str, Any], ask: Callable[[str], bytes]) -> dict[str, Any]:
    """Return the index with ``counts`` and, in the order of the page, ``samples``.

    Args:
        index: The answer of the route ``index``.
        ask: Returns the answer of the route ``records`` to one range of captures.
    """
    counts = {"samples": 0, "unreadable": 0, "superseded": 0, "dropped": 0}
    samples = []
    for position, session in enumerate(index["sessions"]):
        dropped, cut = 0, session["superseded_from"]
        counts["unreadable"] += session["damaged"]
        first = session["captures"]
        while first:
            answer = ask(f"{session['session']}.0.{first}")
            first, end, unreadable, length = struct.unpack_from("<4I", answer)
            assert first < end
            assert len(answer) == 16 + length
            counts["unreadable"] += unreadable
            for sample in read_rows(answer[16:]):
                dropped = max(dropped, sample.pop("dropped"))
                if not sample["every"]:
                    del sample["every"]
                if cut is not None and sample["step"] >= cut:
                    counts["superseded"] += 1
                else:
                    samples.append({"session": position, **sample})
        counts["dropped"] += dropped
    counts["samples"] = len(samples)
    samples.sort(key=lambda s: (s["step"], s["wall_time"], s["index"], s["session"], s["capture"]))
    return {**index, "counts": counts, "samples": samples}


def read_rows(rows: bytes) -> list[dict[str, Any]]:
    """Return the samples of rows, with a record's names. ``dropped`` and ``every`` may be 0."""
    samples = []
    while rows:
        length = int(np.frombuffer(rows, "<u4", 1)[0])
        assert length % 8 == 0
        samples.append(_read_row(rows[:length]))
        rows = rows[length:]
    return samples


def _read_row(row: bytes) -> dict[str, Any]:
    offset = 4

    def take(kind: str, count: int) -> list[Any]:
        nonlocal offset
        values = np.frombuffer(row, kind, count, offset)
        offset += values.nbytes
        return list(values.tolist())

    (index,), (capture,) = take("<u4", 1), take("<i8", 1)
    wall_time, step, label, margin, entropy, loss, dropped, every = take("<f8", 8)
    size, checksum = take("<u4", 2)
    version, flags = take("<u2", 2)
    shape, (classes, strengths, targets, id_bytes) = take("<u4", 3), take("<u4", 4)
    probabilities, along = take("<f8", classes), take("<f8", strengths)
    numbers = [
        (*take("<f8", 2), take("<f8", strengths), take("<f8", strengths)) for _ in range(targets)
    ]
    listed = take("<u4", classes)
    integers = [(*take("<u4", 4), take("<u4", strengths)) for _ in range(targets)]
    text = row[offset : offset + id_bytes].decode()
    assert not any(row[offset + id_bytes :])
    assert len(row) - offset - id_bytes < 8
    return {
        "index": index,
        "capture": capture,
        "wall_time": wall_time,
        "step": step,
        "label": label if flags & 4 else None,
        "margin": margin,
        "entropy": entropy,
        "loss": loss if flags & 8 else None,
        "dropped": dropped,
        "every": every,
        "version": version,
        "probe": bool(flags & 1),
        "id": text if flags & 2 else None,
        "shape": shape if shape[2] else shape[:2],
        "classes": listed,
        "probabilities": probabilities,
        "strengths": along,
        "targets": [
            {
                "index": target,
                "probabilities": chances,
                "original_probabilities": originals,
                "predictions": predictions,
                "steps": steps,
                "stopped": STOPPED[stopped],
                "gradient_norm": gradient_norm,
                "delta_norm": delta_norm if has_delta else None,
            }
            for (gradient_norm, delta_norm, chances, originals), (
                target,
                steps,
                stopped,
                has_delta,
                predictions,
            ) in zip(numbers, integers, strict=True)
        ],
        "payload": {"bytes": size, "crc32c": checksum},
    }
