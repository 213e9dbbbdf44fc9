"""Inputs that are small to store and huge to read: refused before the memory is taken."""

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
from typing import Any

import google_crc32c
import grpc  # type: ignore[import-untyped]
import numpy as np
import pytest

from tb_gradascent import read_samples
from tb_gradascent.format import metadata
from tb_gradascent.format.event_file import EventFile, file_name, find_event_files, locate_events
from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.format.payload import unpack_payload
from tb_gradascent.format.record import PayloadInfo, RecordError
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.plugin import data_source, series
from tb_gradascent.plugin.addresses import Address
from tb_gradascent.plugin.errors import TooLargeError
from tb_gradascent.plugin.rows import encode_capture, find_payload
from tb_gradascent.plugin.sample_store import SampleProvider
from testing.synthetic import (
    DIGITS,
    make_captures,
    make_event,
    make_sample,
    string_tensor,
    write_many_sessions,
    write_session,
)
from tests.plugin.test_sample_store import OK, SCOPE, Watched, read_index, read_payloads

MIB = 1 << 20
MISSHAPEN = string_tensor([b"a", b"b"])
"""A tensor that TensorBoard cannot convert."""
MISSHAPEN.tensor_shape.dim[0].size = 3


def peak(work: Callable[[], object]) -> int:
    """The most bytes that Python held while it worked."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def small_record(**changes: Any) -> bytes:
    data, _ = encode_sample(make_sample(np.random.default_rng(0), shape=(1, 2, 2)))
    return json.dumps({**json.loads(data), **changes}).encode()


TARGETS = json.loads(small_record())["targets"]


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
        "strengths",
        "lists",
        "deep",
        "nested",
        "digits",
        "long",
    ],
)
def test_a_record_costs_little_whatever_it_declares(data: bytes) -> None:
    def parse() -> None:
        with contextlib.suppress(RecordError):
            parse_record(data)

    assert peak(parse) < 32 * MIB


@pytest.mark.parametrize("fill", [b"\0", b"\1\0\1\0\0\0\0"])
def test_a_stream_that_inflates_a_thousandfold_stops_at_what_the_shape_takes(fill: bytes) -> None:
    record = parse_record(small_record())
    bomb = zlib.compress(fill * (200 * MIB // len(fill)), 9)
    info: PayloadInfo = {"bytes": len(bomb), "crc32c": google_crc32c.value(bomb)}

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
def test_a_sessions_constants_cost_little(fields: bytes) -> None:
    info = SessionInfo()

    def decode() -> None:
        nonlocal info
        info = SessionInfo.decode(fields)

    assert peak(decode) < 16 * MIB
    assert all(len(name) <= metadata.MAX_NAME_LENGTH for name in info.class_names or ())


def sparse(path: Path, length: int) -> None:
    """A file that is huge and takes no room, whose first record claims all of it."""
    header = struct.pack("<Q", length)
    crc = google_crc32c.value(header)
    with path.open("wb") as file:
        file.write(header + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF))
        file.truncate(12 + length + 4)


def test_a_record_that_claims_a_sparse_terabyte_is_passed_over(
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


def test_a_hook_never_writes_an_event_that_no_reader_takes(
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


def test_directories_as_deep_as_can_be_are_searched(tmp_path: Path) -> None:
    write_session(tmp_path / "run", make_captures(1, 1, shape=(1, 2, 2)))
    deep = "import os\nfor _ in range(2100): os.mkdir('d'); os.chdir('d')"
    try:  # deeper than a path can say, and than Python recurses
        subprocess.run([sys.executable, "-c", deep], cwd=tmp_path, check=True)
        assert [sample.run for sample in read_samples(tmp_path)] == ["run"]
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_links_that_multiply_names_are_followed_so_often_and_no_more(tmp_path: Path) -> None:
    folders = [tmp_path / f"f{number}" for number in range(12)]
    for folder in folders:
        write_session(folder, make_captures(1, 1, shape=(1, 2, 2)))
    for folder in folders:
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    found = list(find_event_files(tmp_path))  # 12! names, were each of them followed
    assert {path for path in found if len(path.relative_to(tmp_path).parts) == 2} == {
        path for folder in folders for path in folder.glob("events*")
    }
    assert len(found) < 1000


def test_a_directory_that_may_not_be_entered_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may enter every directory, so the refusal is made up."""
    for run in ("a", "b", "c"):
        write_session(tmp_path / run, make_captures(1, 1, shape=(1, 2, 2)))
    is_dir = Path.is_dir

    def refuse(self: Path) -> bool:
        if self.parent.name == "b":
            raise PermissionError(13, "Permission denied")
        return is_dir(self)

    monkeypatch.setattr(Path, "is_dir", refuse)
    assert [path.parent.name for path in find_event_files(tmp_path)] == ["a", "c"]


