"""Rows, read back as ``http_api.md`` documents them."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.plugin import rows
from testing.index_reader import read_rows
from testing.synthetic import make_sample


def stored(**fields: Any) -> dict[str, Any]:
    """Return a record as stored, with some fields replaced."""
    rng = np.random.default_rng(0)
    data, _ = encode_sample(make_sample(rng, shape=(1, 4, 4), id="train/7"))
    record = json.loads(data)
    del record["checksum"]  # it no longer matches
    return {**record, **fields}


def read_back(record: dict[str, Any], **address: Any) -> dict[str, Any]:
    """Encode a record as a row and read that row."""
    parsed = parse_record(json.dumps(record).encode())
    address = {"capture": 12, "index": 3, "wall_time": 1.5, **address}
    (row,) = read_rows(rows.encode_row(parsed, **address))
    return row


def expected_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return what the row of a record must hold: every field, and each number as a float."""
    expected = copy.deepcopy(record)
    expected.setdefault("dropped", 0)
    expected.setdefault("every", 0)
    for name in ("margin", "entropy", "loss"):
        expected[name] = None if expected[name] is None else float(expected[name])
    for name in ("probabilities", "strengths"):
        expected[name] = [float(value) for value in expected[name]]
    for target in expected["targets"]:
        target.setdefault("original_probabilities", target["probabilities"])
        for name in ("probabilities", "original_probabilities"):
            target[name] = [float(value) for value in target[name]]
        target["gradient_norm"] = float(target["gradient_norm"])
        if target["delta_norm"] is not None:
            target["delta_norm"] = float(target["delta_norm"])
    return {**expected, "capture": 12, "index": 3, "wall_time": 1.5}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"id": None},
        {"id": ""},
        {"id": "Größe/☃/\U0001f600"},
        {"label": None, "loss": None},
        {"label": 0, "loss": 0},
        {"label": -1},
        {"probe": True},
        {"step": -(2**31)},
        {"dropped": 7},
        {"every": 400},
        {"targets": []},
        {"classes": [], "probabilities": []},
        {"shape": [64, 300]},
        {"shape": [4, 5, 6]},
        {"margin": "Infinity", "entropy": "-Infinity", "loss": "Infinity"},
        {"margin": 1e300, "loss": 2**63},
    ],
    ids=str,
)
def test_a_row_holds_what_the_record_holds(fields: dict[str, Any]) -> None:
    record = stored(**fields)
    assert read_back(record) == expected_row(record)


def test_a_row_without_an_ascent_has_no_delta_and_no_strengths() -> None:
    record = stored(strengths=[])
    for target in record["targets"]:
        del target["original_probabilities"]
        target.update(probabilities=[], predictions=[], delta_norm=None, stopped="none")
    assert read_back(record) == expected_row(record)


def test_nan_stays_nan() -> None:
    record = stored(margin="NaN", loss="NaN", probabilities=["NaN"] * 10)
    row = read_back(record)
    assert np.isnan([row["margin"], row["loss"], *row["probabilities"]]).all()


def test_a_lone_surrogate_is_replaced() -> None:
    assert read_back(stored(id="a\ud800"))["id"] == "a?"


@given(st.integers(0, 2**53 - 1), st.integers(0, 2**31), st.floats(0, 1e12))
def test_an_address_is_exact(capture: int, index: int, wall_time: float) -> None:
    row = read_back(stored(), capture=capture, index=index, wall_time=wall_time)
    assert (row["capture"], row["index"], row["wall_time"]) == (capture, index, wall_time)


def test_a_capture_counts_unreadable_records_and_finds_the_others() -> None:
    values: list[object] = [
        b"damage",
        *(json.dumps(stored(step=step)).encode() for step in (9, 4)),
        "text",
    ]
    capture = rows.encode_capture(12, 1.5, values)
    assert capture.unreadable == 2
    assert [(row["index"], row["step"]) for row in read_rows(capture.rows)] == [(1, 9), (2, 4)]
    assert rows.least_step(capture) == 4
    assert rows.find_payload_info(capture, 2) == stored()["payload"]
    assert [rows.find_payload_info(capture, index) for index in (0, 3, 4)] == [None] * 3


@pytest.mark.parametrize("number", [-1, 2**53, 2**63 - 1])
def test_a_capture_whose_number_no_address_can_hold_is_unreadable(number: int) -> None:
    capture = rows.encode_capture(number, 1.5, [json.dumps(stored()).encode()])
    assert (capture.rows, len(capture.starts), capture.unreadable) == (b"", 0, 1)
    assert rows.least_step(capture) is None
    assert rows.find_payload_info(capture, 0) is None
