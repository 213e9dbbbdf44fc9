"""The fuzz targets. Each takes any bytes and raises only if the code breaks its promise.

The promise: any input gives a sample, a counted unreadable record, or an error with a plain
sentence. It never gives another exception or takes more memory than ``metadata.py`` allows.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import struct
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.context import RequestContext

from tb_gradascent import read_samples
from tb_gradascent.format import image_codec, metadata
from tb_gradascent.format.event_file import EventFile, file_name, frame
from tb_gradascent.format.metadata import SessionInfo, series_tag, split_series_tag
from tb_gradascent.format.payload import largest_payload, payload_info
from tb_gradascent.format.prediction import can_predict
from tb_gradascent.format.record import PayloadRecord, Record, RecordError
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import decode_sample, encode_sample
from tb_gradascent.format.samples import CapturedSample
from tb_gradascent.format.sessions import ParsedCapture, Session, join, parse_capture
from tb_gradascent.format.status import MAX_NOTICES, MAX_STATUS_BYTES, Status
from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.data_source import Scope
from tb_gradascent.plugin.errors import RequestError
from tb_gradascent.plugin.sample_store import SampleStore
from testing.synthetic import (
    DIGITS,
    make_captures,
    make_event,
    make_sample,
    make_status_event,
)
from tests.fuzz.requests import request

Target = Callable[[bytes], object]

SHAPES = ((1, 2, 2), (3, 4, 1), (4, 1, 1), (2, 5), (64, 1), (1, 17, 17))
PIECE = struct.Struct("<BbdqB")
"""One capture of :func:`joined`: session, number, wall time, step, number of values."""
LONGEST_MESSAGE = 1000
"""Characters. A message quotes up to 80, and each may be escaped with ten."""


def record(data: bytes) -> None:
    """A record's JSON."""
    try:
        parsed = parse_record(data)
    except RecordError as error:
        _is_a_sentence(error)
        return
    again = json.dumps(parsed, separators=(",", ":"), allow_nan=False).encode()
    assert parse_record(again) == parsed
    assert largest_payload(parsed) <= metadata.MAX_PAYLOAD_BYTES


