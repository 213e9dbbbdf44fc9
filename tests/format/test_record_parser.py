"""Every record is either read completely or refused with the reason."""

from __future__ import annotations

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
    data, _ = encode_sample(make_sample(np.random.default_rng(0)))
    fields: dict[str, Any] = json.loads(data)
    del fields["checksum"]
    return fields


FIELDS = example_fields()


@given(st.sampled_from(sorted(FIELDS)), JSON, st.booleans())
def test_a_record_with_one_replaced_field_is_read_or_raises_record_error(
    name: str, value: object, inside: bool
) -> None:
    fields = json.loads(json.dumps(FIELDS))
    fields[name] = value
    if inside:
        target = fields["targets"] = [dict(FIELDS["targets"][0])]
        target[0][sorted(target[0])[len(name) % len(target[0])]] = value
    with pytest.raises(RecordError):  # from parse_record, or else from unpack_payload
        unpack_payload(parse_record(json.dumps(fields).encode()), b"")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, r"version must be 1 \(update .*\), got 2"),
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
        ({"targets": [{}]}, "stopped must be one of"),
        ({"targets": [None]}, "targets"),
        ({"targets": {}}, "targets"),
        ({"payload": {"bytes": 1}}, "crc32c"),
        ({"payload": None}, "payload"),
    ],
)
def test_an_error_names_the_field_and_the_value(change: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=f"^{message}") as raised:
        parse_record(json.dumps({**FIELDS, **change}).encode())
    assert ", got " in str(raised.value)


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
