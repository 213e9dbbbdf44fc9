"""A hostile log directory: odd names, wrong numbers and damaged files."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.metadata import is_short_name
from tb_gradascent.format.record import seal
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.samples import CapturedSample
from testing.synthetic import DIGITS, make_captures, make_event, make_sample, write_session

CANARY = "canary()"
"""A script that the page must never run."""

OVERLONG = "over long " * 1000

NAMES = [
    f"<script>{CANARY}</script>",
    f'"><img src=x onerror={CANARY}>',
    f"'-{CANARY}-'",
    f"javascript:{CANARY}",
    f"</style><svg onload={CANARY}>",
    "${" + CANARY + "} {{" + CANARY + "}}",
    f'=HYPERLINK("{CANARY}")',
    "+1-2@3",
    "a,b;c\td\r\ne\"f'g",
    "../../etc/passwd",
    "..\\..\\nul",
    "nul\0inside",
    "right\u202eot\u202c \u2066left\u2069",
    "\u200b\ufeff",
    "\ud800 alone \udfff",
    "👩\u200d💻 日本語 é̂̃",
    "%2e%2e%2f%00",
    "a|b?c#d&e=f",
    "Z" + "\u0300" * 200,
    "W" * 256,
    "long words " * 23,
    "",
    " ",
]
"""Texts that break careless pages, tables, terminals and paths. Each has at most 256 characters."""

FOLDERS = [
    f"<img src=x onerror={CANARY}>",
    'quote\'s "and" & amp',
    "=1+1",
    "right\u202eot",
    "percent%2e%2e and # and ?",
    "tab\tand\nline",
    "日本語",
    "x" * 250,
    "/".join(["deep" * 60] * 15),
]
"""Names of directories, and so of runs. The last is almost as long as a path may be."""


def write_logdir(logdir: Path) -> None:
    """Write a log directory with sound, odd and damaged runs."""
    sound = make_captures(3, 2, shape=(1, 6, 6))
    write_session(logdir / "sound", sound, session="sound", start=1000.0)
    for folder, name in zip(FOLDERS, NAMES, strict=False):
        write_session(logdir / folder, sound[:1], tag=name or "confused", start=1000.0)
    write_session(logdir / "names", hostile_captures(), info=HOSTILE_INFO, start=1000.0)
    _write_numbers(logdir / "numbers")
    _write_values(logdir / "values")
    write_overlong(logdir / "overlong")
    _write_damaged(logdir)


LONGEST = ("W" * 256, "long words " * 23)
"""The names of the two classes that all samples are moved towards."""
SHORT_NAMES = tuple(name for name in NAMES if is_short_name(name))
"""Those of the names that an ascent or a judge may have."""
HOSTILE_INFO = dataclasses.replace(
    DIGITS,
    ascents=SHORT_NAMES[:2],
    judges=SHORT_NAMES[2:4],
    class_names=(*NAMES[:5], LONGEST[0], *NAMES[5:7], LONGEST[1], NAMES[14]),
)


def hostile_captures() -> list[list[CapturedSample]]:
    """Return a capture whose samples have ``NAMES`` as ids, and also as names of morphs."""
    rng = np.random.default_rng(0)
    morphs, judges = HOSTILE_INFO.ascents, HOSTILE_INFO.judges
    return [
        [make_sample(rng, shape=(1, 6, 6), id=name, morphs=morphs, judges=judges) for name in NAMES]
    ]


def write_overlong(folder: Path) -> None:
    """Write a class, a sample and a tag with names of ten thousand characters.

    No hook writes such names. A sound sample with the id ``"sound"`` is beside them.
    """
    sound, long = make_captures(1, 2, shape=(1, 6, 6))[0]
    encoded = [encode_sample(dataclasses.replace(sound, id="sound")), encode_sample(long)]
    fields = json.loads(encoded[1][0])
    del fields["checksum"]
    content = json.dumps({**fields, "id": OVERLONG}).encode()[:-1]
    sealed = content + b',"checksum":%d}' % google_crc32c.value(content)
    event = make_event("confused", "s", 0, [encoded[0], (sealed, encoded[1][1])], DIGITS, 1000.0)
    info = {**DIGITS.to_json(), "class_names": [OVERLONG] * 10}
    event.summary.value[1].metadata.plugin_data.content = json.dumps(info).encode()
    other = make_event("confused", "t", 0, encoded[:1], DIGITS, 1000.0)
    for value in other.summary.value:
        value.tag = value.tag.replace("confused", OVERLONG)
    file = EventFile(folder / file_name("s"))
    file.append(event, other)
    file.close()


def _write_numbers(folder: Path) -> None:
    """Write captures with the largest and smallest numbers and times."""
    file = EventFile(folder / file_name("numbers"))
    encoded = [encode_sample(sample) for sample in make_captures(1, 2, shape=(1, 6, 6))[0]]
    for number, wall_time in [
        (0, math.nan),
        (-1, math.inf),
        (-(2**63), -1e308),
        (2**63 - 1, 5e-324),
    ]:
        file.append(make_event("confused", "numbers", number, encoded, DIGITS, wall_time, block=0))
    file.close()


NO_STRENGTHS: list[list[float | str]] = [
    [0, 0.5, "Infinity"],
    ["-Infinity", 0, 1],
    [0, "NaN", 1],
    [1, 0.5, 0],
    [0, 0, 1],
    [-1, 0, 1],
    [0, 1, 1e308],
]
"""Strengths that no ascent has. Their records cannot be read."""
NUMBERS: list[float | str] = ["NaN", "Infinity", "-Infinity", 1e308, -1e308, 2, -5e-324]
"""Values that a hostile record may have as a probability, a margin or a norm."""
LABELS = [-1, -(2**63), 2**63 - 1, 2**40, 2**20]
"""Labels that no class has."""


def _write_values(folder: Path) -> None:
    """Write records with meaningless numbers. The id ``"followed"`` occurs at several steps."""
    record, payload = encode_sample(make_captures(1, 1, shape=(1, 6, 6))[0][0])
    fields = json.loads(record)
    del fields["checksum"]
    changes = [
        *({"strengths": strengths, **_asked(fields, 0.5, strengths)} for strengths in NO_STRENGTHS),
        *({"label": label, "id": f"labelled {label}"} for label in LABELS),
        *(
            {"margin": number, "entropy": number, "loss": number, "id": "followed"}
            | {"probabilities": [number] * len(fields["classes"])}
            | _asked(fields, number, fields["strengths"])
            for number in NUMBERS
        ),
    ]
    file = EventFile(folder / file_name("values"))
    for number, change in enumerate(changes):
        data = seal(json.dumps({**fields, "step": number, **change}).encode())
        event = make_event("confused", "values", number, [(data, payload)], DIGITS, 1000.0 + number)
        file.append(event)
    file.close()


def _asked(
    fields: dict[str, Any], number: float | str, strengths: list[float | str]
) -> dict[str, Any]:
    """Return targets with one number as the answer at each strength, and as each measure."""
    answers = [number] * len(strengths)
    said = {
        "probabilities": answers,
        "original_probabilities": answers,
        "predictions": [8] * len(strengths),
    }
    measures = dict.fromkeys(("delta_norm", "largest_change", "mean_change"), number)
    return {
        "targets": [
            {
                **target,
                "gradient_p99": number,
                "morphs": [{**morph, **said, **measures} for morph in target["morphs"]],
            }
            for target in fields["targets"]
        ]
    }


def _write_damaged(logdir: Path) -> None:
    (logdir / "empty").mkdir()
    (logdir / "empty" / file_name("empty")).touch()
    (logdir / "garbage").mkdir()
    (logdir / "garbage" / file_name("garbage")).write_bytes(b"\xff\0garbage" * 100)
    session = write_session(logdir / "torn", make_captures(4, 2, shape=(1, 6, 6)), start=1000.0)
    path = logdir / "torn" / file_name(session)
    path.write_bytes(path.read_bytes()[:-7])
