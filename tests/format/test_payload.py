"""Payloads, compared with a decoder written only from http_api.md, and damaged payloads."""

from __future__ import annotations

import dataclasses
import json
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_gradascent.format.payload import payload_info, unpack_payload
from tb_gradascent.format.record import Record, RecordError
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import decode_sample, encode_sample
from tb_gradascent.format.samples import CapturedSample
from testing.strategies import SHAPES, captured_samples, stored
from testing.synthetic import make_sample


def decode_by_hand(record: dict[str, Any], payload: bytes) -> list[list[float]]:
    """Decode each array of a payload to a flat list, only by http_api.md and ``struct``."""
    data = memoryview(zlib.decompress(payload))
    channels, *sides = record["shape"]
    pixels = sides[0] * sides[1] if len(sides) == 2 else sides[0]

    def take(size: int) -> bytes:
        nonlocal data
        taken, data = bytes(data[:size]), data[size:]
        assert len(taken) == size
        return taken

    def planes(count: int) -> list[float]:
        raw = take(4 * count)
        return [struct.unpack("<f", raw[i::count])[0] for i in range(count)]

    image: list[float] = []
    for _ in range(channels):
        (entries,) = struct.unpack("<H", take(2))
        if entries:
            palette = planes(entries)
            image += [palette[index] for index in take(pixels)]
        else:
            image += planes(pixels)
    count = sum(1 + len(target["morphs"]) for target in record["targets"])
    assert record["payload"]["codecs"] == ["palette", *["levels"] * count]
    quanta = struct.unpack(f"<{count}f", take(4 * count))
    arrays = [image]
    for quantum in quanta:
        raw = take(2 * channels * pixels)
        half = len(raw) // 2
        levels = [
            folded // 2 if folded % 2 == 0 else -(folded + 1) // 2
            for low, high in zip(raw[:half], raw[half:], strict=True)
            for folded in [low + 256 * high]
        ]
        special = {-32768: float("nan"), -32767: -float("inf"), 32767: float("inf")}
        arrays.append(
            [
                special[level] if level in special else float(np.float32(level * quantum))
                for level in levels
            ]
        )
    assert not data
    return arrays


@given(captured_samples())
def test_a_payload_is_as_the_http_api_documents(sample: CapturedSample) -> None:
    data, payload = encode_sample(sample)
    by_hand = decode_by_hand(json.loads(data), payload)
    ours = unpack_payload(parse_record(data), payload)
    assert len(by_hand) == len(ours)
    for hand, own in zip(by_hand, ours, strict=True):
        np.testing.assert_array_equal(np.array(hand, np.float32), own.reshape(-1))


@pytest.mark.parametrize(
    "shape", [(1, 16, 16), (1, 1, 257), (3, 17, 19), (4, 64, 64), (1, 257), (64, 300)]
)
@pytest.mark.parametrize("targets", [(), (3,), (3, 5)])
def test_an_image_with_too_many_values_for_a_palette_is_exact(
    shape: tuple[int, ...], targets: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(1)
    image = rng.permutation(np.prod(shape)).astype(np.float32).reshape(shape)
    sample = dataclasses.replace(make_sample(rng, shape=shape, targets=targets), image=image)
    record, payload = stored(sample)
    np.testing.assert_array_equal(decode_sample(record, payload).image, image)
    by_hand = decode_by_hand(dict(record), payload)
    np.testing.assert_array_equal(np.array(by_hand[0], np.float32), image.reshape(-1))


@given(st.data())
def test_the_checksum_finds_a_damaged_payload(data: st.DataObject) -> None:
    record, payload = stored(make_sample(np.random.default_rng(0)))
    offset = data.draw(st.integers(0, len(payload) - 1))
    bit = data.draw(st.integers(0, 7))
    damaged = bytearray(payload)
    damaged[offset] ^= 1 << bit
    with pytest.raises(RecordError, match="checksum"):
        unpack_payload(record, bytes(damaged))
    with pytest.raises(RecordError, match="checksum"):
        unpack_payload(record, payload[:offset])


def with_payload(record: Record, payload: bytes) -> Record:
    """Return the record with the length and checksum of another payload."""
    return {**record, "payload": {**record["payload"], **payload_info(payload)}}


@given(st.binary() | st.binary().map(zlib.compress))
def test_arbitrary_bytes_with_a_matching_checksum_raise_record_error(
    payload: bytes,
) -> None:
    record, _ = stored(make_sample(np.random.default_rng(0), shape=(1, 3, 3)))
    with pytest.raises(RecordError):
        unpack_payload(with_payload(record, payload), payload)


@given(data=st.data(), shape=SHAPES)
def test_changed_content_of_the_right_length_raises_at_most_record_error(
    data: st.DataObject, shape: tuple[int, ...]
) -> None:
    record, payload = stored(make_sample(np.random.default_rng(0), shape=shape))
    inside = bytearray(zlib.decompress(payload))
    for _ in range(data.draw(st.integers(1, 4))):
        inside[data.draw(st.integers(0, len(inside) - 1))] = data.draw(st.integers(0, 255))
    wrong = zlib.compress(bytes(inside))
    try:
        arrays = unpack_payload(with_payload(record, wrong), wrong)
    except RecordError:
        return
    assert all(array.shape == shape for array in arrays)


def test_a_payload_that_inflates_too_far_takes_little_memory() -> None:
    record, _ = stored(make_sample(np.random.default_rng(0), shape=(1, 2, 2)))
    bomb = zlib.compress(b"\0" * (1 << 26))
    tracemalloc.start()
    with pytest.raises(RecordError):
        unpack_payload(with_payload(record, bomb), bomb)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 22


def test_a_palette_with_more_than_256_entries_raises_record_error() -> None:
    sample = dataclasses.replace(
        make_sample(np.random.default_rng(0), targets=()), image=np.zeros((1, 40, 40), np.float32)
    )
    record, _ = stored(sample)
    palette, indices = struct.pack("<H", 300) + bytes(4 * 300), bytes(1600)
    payload = zlib.compress(palette + indices)
    with pytest.raises(RecordError):
        unpack_payload(with_payload(record, payload), payload)


@pytest.mark.parametrize("cut", [1, 4, 5])
def test_a_stream_that_ends_early_raises_record_error(cut: int) -> None:
    record, payload = stored(make_sample(np.random.default_rng(0), shape=(1, 20, 20)))
    short = payload[:-cut]
    with pytest.raises(RecordError):
        unpack_payload(with_payload(record, short), short)
