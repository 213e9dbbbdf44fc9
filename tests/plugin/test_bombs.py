"""Inputs that are small to store and huge to read. They must take little memory."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import google_crc32c
import grpc  # type: ignore[import-untyped]
import numpy as np
import pytest

from tb_gradascent import read_samples
from tb_gradascent.format import metadata
from tb_gradascent.format.event_file import EventFile, file_name, find_event_files, locate_events
from tb_gradascent.format.metadata import CAPTURES_A_BLOCK, SessionInfo
from tb_gradascent.format.payload import payload_info, unpack_payload
from tb_gradascent.format.record import PayloadRecord, RecordError
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.plugin import data_source, series
from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.data_source import OK
from tb_gradascent.plugin.errors import TooLargeError
from tb_gradascent.plugin.rows import encode_capture, find_payload_info
from tb_gradascent.plugin.sample_store import SampleStore
from testing.sample_store import SCOPE, WatchedProvider, read_index, read_payloads
from testing.synthetic import (
    DIGITS,
    make_captures,
    make_event,
    make_sample,
    string_tensor,
    write_many_sessions,
    write_session,
)

MIB = 1 << 20
MISSHAPEN = string_tensor([b"a", b"b"])
"""A tensor that TensorBoard cannot convert."""
MISSHAPEN.tensor_shape.dim[0].size = 3


def peak(work: Callable[[], object]) -> int:
    """Return the most bytes that Python held while ``work`` ran."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def small_record(**changes: Any) -> bytes:
    data, _ = encode_sample(make_sample(np.random.default_rng(0), shape=(1, 2, 2)))
    record = {**json.loads(data), **changes}
    arrays = sum(1 + len(target["morphs"]) for target in record["targets"])
    record["payload"]["codecs"] = ["palette", *["levels"] * arrays]
    return json.dumps(record).encode()


TARGETS = json.loads(small_record())["targets"]
MORPHS = TARGETS[0]["morphs"]


@pytest.mark.parametrize(
    "data",
    [
        small_record(shape=[4, 1 << 40, 1 << 40]),
        small_record(
            shape=[4, 1 << 11, 1 << 11], targets=json.loads(small_record())["targets"] * 32
        ),
        small_record(classes=list(range(60_000)), probabilities=[0.5] * 60_000),
        small_record(id="x" * 10_000_000),
        small_record(targets=TARGETS * 1000),
        small_record(targets=[{**TARGETS[0], "morphs": MORPHS * 400}]),
        small_record(targets=[{**TARGETS[0], "morphs": [{**MORPHS[0], "judges": [[]] * 80_000}]}]),
        small_record(targets=[{**TARGETS[0], "morphs": [{**MORPHS[0], "name": "x" * 200_000}]}]),
        small_record(strengths=[0.1] * 100_000),
        small_record(extra=[[[]]] * 50_000),
        small_record()[:-1] + b',"x":' + b"[" * 200_000,
        small_record()[:-1] + b',"x":' + b'{"":' * 50_000,
        small_record()[:-1] + b',"x":' + b"9" * 250_000 + b"}",
        b"[" * (1 << 27),
    ],
    ids=[
        "shape",
        "arrays",
        "classes",
        "id",
        "targets",
        "morphs",
        "judges",
        "name",
        "strengths",
        "lists",
        "deep",
        "nested",
        "digits",
        "long",
    ],
)
def test_a_hostile_record_takes_little_memory(data: bytes) -> None:
    def parse() -> None:
        with contextlib.suppress(RecordError):
            parse_record(data)

    assert peak(parse) < 32 * MIB