def test_a_number_that_no_page_can_say_is_unreadable_and_hides_no_other(tmp_path: Path) -> None:
    """One address that is refused would fail its whole request."""
    file = EventFile(tmp_path / file_name("s"))
    encoded = [encode_sample(sample) for sample in make_captures(1, 1)[0]]
    for number in (0, 2**53 - 1, 2**53, 2**63 - 1, -1):
        file.append(make_event("confused", "s", number, encoded, DIGITS, 1.0))
    file.close()
    samples = SampleProvider(Watched(tmp_path))
    index = read_index(samples)
    assert index["counts"]["unreadable"] == 3
    addresses = [
        Address.parse(f"s.{sample['capture']}.{sample['index']}") for sample in index["samples"]
    ]
    assert [address.capture for address in addresses] == [0, 2**53 - 1]
    assert [status for status, _ in read_payloads(samples, *addresses)] == [OK, OK]


def test_a_capture_of_very_many_records_is_found_at_once() -> None:
    """256 addresses times as many records as an event holds would stop TensorBoard for a while."""
    record, _ = encode_sample(make_captures(1, 1, shape=(1, 1, 1))[0][0])
    capture = encode_capture(0, 1.0, [record] * 2_000)
    starts = Counted(capture.starts)
    capture = capture._replace(starts=starts)
    assert find_payload(capture, 1_999) == json.loads(record)["payload"]
    assert find_payload(capture, 2_000) is None
    assert starts.asked < 100


class Counted(Sequence[int]):
    """A sequence that counts how often it is asked."""

    def __init__(self, values: Sequence[int]) -> None:
        self.values = values
        self.asked = 0

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: Any) -> Any:
        self.asked += 1
        return self.values[place]


def test_a_run_of_too_many_records_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run, count in (("small", 1), ("large", 40)):
        write_session(tmp_path / run, make_captures(count, 2, shape=(1, 2, 2)))
    watched = Watched(tmp_path)
    samples = SampleProvider(watched)
    monkeypatch.setattr(series, "MAX_SERIES_BYTES", 40_000)
    assert read_index(samples, "small")["counts"]["samples"] == 2
    for ask in (
        lambda: samples.index(SCOPE, "large", "confused"),
        lambda: samples.payloads(SCOPE, "large", "confused", [Address("s", 0, 0)]),
    ):
        with pytest.raises(TooLargeError, match=r"'large' .* read_samples"):
            ask()
    assert watched.asked["read_tensors"] == 2, "it is not read again for each who asks"
    assert [series.size > 0 for series in samples._series.values()] == [True, False]
    monkeypatch.setattr(series, "MAX_SERIES_BYTES", 1 << 20)
    with pytest.raises(TooLargeError):
        samples.index(SCOPE, "large", "confused")
    clock = time.monotonic() + 3600
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    assert read_index(samples, "large")["counts"]["samples"] == 80


def test_more_sessions_than_can_be_shown_are_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_many_sessions(tmp_path, 40)
    watched = Watched(tmp_path)
    monkeypatch.setattr(series, "MAX_SERIES_BYTES", 300_000)
    with pytest.raises(TooLargeError, match="read_samples"):
        SampleProvider(watched).index(SCOPE, ".", "confused")
    assert watched.asked["read_tensors"] == 0
    assert len(list(read_samples(tmp_path))) == 40


def test_many_sessions_are_read_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that too many are noticed before all of them are in memory."""
    write_many_sessions(tmp_path, 40)
    watched = Watched(tmp_path)
    monkeypatch.setattr(data_source, "_SESSIONS_AT_ONCE", 16)
    index = read_index(SampleProvider(watched))
    assert index["counts"]["samples"] == len(index["sessions"]) == 40
    assert watched.asked["read_tensors"] == 3


def test_class_names_that_make_an_index_too_long_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every session has its own, and a character may take 12 bytes of JSON."""
    names = SessionInfo(class_names=("\U0001f9e8" * 200,) * 50)
    write_many_sessions(tmp_path, 10, names)
    samples = SampleProvider(Watched(tmp_path))
    monkeypatch.setattr(series, "MAX_INDEX_BYTES", 1_000_000)
    with pytest.raises(TooLargeError, match="read_samples"):
        samples.index(SCOPE, ".", "confused")
    assert sum(series.size for series in samples._series.values()) == 0


