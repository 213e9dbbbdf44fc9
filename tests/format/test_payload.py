"""Payloads, compared with a decoder written only from http_api.md, and damaged payloads."""

from __future__ import annotations

import contextlib
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

from tb_gradascent.format.folding import fold
from tb_gradascent.format.image_codec import encode_image
from tb_gradascent.format.payload import payload_info, unpack_payload
from tb_gradascent.format.quantization import LARGE
from tb_gradascent.format.record import Record, RecordError
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import decode_sample, encode_sample
from tb_gradascent.format.samples import CapturedSample
from testing.prediction import restore_by_loop
from testing.strategies import SHAPES, captured_samples, stored
from testing.synthetic import make_sample


def decode_by_hand(record: dict[str, Any], payload: bytes) -> list[list[float]]:
    """Decode each array of a payload to a flat list, only by http_api.md and ``struct``."""
    data = memoryview(zlib.decompress(payload))
    channels, *sides = record["shape"]
    height, width = sides if len(sides) == 2 else (1, sides[0])
    pixels = height * width
    image_codec, *codecs = record["payload"]["codecs"]

    def take(size: int) -> bytes:
        nonlocal data
        taken, data = bytes(data[:size]), data[size:]
        assert len(taken) == size
        return taken

    def planes(count: int) -> list[float]:
        raw = take(4 * count)
        return [struct.unpack("<f", raw[i::count])[0] for i in range(count)]

    def unfold(raw: bytes) -> list[int]:
        half = len(raw) // 2
        folded = [low + 256 * high for low, high in zip(raw[:half], raw[half:], strict=True)]
        return [each // 2 if each % 2 == 0 else -(each + 1) // 2 for each in folded]

    def restore(residuals: list[int]) -> list[int]:
        shape = (channels, height, width)
        return list(restore_by_loop(np.array(residuals, np.int32).reshape(shape)).flat)

    image: list[float] = []
    if image_codec == "predicted_palette":
        palettes = [planes(struct.unpack("<H", take(2))[0]) for _ in range(channels)]
        indices = restore(unfold(take(2 * channels * pixels)))
        image = [palettes[at // pixels][index] for at, index in enumerate(indices)]
    else:
        for _ in range(channels):
            (entries,) = struct.unpack("<H", take(2))
            if entries:
                palette = planes(entries)
                image += [palette[index] for index in take(pixels)]
            else:
                image += planes(pixels)
    count = sum(1 + len(target["morphs"]) for target in record["targets"])
    assert len(codecs) == count
    quanta = struct.unpack(f"<{count}f", take(4 * count))
    arrays = [image]
    for quantum, codec in zip(quanta, codecs, strict=True):
        levels = unfold(take(2 * channels * pixels))
        if codec == "predicted_levels":
            levels = restore(levels)
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


@pytest.mark.parametrize("shape", [(1, 40, 30), (3, 74, 75), (4, 20, 20)], ids=str)
def test_a_photograph_with_smooth_morphs_is_as_the_http_api_documents(
    shape: tuple[int, ...],
) -> None:
    rng = np.random.default_rng(0)
    sample = make_sample(rng, shape=shape, morphs=("smallest", "visible"))
    pixels = np.rint(255 / 3.2457 * (sample.image + 0.4242)).astype(np.float32)
    sample = dataclasses.replace(sample, image=pixels)
    data, payload = encode_sample(sample)
    codecs = json.loads(data)["payload"]["codecs"]
    gradient = "coarse_levels" if pixels.size >= LARGE else "levels"
    assert codecs == ["predicted_palette", *[gradient, "levels", "predicted_levels"] * 2]
    ours = unpack_payload(parse_record(data), payload)
    for hand, own in zip(decode_by_hand(json.loads(data), payload), ours, strict=True):
        np.testing.assert_array_equal(np.array(hand, np.float32), own.reshape(-1))
    np.testing.assert_array_equal(ours[0], pixels)


def test_special_values_in_a_smooth_delta_come_back() -> None:
    sample = make_sample(np.random.default_rng(0), morphs=("visible",), targets=(5,))
    (target,) = sample.targets
    delta = target.morphs["visible"].delta.copy()
    delta[0, 3, 4:7] = (np.nan, np.inf, -np.inf)
    morph = dataclasses.replace(target.morphs["visible"], delta=delta)
    sample = dataclasses.replace(
        sample, targets=(dataclasses.replace(target, morphs={"visible": morph}),)
    )
    back = decode_sample(*stored(sample)).targets[0].morphs["visible"].delta
    np.testing.assert_array_equal(back[0, 3, 4:7], delta[0, 3, 4:7])
    np.testing.assert_allclose(back, delta, atol=delta[np.isfinite(delta)].max() / 256 * 1.001)


def test_a_restored_level_that_is_out_of_range_raises_record_error() -> None:
    sample = make_sample(np.random.default_rng(0), shape=(1, 2, 2), targets=(5,), morphs=())
    record, _ = stored(sample)
    record["payload"]["codecs"] = ["palette", "predicted_levels"]
    image, _ = encode_image(sample.image)
    for residuals, fits in (([32767, 0, 0, 0], True), ([32767, 1, 0, 0], False)):
        body = fold(np.array(residuals, np.int16))
        payload = zlib.compress(image + struct.pack("<f", 1.0) + body)
        with contextlib.nullcontext() if fits else pytest.raises(RecordError, match="level"):
            assert len(unpack_payload(with_payload(record, payload), payload)) == 2


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
