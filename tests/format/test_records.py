"""Records and payloads: the whole way round, against a decoder written from http_api.md alone."""

from __future__ import annotations

import dataclasses
import json
import struct
import tracemalloc
import zlib
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_gradascent.format import metadata
from tb_gradascent.format.payload import unpack_payload
from tb_gradascent.format.record import PayloadInfo, Record, RecordError
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import decode_sample, encode_sample
from tb_gradascent.format.samples import CapturedSample, Target
from testing.synthetic import make_sample

Array = npt.NDArray[np.float32]
FLOATS = st.floats(width=32)
CHANCES = st.floats(0, 1, width=32)
NAMES = st.none() | st.text(max_size=8) | st.just("\ud800 alone") | st.just("日本語 🙂")
CLASS = st.integers(0, metadata.MAX_CLASSES - 1)


def floats(shape: tuple[int, ...], elements: st.SearchStrategy[float] = FLOATS) -> Any:
    return hnp.arrays(np.float32, shape, elements=elements)


SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)) | st.tuples(
    st.sampled_from([1, 2, 5, 64]), st.integers(1, 9)
)
"""Images and signals."""


@st.composite
def images(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    """Any bits at all, every NaN included."""
    bits: npt.NDArray[np.uint32] = draw(hnp.arrays(np.uint32, shape))
    image: Array = bits.view(np.float32)
    return image if draw(st.booleans()) else draw(floats(shape))


@st.composite
def samples(draw: st.DrawFn) -> CapturedSample:
    shape = draw(SHAPES)
    strengths = np.unique(draw(st.integers(0, 4).flatmap(lambda n: floats((n,), CHANCES))))
    listed = draw(st.integers(0, 4))
    targets = []
    for _ in range(draw(st.integers(0, 3))):
        asked = (len(strengths),)
        targets.append(
            Target(
                index=draw(CLASS),
                gradient=draw(floats(shape)),
                delta=draw(floats(shape)) if len(strengths) else None,
                strengths=strengths,
                probabilities=draw(floats(asked)),
                original_probabilities=draw(floats(asked)),
                predictions=draw(hnp.arrays(np.int64, asked, elements=CLASS)),
                steps=draw(st.integers(0, 2**31 - 1)),
                stopped=draw(st.sampled_from(["confidence", "max_steps", "nonfinite", "none"])),
            )
        )
    return CapturedSample(
        step=draw(st.integers(-(2**63), 2**63 - 1)),
        id=draw(NAMES),
        label=draw(st.none() | st.integers(-(2**63), 2**63 - 1)),
        image=draw(images(shape)),
        classes=draw(hnp.arrays(np.int64, listed, elements=CLASS)),
        probabilities=draw(floats((listed,))),
        margin=float(draw(floats((1,)))[0]),
        entropy=float(draw(floats((1,)))[0]),
        loss=draw(st.none() | st.floats(width=32)),
        targets=tuple(targets),
        probe=draw(st.booleans()),
    )


def decode_by_hand(record: dict[str, Any], payload: bytes) -> list[list[float]]:
    """Every array of a payload as a flat list, by nothing but http_api.md and ``struct``."""
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
            image += [palette[place] for place in take(pixels)]
        else:
            image += planes(pixels)
    count = sum(1 + (target["delta_norm"] is not None) for target in record["targets"])
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


@settings(deadline=None)
@given(samples())
def test_a_sample_comes_back_as_it_was(sample: CapturedSample) -> None:
    data, payload = encode_sample(sample)
    back = decode_sample(parse_record(data), payload)
    for field in ("step", "id", "label", "probe"):
        assert getattr(back, field) == getattr(sample, field)
    assert back.image.shape == sample.image.shape
    np.testing.assert_array_equal(back.image.view(np.uint32), sample.image.view(np.uint32))
    np.testing.assert_array_equal(back.classes, sample.classes)
    np.testing.assert_array_equal(back.probabilities, sample.probabilities)
    np.testing.assert_array_equal(np.float32(back.margin), np.float32(sample.margin))
    assert len(back.targets) == len(sample.targets)
    for got, target in zip(back.targets, sample.targets, strict=True):
        assert (got.index, got.steps, got.stopped) == (target.index, target.steps, target.stopped)
        np.testing.assert_array_equal(got.strengths, target.strengths)
        np.testing.assert_array_equal(got.probabilities, target.probabilities)
        np.testing.assert_array_equal(got.predictions, target.predictions)
        assert got.gradient.shape == sample.image.shape
        assert_close(got.gradient, target.gradient, 1024)
        assert (got.delta is None) == (target.delta is None)
        if got.delta is not None and target.delta is not None:
            assert_close(got.delta, target.delta, 128)


def assert_close(got: Array, wanted: Array, levels: int) -> None:
    """Within half a level of the largest finite magnitude, and equal where not finite.

    The division and the product are float32, whose own rounding comes on top.
    """
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(got[~finite], wanted[~finite])
    largest = np.max(np.abs(wanted), where=finite, initial=0).astype(np.float64)
    error = np.abs(got[finite].astype(np.float64) - wanted[finite].astype(np.float64))
    assert error.max(initial=0) <= max(largest / levels / 2 * (1 + 2.0**-12), 1e-45)


@settings(deadline=None)
@given(samples())
def test_a_payload_means_what_the_http_api_says(sample: CapturedSample) -> None:
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
def test_an_image_of_more_values_than_a_palette_holds_is_exact_too(
    shape: tuple[int, ...], targets: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(1)
    image = rng.permutation(np.prod(shape)).astype(np.float32).reshape(shape)
    sample = dataclasses.replace(make_sample(rng, shape=shape, targets=targets), image=image)
    record, payload = parsed(sample)
    np.testing.assert_array_equal(decode_sample(record, payload).image, image)
    by_hand = decode_by_hand(dict(record), payload)
    np.testing.assert_array_equal(np.array(by_hand[0], np.float32), image.reshape(-1))


@settings(deadline=None)
@given(samples())
def test_storing_twice_changes_nothing(sample: CapturedSample) -> None:
    first = decode_sample(*parsed(sample))
    again = decode_sample(*parsed(first))
    for one, two in zip(arrays_of(first), arrays_of(again), strict=True):
        np.testing.assert_array_equal(one, two)


def parsed(sample: CapturedSample) -> tuple[Record, bytes]:
    data, payload = encode_sample(sample)
    return parse_record(data), payload


def arrays_of(sample: CapturedSample) -> list[Array]:
    arrays = [sample.image]
    for target in sample.targets:
        arrays += [array for array in (target.gradient, target.delta) if array is not None]
    return arrays


@settings(deadline=None)
@given(samples())
def test_a_record_is_json_without_extensions(sample: CapturedSample) -> None:
    data, _ = encode_sample(sample)
    json.loads(data, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert data.isascii()


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode))
def test_arbitrary_bytes_are_no_record(data: bytes) -> None:
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


@settings(deadline=None)
@given(st.sampled_from(sorted(FIELDS)), JSON, st.booleans())
def test_any_one_field_replaced_gives_a_record_or_a_record_error(
    name: str, value: object, inside: bool
) -> None:
    fields = json.loads(json.dumps(FIELDS))
    fields[name] = value
    if inside:
        target = fields["targets"] = [dict(FIELDS["targets"][0])]
        target[0][sorted(target[0])[len(name) % len(target[0])]] = value
    with pytest.raises(RecordError):  # from the first, or else from the second
        unpack_payload(parse_record(json.dumps(fields).encode()), b"")


@settings(deadline=None)
@given(st.data())
def test_a_damaged_payload_is_told_by_its_checksum(data: st.DataObject) -> None:
    record, payload = parsed(make_sample(np.random.default_rng(0)))
    place = data.draw(st.integers(0, len(payload) - 1))
    bit = data.draw(st.integers(0, 7))
    damaged = bytearray(payload)
    damaged[place] ^= 1 << bit
    with pytest.raises(RecordError, match="checksum"):
        unpack_payload(record, bytes(damaged))
    with pytest.raises(RecordError, match="checksum"):
        unpack_payload(record, payload[:place])


def with_payload(record: Record, payload: bytes) -> Record:
    """A record that vouches for any payload."""
    info: PayloadInfo = {
        "bytes": len(payload),
        "crc32c": google_crc32c.value(payload),
    }
    return {**record, "payload": info}


@settings(deadline=None)
@given(st.binary() | st.binary().map(zlib.compress))
def test_a_payload_of_arbitrary_bytes_with_a_right_checksum_raises_record_error(
    payload: bytes,
) -> None:
    record, _ = parsed(make_sample(np.random.default_rng(0), shape=(1, 3, 3)))
    with pytest.raises(RecordError):
        unpack_payload(with_payload(record, payload), payload)


@settings(deadline=None)
@given(data=st.data(), shape=SHAPES)
def test_a_payload_of_the_right_length_but_wrong_content_raises_at_most_record_error(
    data: st.DataObject, shape: tuple[int, ...]
) -> None:
    record, payload = parsed(make_sample(np.random.default_rng(0), shape=shape))
    inside = bytearray(zlib.decompress(payload))
    for _ in range(data.draw(st.integers(1, 4))):
        inside[data.draw(st.integers(0, len(inside) - 1))] = data.draw(st.integers(0, 255))
    wrong = zlib.compress(bytes(inside))
    try:
        arrays = unpack_payload(with_payload(record, wrong), wrong)
    except RecordError:
        return
    assert all(array.shape == shape for array in arrays)


def test_a_payload_that_inflates_without_end_is_stopped() -> None:
    record, _ = parsed(make_sample(np.random.default_rng(0), shape=(1, 2, 2)))
    bomb = zlib.compress(b"\0" * (1 << 26))
    tracemalloc.start()
    with pytest.raises(RecordError):
        unpack_payload(with_payload(record, bomb), bomb)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 22


def test_a_palette_of_more_entries_than_a_byte_reaches_is_damaged() -> None:
    sample = dataclasses.replace(
        make_sample(np.random.default_rng(0), targets=()), image=np.zeros((1, 40, 40), np.float32)
    )
    record, _ = parsed(sample)
    palette, places = struct.pack("<H", 300) + bytes(4 * 300), bytes(1600)
    payload = zlib.compress(palette + places)
    with pytest.raises(RecordError):
        unpack_payload(with_payload(record, payload), payload)


@pytest.mark.parametrize("cut", [1, 4, 5])
def test_a_stream_that_ends_early_is_damaged(cut: int) -> None:
    record, payload = parsed(make_sample(np.random.default_rng(0), shape=(1, 20, 20)))
    short = payload[:-cut]
    with pytest.raises(RecordError):
        unpack_payload(with_payload(record, short), short)


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
        ({"targets": [{}]}, "stopped"),
        ({"targets": [None]}, "targets"),
        ({"targets": {}}, "targets"),
        ({"payload": {"bytes": 1}}, "crc32c"),
        ({"payload": None}, "payload"),
    ],
)
def test_a_bad_field_is_named_with_its_value(change: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        parse_record(json.dumps({**FIELDS, **change}).encode())


def test_hostile_json_raises_record_error() -> None:
    for data in (b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"1e999", b"NaN", b"{}", b"\xff"):
        with pytest.raises(RecordError):
            parse_record(data)
    with pytest.raises(RecordError, match="record must have at most 262144 bytes, got 262145"):
        parse_record(b" " * (metadata.MAX_RECORD_BYTES + 1))


def test_a_newer_writers_optional_fields_are_left_out() -> None:
    record = parse_record(json.dumps({**FIELDS, "mood": "good"}).encode())
    assert "mood" not in record
    assert record == FIELDS


def test_a_record_whose_bytes_changed_is_told_by_its_own_checksum() -> None:
    data, _ = encode_sample(make_sample(np.random.default_rng(0)))
    parsed = parse_record(data)
    content, _, checksum = data.removesuffix(b"}").rpartition(b',"checksum":')
    assert google_crc32c.value(content) == int(checksum)
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1
        try:
            read = parse_record(bytes(damaged))
        except RecordError:
            continue
        assert read == parsed, "only the checksum's own name was struck"


def test_samples_that_break_a_limit_say_which() -> None:
    sample = make_sample(np.random.default_rng(0), id="x" * (metadata.MAX_NAME_LENGTH + 1))
    with pytest.raises(ValueError, match="id must be text of at most"):
        encode_sample(sample)
    sample = make_sample(np.random.default_rng(0))
    first, second = sample.targets
    uneven = dataclasses.replace(second, strengths=second.strengths * 2)
    with pytest.raises(ValueError, match="strengths"):
        encode_sample(dataclasses.replace(sample, targets=(first, uneven)))
    odd = dataclasses.replace(second, gradient=second.gradient[:, 1:])
    with pytest.raises(ValueError, match="shape"):
        encode_sample(dataclasses.replace(sample, targets=(first, odd)))