class Exhausted(grpc.RpcError):  # type: ignore[misc]
    """What a call raises whose answer is longer than TensorBoard takes."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.RESOURCE_EXHAUSTED


grpc.Call.register(Exhausted)


def test_what_the_data_server_cannot_answer_at_once_is_asked_for_in_parts(tmp_path: Path) -> None:
    write_many_sessions(tmp_path, 8)
    watched = Watched(tmp_path)
    samples = SampleProvider(watched)
    most = 3

    def read(*args: Any, run_tag_filter: Any, **kwargs: Any) -> Any:
        if len(run_tag_filter.tags) > most:
            raise Exhausted
        return watched._provider.read_tensors(*args, run_tag_filter=run_tag_filter, **kwargs)

    watched.instead["read_tensors"] = read
    assert read_index(samples)["counts"]["samples"] == 8
    most = 0
    with pytest.raises(TooLargeError, match="--load_fast=false, or use read_samples"):
        read_index(SampleProvider(watched))


def test_what_a_cache_holds_is_counted_class_names_and_keys_too(tmp_path: Path) -> None:
    info = SessionInfo(class_names=tuple(f"{n:05}" for n in range(20_000)))
    write_session(tmp_path / "a", [], info=info)
    write_session(tmp_path / "b", make_captures(1, 1), info=info)
    session = write_session(tmp_path / "c", make_captures(50, 1, shape=(1, 1, 1)))
    samples = SampleProvider(Watched(tmp_path))
    samples.index(SCOPE, "b", "confused")
    samples.payloads(SCOPE, "c", "confused", [Address(session, 0, 0)])
    sizes = {run: series.size for (_, run, _), series in samples._series.items()}
    assert sizes["b"] > 20_000 * sys.getsizeof("00000")
    assert sizes["c"] > 50 * (600 + 100)


def test_a_tensor_that_repeats_one_value_without_end_is_one_unreadable_record(
    tmp_path: Path,
) -> None:
    write_session(tmp_path, make_captures(1, 1, shape=(1, 1, 1)), session="good", start=1.0)
    file = EventFile(tmp_path / file_name("s"))
    event = make_event("confused", "s", 0, [(b"{}", b"")], DIGITS, 1.0)
    event.summary.value[1].tensor.tensor_shape.dim[0].size = 2_000_000
    file.append(event)
    file.close()
    counts = read_index(SampleProvider(Watched(tmp_path)))["counts"]
    assert (counts["samples"], counts["unreadable"]) == (1, 1)


def test_many_sessions_none_of_which_can_be_read_cost_few_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_source, "_PATIENCE", 50)

    encoded = [encode_sample(make_captures(1, 1, shape=(1, 1, 1))[0][0])]
    file = EventFile(tmp_path / file_name("s"))
    for number in range(400):
        event = make_event("confused", f"s{number}", 0, encoded, DIGITS, 1.0)
        event.summary.value[1].tensor.CopyFrom(MISSHAPEN)
        file.append(event)
    file.close()
    write_session(tmp_path, make_captures(1, 1), session="good", start=1.0)
    watched = Watched(tmp_path)
    index = read_index(SampleProvider(watched))
    assert index["counts"]["unreadable"] >= 400
    assert watched.asked["read_tensors"] < 150


def test_few_damaged_sessions_among_many_are_told_apart(tmp_path: Path) -> None:
    encoded = [encode_sample(make_captures(1, 1, shape=(1, 1, 1))[0][0])]
    file = EventFile(tmp_path / file_name("s"))
    for number in range(300):
        event = make_event("confused", f"s{number}", 0, encoded, DIGITS, 1.0)
        if number in (3, 150):
            event.summary.value[1].tensor.CopyFrom(MISSHAPEN)
        file.append(event)
    file.close()
    watched = Watched(tmp_path)
    index = read_index(SampleProvider(watched))
    assert index["counts"]["samples"] == 298
    assert index["counts"]["unreadable"] == 2
    assert watched.asked["read_tensors"] < 40