@pytest.mark.parametrize("fill", [b"\0", b"\1\0\1\0\0\0\0"])
def test_a_payload_is_inflated_only_to_the_size_of_its_shape(fill: bytes) -> None:
    record = parse_record(small_record())
    bomb = zlib.compress(fill * (32 * MIB // len(fill)), 9)
    info: PayloadRecord = {**record["payload"], **payload_info(bomb)}

    def unpack() -> None:
        with pytest.raises(RecordError):
            unpack_payload({**record, "payload": info}, bomb)

    assert peak(unpack) < MIB


@pytest.mark.parametrize(
    "fields",
    [
        b'{"class_names":[' + b'"ab",' * (1 << 21) + b'""]}',
        json.dumps({"class_names": ["x" * 10_000_000]}).encode(),
        json.dumps({"class_names": ["x" * 900_000]}).encode(),
        json.dumps({"mean": [0.0] * 100_000, "std": list(range(100_000))}).encode(),
        b'{"class_names":' + b"[" * 1_000_000,
    ],
    ids=["a million classes", "10 MB", "900 kB", "channels", "deep"],
)
def test_hostile_session_constants_take_little_memory(fields: bytes) -> None:
    info = SessionInfo()

    def decode() -> None:
        nonlocal info
        info = SessionInfo.decode(fields)

    assert peak(decode) < 16 * MIB
    assert all(len(name) <= metadata.MAX_NAME_LENGTH for name in info.class_names or ())


def sparse(path: Path, length: int) -> None:
    """Write a sparse file whose first record claims all of its length."""
    header = struct.pack("<Q", length)
    crc = google_crc32c.value(header)
    with path.open("wb") as file:
        file.write(header + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF))
        file.truncate(12 + length + 4)


def test_an_event_that_claims_a_sparse_terabyte_is_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = write_session(tmp_path, make_captures(1, 1, shape=(1, 2, 2)))
    path = tmp_path / file_name(session)
    whole = path.read_bytes()
    sparse(path, 1 << 40)
    with path.open("ab") as file:
        file.write(whole)
    read: list[Any] = []
    assert peak(lambda: read.extend(read_samples(tmp_path))) < 4 * MIB
    assert len(read) == 1
    assert "1 damaged" in caplog.text
    assert [event is None for _, event in locate_events(path)] == [True, False, False]


def test_an_event_that_is_too_long_to_be_read_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = EventFile(tmp_path / file_name("s"))
    before = file.size
    monkeypatch.setattr("tb_gradascent.format.event_file.MAX_EVENT_BYTES", 1000)
    encoded = [encode_sample(sample) for sample in make_captures(1, 2)[0]]
    with pytest.raises(ValueError, match="1000 bytes"):
        file.append(make_event("t", "s", 0, encoded, DIGITS, 1.0))
    assert file.size == before
    file.close()


def test_very_deep_directories_are_searched(tmp_path: Path) -> None:
    write_session(tmp_path / "run", make_captures(1, 1, shape=(1, 2, 2)))
    deep = "import os\nfor _ in range(2100): os.mkdir('d'); os.chdir('d')"
    try:  # deeper than a path may be long, and than Python recurses
        subprocess.run([sys.executable, "-c", deep], cwd=tmp_path, check=True)
        assert [sample.run for sample in read_samples(tmp_path)] == ["run"]
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_links_are_followed_to_only_some_names_of_a_directory(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / f"f{number}" for number in range(12)]
    for folder in folders:
        write_session(folder, make_captures(1, 1, shape=(1, 2, 2)))
    for folder in folders:
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    found = list(find_event_files(tmp_path))  # without a limit, 12! names
    assert {path for path in found if len(path.relative_to(tmp_path).parts) == 2} == {
        path for folder in folders for path in folder.glob("events*")
    }
    assert len(found) < 1000


def test_a_directory_without_permission_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may enter every directory, so the error is simulated."""
    for run in ("a", "b", "c"):
        write_session(tmp_path / run, make_captures(1, 1, shape=(1, 2, 2)))
    is_dir = Path.is_dir

    def refuse(self: Path) -> bool:
        if self.parent.name == "b":
            raise PermissionError(13, "Permission denied")
        return is_dir(self)

    monkeypatch.setattr(Path, "is_dir", refuse)
    assert [path.parent.name for path in find_event_files(tmp_path)] == ["a", "c"]


def test_a_capture_number_that_no_request_can_name_is_unreadable(tmp_path: Path) -> None:
    """A request with one refused address would fail as a whole."""
    file = EventFile(tmp_path / file_name("s"))
    encoded = [encode_sample(sample) for sample in make_captures(1, 1)[0]]
    for number in (0, 2**32 - 2, 2**32 - 1, 2**63 - 1, -1):
        file.append(make_event("confused", "s", number, encoded, DIGITS, 1.0, block=0))
    file.close()
    store = SampleStore(WatchedProvider(tmp_path))
    index = read_index(store)
    assert index["counts"]["unreadable"] == 1
    assert index["sessions"][0]["damaged"]
    addresses = [
        Address.parse(f"s.{sample['capture']}.{sample['index']}") for sample in index["samples"]
    ]
    assert [address.capture for address in addresses] == [0, 2**32 - 2]
    assert [status for status, _ in read_payloads(store, *addresses)] == [OK, OK]


def test_a_payload_in_a_large_capture_is_found_by_bisection() -> None:
    """A linear search, for 256 addresses in the largest event, would block TensorBoard."""
    record, _ = encode_sample(make_captures(1, 1, shape=(1, 1, 1))[0][0])
    capture = encode_capture(0, 1.0, [record] * 2_000)
    starts = Counted(capture.starts)
    capture = capture._replace(starts=starts)
    payload = json.loads(record)["payload"]
    del payload["codecs"]
    assert find_payload_info(capture, 1_999) == payload
    assert find_payload_info(capture, 2_000) is None
    assert starts.asked < 100


class Counted(Sequence[int]):
    """A sequence that counts how often an element is read."""

    def __init__(self, values: Sequence[int]) -> None:
        self.values = values
        self.asked = 0

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: Any) -> Any:
        self.asked += 1
        return self.values[key]


def test_a_series_with_too_many_records_is_refused_and_read_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run, count in (("small", 1), ("large", 40)):
        write_session(tmp_path / run, make_captures(count, 2, shape=(1, 2, 2)))
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    monkeypatch.setattr(series, "MAX_SERIES_BYTES", 40_000)
    assert read_index(store, "small")["counts"]["samples"] == 2
    for ask in (
        lambda: store.index(SCOPE, "large", "confused"),
        lambda: store.payloads(SCOPE, "confused", [("large", Address("s", 0, 0))]),
    ):
        with pytest.raises(TooLargeError, match=r"'large' .* read_samples"):
            ask()
    assert watched.asked["read_tensors"] == 2, "a refused series is not read again"
    assert [series.size > 0 for series in store._series.values()] == [True, False]
    monkeypatch.setattr(series, "MAX_SERIES_BYTES", 1 << 20)
    with pytest.raises(TooLargeError):
        store.index(SCOPE, "large", "confused")
    later = time.monotonic() + 3600
    monkeypatch.setattr(series, "time", SimpleNamespace(monotonic=lambda: later))
    assert read_index(store, "large")["counts"]["samples"] == 80


def test_too_many_sessions_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_many_sessions(tmp_path, 40)
    watched = WatchedProvider(tmp_path)
    monkeypatch.setattr(series, "MAX_SERIES_BYTES", 300_000)
    with pytest.raises(TooLargeError, match="read_samples"):
        SampleStore(watched).index(SCOPE, ".", "confused")
    assert watched.asked["read_tensors"] == 0
    assert len(list(read_samples(tmp_path))) == 40


def test_many_sessions_are_read_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the limit is noticed before all sessions are in memory."""
    write_many_sessions(tmp_path, 40)
    watched = WatchedProvider(tmp_path)
    monkeypatch.setattr(data_source, "_SERIES_AT_ONCE", 16)
    index = read_index(SampleStore(watched))
    assert index["counts"]["samples"] == len(index["sessions"]) == 40
    assert watched.asked["read_tensors"] == 3


def test_an_index_with_too_many_class_names_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each session has its own class names, and a character takes up to 12 bytes of JSON."""
    names = SessionInfo(class_names=("\U0001f9e8" * 200,) * 50)
    write_many_sessions(tmp_path, 10, names)
    store = SampleStore(WatchedProvider(tmp_path))
    monkeypatch.setattr(series, "MAX_INDEX_BYTES", 1_000_000)
    with pytest.raises(TooLargeError, match="read_samples"):
        store.index(SCOPE, ".", "confused")
    assert sum(series.size for series in store._series.values()) == 0


class Exhausted(grpc.RpcError):  # type: ignore[misc]
    """The error of a call whose answer is longer than TensorBoard accepts."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.RESOURCE_EXHAUSTED


grpc.Call.register(Exhausted)


def test_a_read_that_is_too_large_for_the_data_server_is_split(tmp_path: Path) -> None:
    write_many_sessions(tmp_path, 8)
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    most = 3

    def read(*args: Any, run_tag_filter: Any, **kwargs: Any) -> Any:
        if len(run_tag_filter.tags) > most:
            raise Exhausted
        return watched.original.read_tensors(*args, run_tag_filter=run_tag_filter, **kwargs)

    watched.instead["read_tensors"] = read
    assert read_index(store)["counts"]["samples"] == 8
    most = 0
    with pytest.raises(TooLargeError, match="--load_fast=false, or use read_samples"):
        read_index(SampleStore(watched))


def test_a_block_that_is_too_large_for_the_data_server_is_asked_for_once(tmp_path: Path) -> None:
    captures = make_captures(3 * CAPTURES_A_BLOCK, 1, shape=(1, 1, 1), targets=())
    session = write_session(tmp_path, captures)
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    store.index(SCOPE, ".", "confused")
    watched.fail("read_tensors", Exhausted)
    wanted = CaptureRange(session, 0, len(captures))
    for _ in range(3):
        with pytest.raises(TooLargeError, match="--load_fast=false, or use read_samples"):
            store.records(SCOPE, ".", "confused", [wanted])
    assert watched.asked["read_tensors"] == 2, "a refused series is not read again"


def test_the_size_of_the_cache_counts_class_names_and_keys(tmp_path: Path) -> None:
    info = SessionInfo(class_names=tuple(f"{n:05}" for n in range(20_000)))
    write_session(tmp_path / "a", [], info=info)
    write_session(tmp_path / "b", make_captures(1, 1), info=info)
    session = write_session(tmp_path / "c", make_captures(50, 1, shape=(1, 1, 1)))
    store = SampleStore(WatchedProvider(tmp_path))
    store.index(SCOPE, "b", "confused")
    store.payloads(SCOPE, "confused", [("c", Address(session, 0, 0))])
    sizes = {run: series.size for (_, run, _), series in store._series.items()}
    assert sizes["b"] > 20_000 * sys.getsizeof("00000")
    assert sizes["c"] > 50 * (600 + 100)


def test_a_tensor_that_repeats_a_value_too_often_is_one_unreadable_record(
    tmp_path: Path,
) -> None:
    write_session(tmp_path, make_captures(1, 1, shape=(1, 1, 1)), session="good", start=1.0)
    file = EventFile(tmp_path / file_name("s"))
    event = make_event("confused", "s", 0, [(b"{}", b"")], DIGITS, 1.0)
    event.summary.value[1].tensor.tensor_shape.dim[0].size = 2_000_000
    file.append(event)
    file.close()
    counts = read_index(SampleStore(WatchedProvider(tmp_path)))["counts"]
    assert (counts["samples"], counts["unreadable"]) == (1, 1)


def test_many_unreadable_sessions_take_few_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_source, "_MAX_FAILED_READS", 50)

    encoded = [encode_sample(make_captures(1, 1, shape=(1, 1, 1))[0][0])]
    file = EventFile(tmp_path / file_name("s"))
    for number in range(400):
        event = make_event("confused", f"s{number}", 0, encoded, DIGITS, 1.0)
        event.summary.value[1].tensor.CopyFrom(MISSHAPEN)
        file.append(event)
    file.close()
    write_session(tmp_path, make_captures(1, 1), session="good", start=1.0)
    watched = WatchedProvider(tmp_path)
    index = read_index(SampleStore(watched))
    assert index["counts"]["unreadable"] >= 400
    assert watched.asked["read_tensors"] < 150


def test_few_damaged_sessions_do_not_hide_the_others(tmp_path: Path) -> None:
    encoded = [encode_sample(make_captures(1, 1, shape=(1, 1, 1))[0][0])]
    file = EventFile(tmp_path / file_name("s"))
    for number in range(300):
        event = make_event("confused", f"s{number}", 0, encoded, DIGITS, 1.0)
        if number in (3, 150):
            event.summary.value[1].tensor.CopyFrom(MISSHAPEN)
        file.append(event)
    file.close()
    watched = WatchedProvider(tmp_path)
    index = read_index(SampleStore(watched))
    assert index["counts"]["samples"] == 298
    assert index["counts"]["unreadable"] == 2
    assert watched.asked["read_tensors"] < 40
