"""Event files with as many made-up samples as a benchmark asks for, written in seconds.

A sample's arrays are drawn from a few dozen; its record is its own: step, id, label, probabilities
and responses differ from sample to sample, so that nothing downstream is easier than real data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tb_gradascent.format import metadata
from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.record import seal
from tb_gradascent.format.sample_codec import encode_sample
from testing.synthetic import DIGITS, STRENGTHS, make_event, make_sample

SAMPLES_A_CAPTURE = 4
STEPS_A_CAPTURE = 100
DISTINCT_ARRAYS = 48
STARTED = 1_750_000_000.0


def write_run(
    directory: Path, samples: int, *, shape: tuple[int, ...] = (1, 28, 28), seed: int = 0
) -> str:
    """One session of ``samples`` samples in a run's directory; returns the session's name."""
    session = f"bench-{seed}"
    rng = np.random.default_rng(seed)
    info = metadata.SessionInfo(
        started=STARTED,
        class_names=DIGITS.class_names,
        bounds=((-0.4242,), (2.8215,)),
        ascents=("smallest",),
    )
    file = EventFile(directory / file_name(session))
    encoded: list[tuple[bytes, bytes]] = []
    for number, pair in enumerate(_samples(rng, samples, shape)):
        encoded.append(pair)
        if len(encoded) == SAMPLES_A_CAPTURE or number == samples - 1:
            capture = number // SAMPLES_A_CAPTURE
            file.append(
                make_event("confused", session, capture, encoded, info, STARTED + 1 + capture)
            )
            encoded = []
    file.close()
    return session


def _samples(
    rng: np.random.Generator, count: int, shape: tuple[int, ...]
) -> Iterator[tuple[bytes, bytes]]:
    """As many encoded samples, the arrays in turn from a few."""
    kept = []
    for _ in range(min(DISTINCT_ARRAYS, count)):
        pair = rng.choice(10, 2, replace=False)
        stored, payload = encode_sample(make_sample(rng, shape=shape, targets=pair.tolist()))
        template = json.loads(stored)
        del template["checksum"]
        kept.append((template, payload))
    for number in range(count):
        template, payload = kept[number % len(kept)]
        record = _record(rng, template, number)
        yield seal(json.dumps(record, separators=(",", ":")).encode()), payload


def _record(rng: np.random.Generator, template: dict[str, Any], number: int) -> dict[str, Any]:
    """A template's record with numbers of its own, in float32's shortest decimals."""
    chances = rng.dirichlet(np.full(10, 0.3))
    classes = np.argsort(-chances)
    label = int(rng.integers(10))
    targets = [
        _target(rng, target, int(classes[0]), float(chances[classes[0]]))
        for target in template["targets"]
    ]
    return {
        **template,
        "step": number // SAMPLES_A_CAPTURE * STEPS_A_CAPTURE,
        "id": f"train/{rng.integers(60_000)}",
        "label": label,
        "classes": classes.tolist(),
        "probabilities": _short(chances[classes]),
        "margin": _short(chances[classes[:1]] - chances[classes[1:2]])[0],
        "entropy": _short(-(chances * np.log2(chances + 1e-12)).sum(keepdims=True))[0],
        "loss": _short(-np.log(chances[[label]] + 1e-12))[0],
        "targets": targets,
    }


def _target(
    rng: np.random.Generator, template: dict[str, Any], predicted: int, chance: float
) -> dict[str, Any]:
    flip = rng.uniform(0.1, 0.9)
    convinced = 1 / (1 + np.exp(8 * (flip - STRENGTHS)))
    return {
        **template,
        "probabilities": _short(convinced),
        "original_probabilities": _short(chance * (1 - convinced)),
        "predictions": np.where(flip < STRENGTHS, template["index"], predicted).tolist(),
        "gradient_norm": _short(rng.uniform(0.5, 20, 1))[0],
        "delta_norm": _short(rng.uniform(0.2, 5, 1))[0],
    }


def _short(values: np.ndarray[Any, Any]) -> list[float]:
    return [float(text) for text in values.astype(np.float32).astype(str)]
