"""Reads an index and its records as ``http_api.md`` documents them."""

from __future__ import annotations

import copy
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

STOPPED = ("confidence", "max_steps", "stalled", "nonfinite", "none", "surest", "chance")
CODECS = ("palette", "levels", "coarse_levels", "predicted_palette", "predicted_levels")


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
                for name in ("every", "bounds"):
                    if not sample[name]:
                        del sample[name]
                if cut is not None and sample["step"] >= cut:
                    counts["superseded"] += 1
                else:
                    samples.append({"session": position, **sample})
        counts["dropped"] += dropped
    counts["samples"] = len(samples)
    samples.sort(key=lambda s: (s["step"], s["wall_time"], s["index"], s["session"], s["capture"]))
    return {**index, "counts": counts, "samples": samples}


def read_rows(rows: bytes) -> list[dict[str, Any]]:
    """Return the samples of rows, with a record's names. Every optional field is there.

    Missing ``dropped`` and ``every`` are 0. Missing ``bounds`` are ``None``.
    """
    samples = []
    while rows:
        length = int(np.frombuffer(rows, "<u4", 1)[0])
        assert length % 8 == 0
        samples.append(_read_row(rows[:length]))
        rows = rows[length:]
    return samples


def complete(record: dict[str, Any]) -> dict[str, Any]:
    """Return what the row of a record holds: every optional field, and each number as a float.

    A missing optional field has the value that :func:`read_rows` returns for it.
    """
    full = {"dropped": 0, "every": 0, "bounds": None, **copy.deepcopy(record)}
    for name in ("step", "label", "margin", "entropy", "loss", "dropped", "every"):
        full[name] = None if full[name] is None else float(full[name])
    for name in ("probabilities", "strengths"):
        full[name] = list(map(float, full[name]))
    if full["bounds"] is not None:
        full["bounds"] = [list(map(float, values)) for values in full["bounds"]]
    full["targets"] = [_complete_target(target) for target in full["targets"]]
    return full


def _complete_target(target: dict[str, Any]) -> dict[str, Any]:
    morphs = [
        {
            "survived": "",
            "spread": None,
            **_complete_measures(morph, "delta_norm", "largest_change", "mean_change"),
            **_complete_response(morph),
            "judges": [{**j, **_complete_response(j)} for j in morph.get("judges", [])],
        }
        for morph in target["morphs"]
    ]
    measures = _complete_measures(target, "gradient_norm", "gradient_p99")
    return {"direction": 1, **measures, "morphs": morphs}


def _complete_measures(holder: dict[str, Any], *names: str) -> dict[str, Any]:
    known = {name: None if holder[name] is None else float(holder[name]) for name in names}
    return {**holder, **known}


def _complete_response(response: dict[str, Any]) -> dict[str, Any]:
    probabilities = response["probabilities"]
    originals = response.get("original_probabilities", probabilities)
    return {
        "probabilities": list(map(float, probabilities)),
        "original_probabilities": list(map(float, originals)),
    }


class _Cursor:
    """Takes values one after the other from a part of a row."""

    def __init__(self, row: bytes, offset: int) -> None:
        self.row = row
        self.offset = offset

    def take(self, kind: str, count: int) -> list[Any]:
        values = np.frombuffer(self.row, kind, count, self.offset)
        self.offset += values.nbytes
        return list(values.tolist())

    def take_text(self, length: int) -> str:
        self.offset += length
        return self.row[self.offset - length : self.offset].decode()


def _read_row(row: bytes) -> dict[str, Any]:
    head = _Cursor(row, 4)
    (index,), (capture,) = head.take("<u4", 1), head.take("<i8", 1)
    wall_time, step, label, margin, entropy, loss, dropped, every = head.take("<f8", 8)
    size, checksum = head.take("<u4", 2)
    version, flags = head.take("<u2", 2)
    shape, (listed, asked, targets) = head.take("<u4", 3), head.take("<u4", 3)
    id_bytes, names_bytes, count = head.take("<u4", 3)
    numbers, integers = _Cursor(row, 128), _Cursor(row, 128 + 8 * count)
    probabilities, strengths = numbers.take("<f8", listed), numbers.take("<f8", asked)
    bounds = [numbers.take("<f8", shape[0]) for _ in range(2)] if flags & 16 else None
    classes = integers.take("<u4", listed)
    described = [_read_target(numbers, integers, asked) for _ in range(targets)]
    for target in described:
        for morph in target["morphs"]:
            spread = numbers.take("<f8", 2) if flags & 32 else [math.nan]
            morph["spread"] = None if math.isnan(spread[0]) else spread
    assert numbers.offset == 128 + 8 * count
    text = integers.take_text(id_bytes)
    names = integers.take_text(names_bytes).split("\n")
    arrays = sum(1 + len(target["morphs"]) for target in described)
    codecs = [CODECS[code] for code in integers.take("<u1", 1 + arrays)]
    assert not any(row[integers.offset :])
    assert len(row) - integers.offset < 8
    for target in described:
        for morph in target["morphs"]:
            for named in (morph, *morph["judges"]):
                named["name"] = names[named["name"]]
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
        "classes": classes,
        "probabilities": probabilities,
        "strengths": strengths,
        "bounds": bounds,
        "targets": described,
        "payload": {"bytes": size, "crc32c": checksum, "codecs": codecs},
    }


def _read_target(numbers: _Cursor, integers: _Cursor, strengths: int) -> dict[str, Any]:
    gradient_norm, gradient_p99 = numbers.take("<f8", 2)
    index, towards, morphs = integers.take("<u4", 3)
    return {
        "index": index,
        "direction": 1 if towards else -1,
        "gradient_norm": gradient_norm,
        "gradient_p99": _known(gradient_p99),
        "morphs": [_read_morph(numbers, integers, strengths) for _ in range(morphs)],
    }


def _read_morph(numbers: _Cursor, integers: _Cursor, strengths: int) -> dict[str, Any]:
    """Return a morph. Its name and the names of its judges are indices."""
    delta_norm, largest_change, mean_change = numbers.take("<f8", 3)
    name, steps, stopped, checks, survived, judges = integers.take("<u4", 6)
    return {
        "name": name,
        "steps": steps,
        "stopped": STOPPED[stopped],
        "delta_norm": delta_norm,
        "largest_change": _known(largest_change),
        "mean_change": _known(mean_change),
        **_read_response(numbers, integers, strengths),
        "survived": "".join(str(survived >> check & 1) for check in range(checks)),
        "judges": [
            {
                "name": integers.take("<u4", 1)[0],
                **_read_response(numbers, integers, strengths),
            }
            for _ in range(judges)
        ],
    }


def _read_response(numbers: _Cursor, integers: _Cursor, strengths: int) -> dict[str, Any]:
    return {
        "probabilities": numbers.take("<f8", strengths),
        "original_probabilities": numbers.take("<f8", strengths),
        "predictions": integers.take("<u4", strengths),
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