def payload(data: bytes) -> None:
    """A payload whose checksum matches its record.

    The first byte chooses the record, and whether the rest is the zlib stream or its content.
    """
    choice, rest = data[0] if data else 0, data[1:]
    record = _records()[choice // 2 % len(SHAPES)]
    stream = zlib.compress(rest, 1) if choice % 2 else rest
    described: PayloadRecord = {**record["payload"], **payload_info(stream)}
    try:
        sample = decode_sample({**record, "payload": described}, stream)
    except RecordError as error:
        _is_a_sentence(error)
        return
    for target in sample.targets:
        deltas = [morph.delta for morph in target.morphs.values()]
        assert len(deltas) == 2
        for array in (sample.image, target.gradient, *deltas):
            assert array.shape == tuple(record["shape"])
            assert array.dtype == np.float32


def image(data: bytes) -> None:
    """An encoded image. The first byte chooses its shape and its codec."""
    choice = data[0] if data else 0
    shape = SHAPES[choice // 2 % len(SHAPES)]
    codec = image_codec.IMAGE_CODECS[choice % 2 if can_predict(shape) else 0]
    try:
        decoded, size = image_codec.decode_image(data[1:], shape, codec)
    except ValueError as error:
        _is_a_sentence(error)
        return
    assert decoded.shape == shape
    assert size <= min(len(data) - 1, image_codec.largest_size(shape, codec))
    encoded, codec = image_codec.encode_image(decoded)
    again, _ = image_codec.decode_image(encoded, shape, codec)
    assert again.tobytes() == decoded.tobytes()


def session_info(data: bytes) -> None:
    """A session's constants."""
    info = SessionInfo.decode(data)
    text = json.dumps(info.to_json(), allow_nan=False)
    assert SessionInfo.decode(text.encode()) == info or len(text) > metadata.MAX_SESSION_INFO_BYTES
    assert math.isfinite(info.started)
    assert all(len(name) <= metadata.MAX_NAME_LENGTH for name in info.class_names or ())


def status(data: bytes) -> None:
    """A session's status."""
    decoded = Status.decode(data)
    again = decoded.encode()
    assert len(again) <= MAX_STATUS_BYTES
    assert len(decoded.notices) <= MAX_NOTICES
    back = Status.decode(again)
    assert back.notices == decoded.notices[: len(back.notices)]
    assert dataclasses.replace(back, notices=decoded.notices) == decoded


def names(data: bytes) -> None:
    """A series' tag, and an address in a request."""
    text = data.decode(errors="surrogateescape")
    split = split_series_tag(text)
    assert split is None or series_tag(*split) == text
    for parse in (Address.parse, CaptureRange.parse):
        try:
            parsed = parse(text)
        except RequestError as error:  # noqa: PERF203
            _is_a_sentence(error)
        else:
            fields = dataclasses.astuple(parsed)
            assert parse(".".join(map(str, fields))) == parsed


def joined(data: bytes) -> None:
    """Sessions whose captures have arbitrary times, numbers and steps."""
    sessions: dict[str, dict[int, ParsedCapture]] = {}
    whole = min(len(data) // PIECE.size, 16) * PIECE.size
    for name, number, wall_time, step, kind in PIECE.iter_unpack(data[:whole]):
        values: list[object] = [_template(step), b"no record", 0.5, _template(step + 1)][: kind % 5]
        capture = parse_capture(number, wall_time, values)
        assert len(capture.entries) + capture.unreadable == len(values)
        sessions.setdefault(str(name % 8), {})[number] = capture
    index = join(Session(name, SessionInfo(), captures) for name, captures in sessions.items())
    steps = [entry.step for _, entry in index.entries]
    assert steps == sorted(steps)
    unreadable = 0
    for position, session in enumerate(index.sessions):
        shown = Counter(entry for owner, entry in index.entries if owner == position)
        stored = Counter(entry for one in session.captures.values() for entry in one.entries)
        assert not shown - stored
        left_out = stored - shown
        latest = max((entry.step for entry in shown), default=-math.inf)
        assert all(entry.step > latest for entry in left_out)
        unreadable += sum(one.unreadable for one in session.captures.values())
    assert len(index.sessions) == len(sessions)
    assert index.unreadable == unreadable


def event(data: bytes) -> None:
    """An arbitrary event between two sound ones. All three checksums match."""
    before, after = _neighbours()
    folder = _folder()
    path = folder / file_name("ours")
    path.write_bytes(before + frame(data) + after)
    found = {sample.id for sample in read_samples(folder)}
    # Otherwise it may hold a record, or be an event of our session.
    if b'"version"' not in data and b"ours" not in data:
        assert found == {"train/0-0", "train/1-0"}


def event_file(data: bytes) -> None:
    """A whole event file."""
    folder = _folder()
    (folder / file_name("fuzzed")).write_bytes(data)
    for sample in read_samples(folder):
        assert sample.image.size <= metadata.MAX_ELEMENTS


def tensors(data: bytes) -> None:
    """The two tensors of a capture, as TensorBoard's own loader passes them to the plugin.

    The first two bytes hold the length of the first tensor.
    """
    first = int.from_bytes(data[:2], "little")
    stored = []
    for part in (data[2 : 2 + first], data[2 + first :]):
        tensor = TensorProto()
        try:
            tensor.ParseFromString(part)
        except DecodeError:
            return
        if math.prod(dim.size for dim in tensor.tensor_shape.dim) > 1 << 16:
            return  # TensorBoard allocates an array of any declared size: see SECURITY.md
        stored.append(tensor)
    folder = _folder()
    file = EventFile(folder / file_name("fuzzed"))
    captured = make_event("tag", "fuzzed", 0, [], DIGITS, 1.0)
    for value, tensor in zip(captured.summary.value, stored, strict=True):
        value.tensor.CopyFrom(tensor)
    file.append(captured)
    file.close()
    _serve(folder)


def status_tensor(data: bytes) -> None:
    """The tensor of a status, as TensorBoard's own loader passes it to the plugin."""
    tensor = TensorProto()
    try:
        tensor.ParseFromString(data)
    except DecodeError:
        return
    if math.prod(dim.size for dim in tensor.tensor_shape.dim) > 1 << 16:
        return  # as above
    folder = _folder()
    file = EventFile(folder / file_name("fuzzed"))
    told = make_status_event("tag", "fuzzed", 0, Status(), DIGITS, 1.0)
    told.summary.value[0].tensor.CopyFrom(tensor)
    file.append(told)
    file.close()
    _serve(folder)


def _serve(folder: Path) -> None:
    multiplexer = EventMultiplexer(tensor_size_guidance={metadata.PLUGIN_NAME: 0})
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    store = SampleStore(MultiplexerDataProvider(multiplexer, str(folder)))
    scope = Scope(RequestContext(), "")
    store.index(scope, ".", "tag")
    store.records(scope, ".", "tag", [CaptureRange("fuzzed", 0, 1)])
    addresses = [Address("fuzzed", 0, index) for index in range(3)]
    store.payloads(scope, "tag", [(".", address) for address in addresses])


TARGETS: dict[str, Target] = {
    "record": record,
    "payload": payload,
    "image": image,
    "session_info": session_info,
    "status": status,
    "names": names,
    "joined": joined,
    "event": event,
    "event_file": event_file,
    "tensors": tensors,
    "status_tensor": status_tensor,
    "request": request,
}


def full_sample(shape: tuple[int, ...]) -> CapturedSample:
    """Return a sample that has every optional part."""
    return make_sample(
        np.random.default_rng(0),
        shape=shape,
        morphs=("smallest", "visible"),
        survived=(True, False),
        judges=("other",),
        bounds=((0.0,) * shape[0], (1.0,) * shape[0]),
    )


def _is_a_sentence(error: Exception) -> None:
    text = str(error)
    assert text
    assert "\n" not in text
    assert len(text) <= LONGEST_MESSAGE, text


@functools.cache
def _records() -> list[Record]:
    return [parse_record(encode_sample(full_sample(shape))[0]) for shape in SHAPES]


def _template(step: int) -> bytes:
    return json.dumps({**_records()[0], "step": max(-(2**63), min(step, 2**63 - 1))}).encode()


@functools.cache
def _neighbours() -> list[bytes]:
    return [
        frame(
            make_event(
                "tag", "ours", number, [encode_sample(sample)], DIGITS, 1.0 + number
            ).SerializeToString()
        )
        for number, (sample,) in enumerate(make_captures(2, 1, shape=(1, 2, 2)))
    ]


@functools.cache
def _kept_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _folder() -> Path:
    """Return an empty folder. It is the same one each time."""
    folder = Path(_kept_folder().name)
    for path in folder.iterdir():
        path.unlink()
    return folder
