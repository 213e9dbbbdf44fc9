"""Valid inputs of each target. The fuzzer starts from them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator

from tb_gradascent.format import image_codec
from tb_gradascent.format.event_file import frame
from tb_gradascent.format.metadata import series_tag
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.status import Notice, Status
from testing.event_files import VERSION1, version1_records
from testing.synthetic import DIGITS, make_event, string_tensor
from tests.fuzz.requests import seeds as requests
from tests.fuzz.targets import PIECE, SHAPES, full_sample

STATUS = Status(
    notices=(Notice("softmax-output", "warning", "It ends in Softmax.", "Return logits.", 0, 2),),
    steps=7,
    overhead=0.5,
    least_margin=0.25,
)


def _sample(shape: tuple[int, ...] = (1, 2, 2)) -> tuple[bytes, bytes]:
    return encode_sample(full_sample(shape))


def _payloads() -> Iterator[bytes]:
    for choice, shape in enumerate(SHAPES):
        _, stream = _sample(shape)
        yield bytes([2 * choice]) + stream
        yield bytes([2 * choice + 1]) + zlib.decompress(stream)


def _images() -> Iterator[bytes]:
    for choice, shape in enumerate(SHAPES):
        image = full_sample(shape).image
        encoded, codec = image_codec.encode_image(image)
        yield bytes([2 * choice + image_codec.IMAGE_CODECS.index(codec)]) + encoded


def _names() -> Iterator[bytes]:
    yield series_tag("a/b", "index", "s-1").encode()
    yield b"20261122T105626-1a2b3c4d.-12.3"


def _joined() -> Iterator[bytes]:
    yield b"".join(PIECE.pack(0, number, 10.0 + number, number, 3) for number in range(3))
    odd = [(0, 0, 10.0, 0, 1), (1, 0, 20.0, 0, 4), (1, -1, math.nan, 2**62, 0)]
    yield b"".join(PIECE.pack(*fields) for fields in odd)


def _event() -> bytes:
    event = make_event("tag", "fuzzed", 0, [_sample()], DIGITS, 1.0)
    return bytes(event.SerializeToString())


def _tensors() -> Iterator[bytes]:
    event = make_event("tag", "fuzzed", 0, [_sample()], DIGITS, 1.0)
    payload, index = (value.tensor.SerializeToString() for value in event.summary.value)
    yield len(payload).to_bytes(2, "little") + payload + index


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "record": lambda: iter([_sample()[0], *version1_records()]),
    "payload": _payloads,
    "image": _images,
    "session_info": lambda: iter([DIGITS.encode()]),
    "status": lambda: iter([STATUS.encode()]),
    "names": _names,
    "joined": _joined,
    "event": lambda: iter([_event()]),
    "event_file": lambda: iter([frame(_event()), VERSION1.read_bytes()]),
    "tensors": _tensors,
    "status_tensor": lambda: iter([string_tensor([STATUS.encode()]).SerializeToString()]),
    "request": requests,
}
