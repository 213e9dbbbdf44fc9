"""Rows, read back as ``http_api.md`` documents them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_gradascent.format.metadata import RECORD_VERSION
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.samples import CapturedSample
from tb_gradascent.plugin import rows
from testing.event_files import version1_records
from testing.index_reader import complete, read_rows
from testing.strategies import captured_samples
from testing.synthetic import make_sample


def stored(**fields: Any) -> Any:
    """Return a record as stored, with some fields replaced."""
    rng = np.random.default_rng(0)
    data, _ = encode_sample(make_sample(rng, shape=(1, 4, 4), id="train/7"))
    record = json.loads(data)
    del record["checksum"]  # it no longer matches
    record.update(fields)
    arrays = sum(1 + len(target["morphs"]) for target in record["targets"])
    record["payload"]["codecs"] = ["palette", *["levels"] * arrays]
    return record


def read_back(record: dict[str, Any], **address: Any) -> dict[str, Any]:
    """Encode a record as a row and read that row."""
    parsed = parse_record(json.dumps(record).encode())
    address = {"capture": 12, "index": 3, "wall_time": 1.5, **address}
    (row,) = read_rows(rows.encode_row(parsed, **address))
    return row


def expected_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return what the row of a record must hold."""
    return {**complete(record), "capture": 12, "index": 3, "wall_time": 1.5}


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
        {"bounds": [[-1], [0.5]]},
        {"shape": [3, 2, 2], "bounds": [[-1, -2, -3], [1, 2, 3]]},
    ],
    ids=str,
)
def test_a_row_holds_what_the_record_holds(fields: dict[str, Any]) -> None:
    record = stored(**fields)
    assert read_back(record) == expected_row(record)


def test_a_row_without_an_ascent_has_no_morphs_and_no_strengths() -> None:
    targets = [{**target, "morphs": []} for target in stored()["targets"]]
    record = stored(strengths=[], targets=targets)
    assert read_back(record) == expected_row(record)


@given(captured_samples())
def test_any_record_comes_back_from_its_row(sample: CapturedSample) -> None:
    data, _ = encode_sample(sample)
    record = parse_record(data)
    (row,) = read_rows(rows.encode_row(record, capture=12, index=3, wall_time=1.5))
    expected = expected_row({**record})
    if expected["id"] is not None:
        expected["id"] = expected["id"].encode("utf-8", "replace").decode()
    # As JSON, every NaN is equal. A measure that is NaN cannot be told from an unknown one.
    text = json.dumps(expected, sort_keys=True)
    for name in ("gradient_p99", "largest_change", "mean_change"):
        text = text.replace(f'"{name}": NaN', f'"{name}": null')
    assert json.dumps(row, sort_keys=True) == text


def test_the_names_in_a_row_are_stored_once() -> None:
    sample = make_sample(
        np.random.default_rng(0),
        shape=(1, 4, 4),
        morphs=("smallest", "Größe <i>"),
        survived=(True, False, True),
        judges=("other", "smallest"),
    )
    record = parse_record(encode_sample(sample)[0])
    row = rows.encode_row(record, capture=0, index=0, wall_time=0)
    assert "smallest\nother\nGröße <i>".encode() in row
    assert row.count(b"smallest") == row.count(b"other") == 1
    (back,) = read_rows(row)
    for target in back["targets"]:
        assert [morph["name"] for morph in target["morphs"]] == ["smallest", "Größe <i>"]
        for morph in target["morphs"]:
            assert [judge["name"] for judge in morph["judges"]] == ["other", "smallest"]
            assert morph["survived"] == "101"


def test_a_record_of_version_1_has_a_row_with_unknown_measures() -> None:
    for record in version1_records():
        row = read_back(json.loads(record))
        assert row["version"] == RECORD_VERSION
        assert row == expected_row({**parse_record(record)})
        for target in row["targets"]:
            assert target["gradient_p99"] is None
            for morph in target["morphs"]:
                assert (morph["name"], morph["survived"], morph["judges"]) == ("morph", "", [])
                assert morph["largest_change"] is morph["mean_change"] is None


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
    payload = stored()["payload"]
    del payload["codecs"]
    assert rows.find_payload_info(capture, 2) == payload
    assert [rows.find_payload_info(capture, index) for index in (0, 3, 4)] == [None] * 3


@pytest.mark.parametrize("number", [-1, 2**53, 2**63 - 1])
def test_a_capture_whose_number_no_address_can_hold_is_unreadable(number: int) -> None:
    capture = rows.encode_capture(number, 1.5, [json.dumps(stored()).encode()])
    assert (capture.rows, len(capture.starts), capture.unreadable) == (b"", 0, 1)
    assert rows.least_step(capture) is None
    assert rows.find_payload_info(capture, 0) is None
