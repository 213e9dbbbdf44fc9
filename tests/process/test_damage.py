"""Damage at every place of an event file: whole captures are shown, damaged ones counted or gone.

No reader ever shows a sample that was not written.
"""

from __future__ import annotations

import json
import logging
import struct
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_gradascent import read_samples
from tb_gradascent.format.event_file import file_name
from tb_gradascent.format.samples import Sample
from testing.board import Board
from testing.event_files import frame_ends
from testing.index_reader import read_index
from testing.synthetic import make_sample, write_session
from testing.tensorboard_process import asker, tensorboard, wait_until

RANDOM = np.random.default_rng(0)
CAPTURES = [
    [
        make_sample(
            RANDOM, step=100 * number, shape=(1, 1, 1), targets=(5,) * (number == 1), id=str(number)
        )
    ]
    for number in range(3)
]
FAR, NEAR = 249, 83
"""Bytes from one damaged place to the next, in the files that TensorBoard reads."""
APART = 7
"""The same in the files that Python reads. All eight bits of a byte are flipped in turn."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    write_session(folder, CAPTURES, session="s", start=1000.0)
    return (folder / file_name("s")).read_bytes()


def as_written(sample: Sample) -> bool:
    """Return whether a sample equals the stored one in everything that a reader can compare."""
    original = CAPTURES[sample.step // 100][0]
    return (
        sample.id == original.id
        and sample.label == original.label
        and np.float32(sample.margin) == np.float32(original.margin)
        and np.array_equal(sample.image, original.image)
        and np.array_equal(sample.probabilities, original.probabilities)
    )


every_place = pytest.mark.parametrize(
    "start", [0, *(pytest.param(start, marks=pytest.mark.slow) for start in range(1, APART))]
)
"""Every seventh byte of the file, from the first one in the daily test run."""


@every_place
def test_a_flipped_bit_costs_one_capture_or_all_after_a_damaged_length(
    tmp_path: Path, whole: bytes, caplog: pytest.LogCaptureFixture, start: int
) -> None:
    caplog.set_level(logging.ERROR)
    ends = frame_ends(whole)
    for place in range(start, len(whole), APART):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (tmp_path / file_name("s")).write_bytes(damaged)
        read = list(read_samples(tmp_path))
        struck = next(number for number, end in enumerate(ends) if place < end)
        in_header = place < (ends[struck - 1] if struck else 0) + 12
        lost = {0, 1, 2} & (set(range(struck - 1, 3)) if in_header else {struck - 1})
        assert {sample.step // 100 for sample in read} == {0, 1, 2} - lost, place
        assert all(map(as_written, read))


@every_place
def test_a_cut_costs_only_the_captures_that_it_damages(
    tmp_path: Path, whole: bytes, caplog: pytest.LogCaptureFixture, start: int
) -> None:
    caplog.set_level(logging.ERROR)
    ends = frame_ends(whole)
    for length in range(start, len(whole), APART):
        (tmp_path / file_name("s")).write_bytes(whole[:length])
        read = list(read_samples(tmp_path))
        assert len(read) == max(sum(end <= length for end in ends) - 1, 0)
        assert all(map(as_written, read))


Ask = Callable[[str], bytes]
Served = tuple[Ask, dict[str, bytes], bool]
"""How to ask TensorBoard, the content of each run's file, whether its loader is the fast one."""


def damaged_files(whole: bytes, stride: int) -> dict[str, bytes]:
    """Return the content of each run's file."""
    files = {"whole": whole, "empty": b"", "garbage": b"\xffgarbage" * 99}
    for place in range(0, len(whole), stride):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        files[f"flip {place}"] = bytes(damaged)
        files[f"cut {place}"] = whole[:place]
        files[f"hole {place}"] = whole[:place] + bytes(64) + whole[place + 64 :]
    return files


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("fast", FAR), marks=pytest.mark.process, id="fast"),
        pytest.param(("python", FAR), id="python"),
        pytest.param(
            ("fast", NEAR), marks=[pytest.mark.process, pytest.mark.slow], id="fast, more places"
        ),
        pytest.param(("python", NEAR), marks=pytest.mark.slow, id="python, more places"),
    ],
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, whole: bytes
) -> Iterator[Served]:
    """A TensorBoard on many damaged files, each in a run of its own."""
    logdir = tmp_path_factory.mktemp("damaged")
    loader, stride = request.param
    files = damaged_files(whole, stride)
    for name, content in files.items():
        (logdir / name).mkdir()
        (logdir / name / file_name("s")).write_bytes(content)
    if loader == "python":
        with Board(logdir) as board:
            yield asker(board.address), files, False
    else:
        with tensorboard(logdir) as address:
            ask = asker(address)
            wait_until(lambda: len(all_runs(ask)) > 0)
            # The loader looks for new runs only after it has read all runs that it knows.
            write_session(logdir / "last", CAPTURES, session="s", start=1000.0)
            wait_until(lambda: "last" in all_runs(ask))
            yield ask, files, True


def index_of(ask: Ask, run: str, tag: str = "confused") -> dict[str, Any]:
    """Return a run's index with its samples, as the page joins them."""
    index = json.loads(ask(f"index?{query(run, tag)}"))
    return read_index(index, lambda part: ask(f"records?{query(run, tag)}&part={part}"))


def query(run: str, tag: str = "confused") -> str:
    return urllib.parse.urlencode({"run": run, "tag": tag})


def all_runs(ask: Ask) -> dict[str, list[str]]:
    """Return the tags of each run."""
    return {run["run"]: run["tags"] for run in json.loads(ask("runs"))["runs"]}


def test_tensorboard_shows_only_samples_that_were_written(
    served: Served,
) -> None:
    ask, files, fast = served
    ends = frame_ends(files["whole"])
    runs = all_runs(ask)
    assert "empty" not in runs
    assert "garbage" not in runs
    written = {sample["step"]: sample for sample in index_of(ask, "whole")["samples"]}
    assert len(written) == 3
    shown = counted = 0
    for run, tags in runs.items():
        for tag in tags:
            index = index_of(ask, run, tag)
            counted += index["counts"]["unreadable"]
            for sample in index["samples"]:
                shown += 1
                whole = written[sample["step"]]
                # The damage may be in TensorBoard's framing, which is not part of a record.
                framing = {name: whole[name] for name in ("wall_time", "capture", "index")}
                assert {**sample, **framing} == whole, run
        if run.startswith("cut "):
            kept = sum(end <= len(files[run]) for end in ends) - 1
            assert index_of(ask, run)["counts"]["samples"] == kept
    assert shown > len(files) / 2
    if fast:  # The Python loader leaves out what its own checksums find.
        assert counted > len(files) / 20


def test_tensorboard_serves_whole_payloads_or_a_status_that_says_why_not(
    served: Served,
) -> None:
    ask, _, _ = served
    asked = "".join(f"&sample=s.{capture}.0" for capture in range(3))
    written = statuses(ask(f"payloads?{query('whole')}{asked}"))
    assert [status for status, _ in written] == [0, 0, 0]
    for run, tags in all_runs(ask).items():
        if "confused" in tags:
            for (status, payload), whole in zip(
                statuses(ask(f"payloads?{query(run)}{asked}")), written, strict=True
            ):
                assert (status, payload) == whole or (status in (1, 2) and not payload), run


def statuses(answer: bytes) -> list[tuple[int, bytes]]:
    parts = []
    while answer:
        status, length = struct.unpack_from("<II", answer)
        parts.append((status, answer[8 : 8 + length]))
        answer = answer[8 + length :]
    return parts
