"""Every record is either read completely or refused with the reason."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import google_crc32c
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_gradascent.format import metadata
from tb_gradascent.format.payload import unpack_payload
from tb_gradascent.format.record import RecordError
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from testing.event_files import version1_records
from testing.synthetic import make_sample


@given(st.binary() | st.text().map(str.encode))
def test_arbitrary_bytes_raise_record_error(data: bytes) -> None:
    with pytest.raises(RecordError):
        parse_record(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)


def example_fields() -> dict[str, Any]:
    """Return a record in which every optional field is present."""
    sample = make_sample(
        np.random.default_rng(0),
        morphs=("smallest", "visible"),
        survived=(True, False),
        judges=("one", "two"),
        bounds=((-0.5,), (3.0,)),
    )
    sample = dataclasses.replace(
        sample,
        targets=tuple(
            dataclasses.replace(
                target,
                direction=-1,
                morphs={
                    name: dataclasses.replace(morph, spread=(0.5, 0.75))
                    for name, morph in target.morphs.items()
                },
            )
            for target in sample.targets
        ),
        spread=(0.25, 0.5),
    )
    data, _ = encode_sample(sample, dropped=3, every=400)
    fields: dict[str, Any] = json.loads(data)
    del fields["checksum"]
    return fields


FIELDS = example_fields()
PLACES: list[list[str | int]] = [
    [],
    ["targets", 0],
    ["targets", 0, "morphs", 1],
    ["payload"],
    ["targets", 1, "morphs", 0, "judges", 1],
]
"""Paths to the objects in a record."""


def holder_of(fields: Any, path: list[str | int]) -> dict[str, Any]:
    """Return the object at a path."""
    for key in path:
        fields = fields[key]
    found: dict[str, Any] = fields
    return found


@given(st.sampled_from(PLACES), JSON, st.data())
def test_a_record_with_one_replaced_field_is_read_or_raises_record_error(
    path: list[str | int], value: object, data: st.DataObject
) -> None:
    fields = copy.deepcopy(FIELDS)
    holder = holder_of(fields, path)
    holder[data.draw(st.sampled_from(sorted(holder)))] = value
    with pytest.raises(RecordError):  # from parse_record, or else from unpack_payload
        unpack_payload(parse_record(json.dumps(fields).encode()), b"")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 4}, r"version must be 1 to 3 \(update .*\), got 4"),
        ({"version": 0}, "version"),
        ({"version": True}, "version"),
        ({"shape": [784]}, "shape"),
        ({"shape": [1, 1, 28, 28]}, "shape must have at most 3 elements, got 4"),
        ({"shape": [5, 28, 28]}, "shape must be 1 to 4 channels, a height and a width, or 1 to 64"),
        ({"shape": [65, 784]}, "shape"),
        ({"shape": [1, 1 << 25]}, "shape"),
        ({"shape": [1, 28.0]}, "shape"),
        ({"shape": [1, 0, 28]}, "shape"),
        ({"shape": [1, 1 << 13, 1 << 13]}, "shape"),
        ({"step": 1.5}, "step"),
        ({"step": 2**63}, "step"),
        ({"every": 0}, "every"),
        ({"every": 2**53}, "every"),
        ({"margin": "nan"}, "margin"),
        ({"margin": None}, "margin"),
        ({"probabilities": [0.5]}, "probabilities"),
        ({"strengths": [0.0]}, "probabilities"),
        ({"strengths": [0.0, "Infinity"]}, "strengths must be numbers from 0 to 1000, ascending"),
        ({"strengths": [0.0, "NaN", 1.0]}, "strengths"),
        ({"strengths": [0.0, 1001]}, "strengths"),
        ({"strengths": [-0.5, 0.0]}, "strengths"),
        ({"strengths": [1.0, 0.5]}, "strengths"),
        ({"strengths": [0.5, 0.5]}, "strengths"),
        ({"classes": [-1]}, "classes"),
        ({"id": "x" * (metadata.MAX_NAME_LENGTH + 1)}, "id"),
        ({"id": 7}, "id"),
        ({"bounds": [[0.0]]}, "bounds must have 2 elements, got 1"),
        ({"bounds": [[0.0], [1.0, 2.0]]}, "bounds must be two lists of 1 finite numbers"),
        ({"bounds": [[0.0], ["Infinity"]]}, "bounds"),
        ({"bounds": [[0.0], 1.0]}, "bounds"),
        ({"targets": [{}]}, "morphs must be a list"),
        ({"targets": [FIELDS["targets"][0]] * 65}, "targets must have at most 64 elements, got 65"),
        ({"targets": [None]}, "targets"),
        ({"targets": {}}, "targets"),
        ({"payload": {"bytes": 1}}, "crc32c"),
        ({"payload": None}, "payload"),
        ({"payload": {**FIELDS["payload"], "codecs": None}}, "codecs must be a list"),
        (
            {"payload": {**FIELDS["payload"], "codecs": ["palette"] + ["levels"] * 5}},
            "codecs must have 7 elements, got 6",
        ),
        (
            {"payload": {**FIELDS["payload"], "codecs": ["levels"] * 7}},
            r"codecs must be one of .'palette', .* \(update .*\), got 'levels'",
        ),
        (
            {"payload": {**FIELDS["payload"], "codecs": ["palette", *["palette"] * 6]}},
            r"codecs must be one of .'levels', .* \(update .*\), got 'palette'",
        ),
        ({"payload": {**FIELDS["payload"], "codecs": ["palette", *[[]] * 6]}}, "codecs"),
    ],
)
def test_an_error_names_the_field_and_the_value(change: dict[str, object], message: str) -> None:
    refuse(change, message)


TARGET, MORPH, JUDGE = (holder_of(FIELDS, PLACES[place]) for place in (1, 2, 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"direction": 0}, "direction must be 1 or -1, got 0"),
        ({"direction": True}, "direction"),
        ({"direction": None}, "direction"),
        ({"gradient_p99": "nan"}, "gradient_p99"),
        ({"gradient_norm": None}, "gradient_norm"),
        ({"index": 1 << 20}, "index"),
        ({"morphs": [MORPH] * 5}, "morphs must have at most 4 elements, got 5"),
        ({"morphs": [MORPH] * 2}, "morphs must have different names"),
        ({"morphs": [7]}, "morphs must hold objects, got 7"),
        ({"morphs": [{}]}, "stopped must be one of"),
    ],
    ids=repr,
)
def test_an_error_names_the_field_of_a_target(change: dict[str, object], message: str) -> None:
    refuse({"targets": [{**TARGET, **change}]}, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "name must be 1 to 64 printable characters, got ''"),
        ({"name": "x" * 65}, "name"),
        ({"name": None}, "name"),
        ({"name": "line\nfeed"}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "\x1b[31m"}, "name"),
        ({"name": "\u202eright"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"stopped": "bored"}, "stopped"),
        ({"stopped": []}, "stopped"),
        ({"steps": -1}, "steps"),
        ({"steps": 2**31}, "steps"),
        ({"delta_norm": None}, "delta_norm"),
        ({"largest_change": "big"}, "largest_change"),
        ({"mean_change": []}, "mean_change"),
        ({"probabilities": [0.5]}, "probabilities must have 10 elements, got 1"),
        ({"original_probabilities": [0.5]}, "original_probabilities must have 10 elements, got 1"),
        ({"predictions": [1] * 9}, "predictions must have 10 elements, got 9"),
        ({"predictions": [1 << 20] * 10}, "predictions"),
        ({"survived": ""}, "survived must be 1 to 16 characters 0 or 1, got ''"),
        ({"survived": "1" * 17}, "survived"),
        ({"survived": "1\n"}, "survived"),
        ({"survived": "102"}, "survived"),
        ({"survived": [1, 0]}, "survived"),
        ({"spread": [0.5]}, "spread must have 2 elements, got 1"),
        ({"spread": [0.5, None]}, "spread must hold numbers"),
        ({"judges": {}}, "judges must be a list"),
        ({"judges": [JUDGE] * 5}, "judges must have at most 4 elements, got 5"),
        ({"judges": [JUDGE] * 2}, "judges must have different names"),
        ({"judges": [None]}, "judges must hold objects"),
        ({"judges": [{**JUDGE, "name": "tab\t"}]}, "name"),
        (
            {"judges": [{**JUDGE, "probabilities": []}]},
            "probabilities must have 10 elements, got 0",
        ),
        ({"judges": [{**JUDGE, "original_probabilities": None}]}, "original_probabilities"),
        ({"judges": [{**JUDGE, "predictions": [-1] * 10}]}, "predictions"),
    ],
    ids=repr,
)
def test_an_error_names_the_field_of_a_morph(change: dict[str, object], message: str) -> None:
    refuse({"targets": [{**TARGET, "morphs": [{**MORPH, **change}]}]}, message)


def refuse(change: dict[str, object], message: str) -> None:
    """Check that a record with a change is refused with a message."""
    with pytest.raises(RecordError, match=f"^{message}") as raised:
        parse_record(json.dumps({**FIELDS, **change}).encode())
    assert ", got " in str(raised.value)


@pytest.mark.parametrize("shape", [[1, 784], [1, 1, 4097]])
@pytest.mark.parametrize("position", [0, 3])
def test_only_moderate_images_may_have_a_predicting_codec(shape: list[int], position: int) -> None:
    codecs = ["palette", *["levels"] * 6]
    codecs[position] = "predicted_levels" if position else "predicted_palette"
    change: dict[str, Any] = {"payload": {**FIELDS["payload"], "codecs": codecs}}
    parse_record(json.dumps({**FIELDS, **change}).encode())
    refuse({**change, "shape": shape}, "codecs may be .* only of an image whose sides are at most")


def test_the_largest_numbers_of_morphs_judges_and_checks_are_read() -> None:
    judges = [{**JUDGE, "name": "é" * 63 + str(number)} for number in range(4)]
    morphs = [
        {**MORPH, "name": f"{number}" + "☃" * 63, "survived": "01" * 8, "judges": judges}
        for number in range(4)
    ]
    change: dict[str, Any] = {"targets": [{**TARGET, "morphs": morphs}] * 2}
    change["payload"] = {**FIELDS["payload"], "codecs": ["palette", *["levels"] * 10]}
    record = parse_record(json.dumps({**FIELDS, **change}).encode())
    assert record["targets"] == change["targets"]


def test_a_record_of_version_2_has_the_same_fields() -> None:
    now = parse_record(json.dumps(FIELDS).encode())
    assert parse_record(json.dumps({**FIELDS, "version": 2}).encode()) == now
    assert now["version"] == 3


def test_records_of_version_1_are_upgraded() -> None:
    moved, still = map(parse_record, version1_records())
    assert moved["version"] == still["version"] == 3
    assert moved["payload"]["codecs"] == ["palette", *["levels"] * 4]
    assert still["payload"]["codecs"] == ["palette", "levels", "levels"]
    assert moved["targets"][1] == {
        "index": 5,
        "gradient_norm": 6.4031243,
        "gradient_p99": None,
        "morphs": [
            {
                "name": "morph",
                "steps": 4,
                "stopped": "confidence",
                "delta_norm": 0.40019527,
                "largest_change": None,
                "mean_change": None,
                "probabilities": [0.375, 0.625, 0.875],
                "original_probabilities": [0.5, 0.25, 0.125],
                "predictions": [3, 5, 5],
            }
        ],
    }
    assert [target["morphs"] for target in still["targets"]] == [[], []]


@given(st.data(), JSON)
def test_a_damaged_record_of_version_1_is_read_or_raises_record_error(
    data: st.DataObject, value: object
) -> None:
    fields = json.loads(next(version1_records()))
    del fields["checksum"]
    holder = data.draw(st.sampled_from([fields, fields["targets"][0], fields["payload"]]))
    holder[data.draw(st.sampled_from(sorted(holder)))] = value
    with pytest.raises(RecordError):
        unpack_payload(parse_record(json.dumps(fields).encode()), b"")


def test_hostile_json_raises_record_error() -> None:
    for data in (b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"1e999", b"NaN", b"{}", b"\xff"):
        with pytest.raises(RecordError):
            parse_record(data)
    with pytest.raises(RecordError, match="record must have at most 262144 bytes, got 262145"):
        parse_record(b" " * (metadata.MAX_RECORD_BYTES + 1))


def test_unknown_fields_are_left_out() -> None:
    record = parse_record(json.dumps({**FIELDS, "mood": "good"}).encode())
    assert "mood" not in record
    assert record == FIELDS


def test_the_checksum_finds_any_changed_byte_of_a_record() -> None:
    data, _ = encode_sample(make_sample(np.random.default_rng(0)))
    parsed = parse_record(data)
    content, _, checksum = data.removesuffix(b"}").rpartition(b',"checksum":')
    assert google_crc32c.value(content) == int(checksum)
    for offset in range(len(data)):
        damaged = bytearray(data)
        damaged[offset] ^= 1
        try:
            read = parse_record(bytes(damaged))
        except RecordError:
            continue
        assert read == parsed, "only the name of the checksum was damaged"
