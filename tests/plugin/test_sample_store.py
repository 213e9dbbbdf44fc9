"""The sample store on TensorBoard's own data provider, and on one that fails."""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from tensorboard import errors
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_HALF

from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.plugin import data_source, sample_store, series
from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.data_source import DAMAGED, LEFT_OUT, MISSING, OK, REFUSED
from tb_gradascent.plugin.errors import RequestError, UnavailableError, UnknownSeriesError
from tb_gradascent.plugin.rows import CaptureRows, encode_capture
from tb_gradascent.plugin.sample_store import SampleStore
from testing import index_reader
from testing.arrivals import Arrivals
from testing.index_reader import complete
from testing.sample_store import SCOPE, WatchedProvider, read_index, read_payloads
from testing.synthetic import DIGITS, make_captures, make_event, string_tensor, write_session
from testing.tensorboard_process import PATIENCE


def open_store(logdir: Path) -> SampleStore:
    return SampleStore(WatchedProvider(logdir))


def addresses_of(index: dict[str, Any]) -> list[Address]:
    return [
        Address(index["sessions"][s["session"]]["session"], s["capture"], s["index"])
        for s in index["samples"]
    ]


def test_runs_and_tags_are_sorted(tmp_path: Path) -> None:
    for run, tag in [("b", "z"), ("b", "a/index"), ("a", "t")]:
        write_session(tmp_path / run, make_captures(1, 1), tag=tag)
    write_session(tmp_path / "b", make_captures(1, 1), tag="z")
    found = open_store(tmp_path).runs(SCOPE)
    assert [(each["run"], each["tags"]) for each in found] == [
        ("a", ["t"]),
        ("b", ["a/index", "z"]),
    ]
    assert all(each["empty_tags"] == [] for each in found)


def test_the_index_holds_what_was_written(tmp_path: Path) -> None:
    captures = make_captures(3, 2)
    session = write_session(tmp_path, captures, start=1000.0)
    index = read_index(open_store(tmp_path))
    assert (index["run"], index["tag"]) == (".", "confused")
    assert index["counts"] == {"samples": 6, "unreadable": 0, "superseded": 0, "dropped": 0}
    (described,) = index["sessions"]
    assert described["session"] == session
    assert described["started"] == 1000.0
    assert described["bounds"] == [list(bound) for bound in DIGITS.bounds or ()]
    for position, sample in enumerate(index["samples"]):
        capture, within = divmod(position, 2)
        record, _ = encode_sample(captures[capture][within])
        address = {"session": 0, "capture": capture, "index": within, "wall_time": 1000.0 + capture}
        stored = complete({**parse_record(record)})
        for name in ("dropped", "every", "bounds"):
            del stored[name]
        assert sample == {**stored, **address}


def test_an_unchanged_index_is_not_read_again(tmp_path: Path) -> None:
    write_session(tmp_path, make_captures(2, 1))
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    first = store.index(SCOPE, ".", "confused")
    assert store.index(SCOPE, ".", "confused") is first
    assert watched.asked["read_tensors"] == 1


def test_a_refresh_parses_only_new_captures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_session(tmp_path, make_captures(2, 1), session="done", start=1.0)
    encoded = [[encode_sample(sample) for sample in capture] for capture in make_captures(3, 2)]
    file = EventFile(tmp_path / file_name("live"))
    for number in range(2):
        file.append(make_event("confused", "live", number, encoded[number], DIGITS, 2.0 + number))
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    assert read_index(store)["counts"]["samples"] == 6
    parsed: list[int] = []

    def encode(number: int, wall_time: float, values: Sequence[object]) -> CaptureRows:
        parsed.append(number)
        return encode_capture(number, wall_time, values)

    monkeypatch.setattr("tb_gradascent.plugin.captures.encode_capture", encode)
    file.append(make_event("confused", "live", 2, encoded[2], DIGITS, 4.0))
    file.close()
    watched.reload()
    assert read_index(store)["counts"]["samples"] == 8
    assert parsed == [2]


def test_the_newest_of_several_runs_need_one_listing(tmp_path: Path) -> None:
    for run in ("a", "b", "c"):
        write_session(tmp_path / run, make_captures(1, 1))
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    runs = ["a", "b", "c", "none"]
    assert len(list(store.newest(SCOPE, runs, "confused", 200))) == len(runs)
    assert watched.asked["list_tensors"] == 1
    watched.fail("list_tensors", Dead)
    failed = [b"".join(pieces) for pieces in store.newest(SCOPE, runs, "confused", 200)]
    assert [b"does not answer" in answer for answer in failed] == [True] * len(runs)


def test_a_block_with_new_captures_is_read_again(tmp_path: Path) -> None:
    encoded = [encode_sample(sample) for sample in make_captures(1, 2, shape=(1, 4, 4))[0]]
    file = EventFile(tmp_path / file_name("live"))

    def append(*numbers: int) -> None:
        for number in numbers:
            file.append(make_event("confused", "live", number, encoded, DIGITS, 2.0 + number))
        watched.reload()

    read: list[int] = []

    def read_tensors(*args: object, downsample: int, **kwargs: object) -> object:
        answer = watched.original.read_tensors(*args, downsample=downsample, **kwargs)
        read.extend(len(data) for tags in answer.values() for data in tags.values())
        return answer

    watched = WatchedProvider(tmp_path)
    watched.instead["read_tensors"] = read_tensors
    append(0, 1, 2)
    store = SampleStore(watched)
    assert read_index(store)["counts"]["samples"] == 6
    append(3)
    assert read_index(store)["counts"]["samples"] == 8
    append(4)
    assert read_index(store)["counts"]["samples"] == 10
    append(5, 6)
    assert read_index(store)["counts"]["samples"] == 14
    append(8)  # Captures that were not written leave gaps.
    assert read_index(store)["counts"]["samples"] == 16
    file.close()
    assert read == [3, 4, 5, 7, 8]
    samples = read_index(SampleStore(watched))["samples"]
    assert read_index(store)["samples"] == samples, "as if read at once"


def test_a_deleted_session_leaves_the_index(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_session(tmp_path, make_captures(1, 1), session=name, start=1.0)
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    assert len(read_index(store)["sessions"]) == 2
    listed = watched.original.list_tensors(
        SCOPE.context, experiment_id="", plugin_name="gradascent"
    )
    del listed["."]["confused/index/a"]
    watched.instead["list_tensors"] = lambda *args, **kwargs: listed
    assert [session["session"] for session in read_index(store)["sessions"]] == ["b"]


def test_unknown_runs_and_tags_are_refused_and_not_cached(tmp_path: Path) -> None:
    write_session(tmp_path, make_captures(1, 1))
    store = open_store(tmp_path)
    for run, tag in [("x", "confused"), (".", "x"), ("", ""), ("\ud800", "\0")]:
        with pytest.raises(UnknownSeriesError, match="has no tag"):
            store.index(SCOPE, run, tag)
        with pytest.raises(UnknownSeriesError, match="has no tag"):
            store.payloads(SCOPE, tag, [(run, Address("s", 0, 0))])
    assert not store._series


def read_records(store: SampleStore, *ranges: str) -> list[tuple[int, int, list[str]]]:
    """Return ``(first, end, ids)`` of each range's answer."""
    answer = b"".join(
        store.records(SCOPE, ".", "confused", [CaptureRange.parse(text) for text in ranges])
    )
    found = []
    for _ in ranges:
        first, end, _, length = struct.unpack_from("<4I", answer)
        rows, answer = answer[16 : 16 + length], answer[16 + length :]
        found.append((first, end, [row["id"] for row in index_reader.read_rows(rows)]))
    assert not answer
    return found


def test_records_come_from_the_requested_captures(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_session(tmp_path, make_captures(4, 2), session=name, start=1.0)
    store = open_store(tmp_path)
    ids = [[f"train/{capture}-{index}" for index in range(2)] for capture in range(4)]
    assert read_records(store, "b.1.3", "a.0.1", "none.0.5", "a.3.99", "a.3.2") == [
        (1, 3, ids[1] + ids[2]),
        (0, 1, ids[0]),
        (0, 0, []),
        (3, 4, ids[3]),
        (2, 2, []),
    ]


def test_too_many_records_are_left_out_from_the_front_but_never_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        write_session(tmp_path, make_captures(4, 2), session=name, start=1.0)
    store = open_store(tmp_path)
    for most, firsts in [(16, (0, 0)), (12, (0, 2)), (5, (2, 4)), (1, (3, 4))]:
        monkeypatch.setattr(sample_store, "MAX_RECORDS", most)
        answered = read_records(store, "a.0.4", "b.0.4")
        assert tuple(first for first, _, _ in answered) == firsts
        assert [end for _, end, _ in answered] == [4, 4]
    monkeypatch.setattr(sample_store, "MAX_RECORDS", 1000)
    monkeypatch.setattr(sample_store, "MAX_ANSWER_BYTES", 1)
    assert [first for first, _, _ in read_records(store, "a.0.4", "b.0.4")] == [3, 4]


def test_records_are_parsed_only_when_requested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = write_session(tmp_path, make_captures(50, 1))
    parsed: list[int] = []

    def encode(number: int, wall_time: float, values: Sequence[object]) -> CaptureRows:
        parsed.append(number)
        return encode_capture(number, wall_time, values)

    monkeypatch.setattr("tb_gradascent.plugin.captures.encode_capture", encode)
    store = open_store(tmp_path)
    store.index(SCOPE, ".", "confused")
    assert parsed == [0], "the first step decides what a restart superseded"
    read_records(store, f"{session}.40.50", f"{session}.45.50")
    assert sorted(parsed) == [0, *range(40, 50)]


@pytest.mark.parametrize(
    "text", ["", "a", "a.1", "a.1.2.3", "a.-1.2", "a.1.b", "a/b.1.2", ".1.2", "a.1." + "9" * 11]
)
def test_a_malformed_range_is_refused_with_its_value(text: str) -> None:
    with pytest.raises(RequestError, match=r"part must be <session>.<first>.<end>"):
        CaptureRange.parse(text)


def test_payloads_come_in_the_requested_order(tmp_path: Path) -> None:
    captures = make_captures(4, 3)
    session = write_session(tmp_path, captures)
    wanted = [(3, 2), (0, 0), (3, 2), (1, 1)]
    found = read_payloads(open_store(tmp_path), *(Address(session, *address) for address in wanted))
    assert found == [(OK, encode_sample(captures[c][i])[1]) for c, i in wanted]


def test_an_unknown_payload_is_missing_and_does_not_affect_the_others(tmp_path: Path) -> None:
    captures = make_captures(2, 1)
    session = write_session(tmp_path, captures)
    found = read_payloads(
        open_store(tmp_path),
        Address("other", 0, 0),
        Address(session, 0, 0),
        Address(session, 0, 1),
        Address(session, 2, 0),
        Address(session, -1, 0),
        Address(session, 10**17, 10**8),
    )
    assert [status for status, _ in found] == [MISSING, OK, *[MISSING] * 4]


@pytest.mark.parametrize("missing", ["payload", "index"])
def test_a_payload_is_missing_while_half_of_its_capture_is(tmp_path: Path, missing: str) -> None:
    (sample,) = make_captures(1, 1)[0]
    encoded = [encode_sample(sample)]
    write_session(tmp_path, make_captures(1, 1), session="a")
    file = EventFile(tmp_path / file_name("s"))
    halves = {}
    for value, half in enumerate(("payload", "index")):
        halves[half] = make_event("confused", "s", 0, encoded, DIGITS, 5.0)
        del halves[half].summary.value[1 - value]
    (present,) = {"payload", "index"} - {missing}
    file.append(halves[present])
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    assert read_payloads(store, Address("s", 0, 0)) == [(MISSING, b"")]
    file.append(halves[missing])
    file.close()
    watched.reload()
    assert read_payloads(store, Address("s", 0, 0)) == [(OK, encoded[0][1])]


def test_a_payload_of_another_record_is_damaged(tmp_path: Path) -> None:
    one, two = (encode_sample(sample) for sample in make_captures(1, 2)[0])
    file = EventFile(tmp_path / file_name("s"))
    file.append(make_event("confused", "s", 0, [(one[0], two[1]), two], DIGITS, 1.0))
    file.close()
    found = read_payloads(open_store(tmp_path), Address("s", 0, 0), Address("s", 0, 1))
    assert found == [(DAMAGED, b""), (OK, two[1])]


def test_of_two_captures_with_one_number_the_first_is_served(
    tmp_path: Path,
) -> None:
    file = EventFile(tmp_path / file_name("s"))
    encoded = [[encode_sample(sample)] for sample in make_captures(1, 2)[0]]
    for number in range(2):
        file.append(make_event("confused", "s", 0, encoded[number], DIGITS, 1.0 + number))
    file.close()
    store = open_store(tmp_path)
    assert [sample["id"] for sample in read_index(store)["samples"]] == ["train/0-0"]
    assert read_payloads(store, Address("s", 0, 0)) == [(OK, encoded[0][0][1])]


def test_an_answer_is_limited_but_holds_at_least_one_payload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = make_captures(1, 4)
    session = write_session(tmp_path, captures)
    sizes = [len(encode_sample(sample)[1]) for sample in captures[0]]
    store = open_store(tmp_path)
    asked = [Address(session, 0, index) for index in range(4)]
    monkeypatch.setattr(sample_store, "MAX_ANSWER_BYTES", sizes[0] + sizes[1])
    found = read_payloads(store, *asked)
    assert [status for status, _ in found] == [OK, OK, LEFT_OUT, LEFT_OUT]
    monkeypatch.setattr(sample_store, "MAX_ANSWER_BYTES", 1)
    found = read_payloads(store, Address("other", 0, 0), *asked)
    assert [status for status, _ in found] == [MISSING, OK, LEFT_OUT, LEFT_OUT, LEFT_OUT]


def test_payloads_are_read_in_parallel(tmp_path: Path) -> None:
    session = write_session(tmp_path, make_captures(1, 8))
    watched = WatchedProvider(tmp_path)
    together = threading.Barrier(8, timeout=PATIENCE)
    read = watched.original.read_blob

    def read_blob(*args: object, **kwargs: object) -> object:
        together.wait()  # breaks unless eight threads read at once
        return read(*args, **kwargs)

    watched.instead["read_blob"] = read_blob
    found = read_payloads(SampleStore(watched), *(Address(session, 0, i) for i in range(8)))
    assert [status for status, _ in found] == [OK] * 8


def test_blob_keys_and_records_are_read_once_for_many_payloads(tmp_path: Path) -> None:
    session = write_session(tmp_path, make_captures(5, 2))
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    for capture in range(5):
        read_payloads(store, Address(session, capture, 0), Address(session, capture, 1))
    assert watched.asked["read_blob_sequences"] == 1
    assert watched.asked["list_tensors"] == 1
    assert watched.asked["read_blob"] == 10


def test_superseded_samples_keep_their_payloads(tmp_path: Path) -> None:
    write_session(tmp_path, make_captures(2, 1), session="a", start=1000.0)
    write_session(tmp_path, make_captures(2, 1), session="b", start=2000.0)
    store = open_store(tmp_path)
    index = read_index(store)
    assert index["counts"] == {"samples": 2, "unreadable": 0, "superseded": 2, "dropped": 0}
    assert addresses_of(index) == [Address("b", 0, 0), Address("b", 1, 0)]
    assert read_payloads(store, Address("a", 1, 0))[0][0] == OK


def odd_tensors() -> list[TensorProto]:
    """Return tensors that TensorBoard keeps but cannot, or should not, convert."""
    misshapen = string_tensor([b"a", b"b"])
    misshapen.tensor_shape.dim[0].size = 3
    negative = string_tensor([b"a", b"b"])
    negative.tensor_shape.dim[0].size = -2
    numbers = TensorProto(dtype=DT_FLOAT, float_val=[1.0, 2.0])
    numbers.tensor_shape.dim.add(size=2)
    unknown = TensorProto(dtype=99)
    scalar = TensorProto(dtype=string_tensor([b""]).dtype, string_val=[b"a"])
    halves = TensorProto(dtype=DT_HALF, half_val=[2**31 - 1])
    halves.tensor_shape.dim.add(size=1)
    return [misshapen, negative, numbers, unknown, scalar, halves]


@pytest.mark.parametrize("kind", ["payload", "index"])
@pytest.mark.parametrize("odd", odd_tensors(), ids=lambda odd: str(odd.dtype))
def test_a_session_with_an_odd_tensor_does_not_hide_the_others(
    tmp_path: Path, kind: str, odd: TensorProto
) -> None:
    good = write_session(tmp_path, make_captures(2, 1), start=1000.0)
    event = make_event("confused", "s", 0, [encode_sample(make_captures(1, 1)[0][0])], DIGITS, 1e3)
    event.summary.value[0 if kind == "payload" else 1].tensor.CopyFrom(odd)
    file = EventFile(tmp_path / file_name("s"))
    file.append(event)
    file.close()
    store = open_store(tmp_path)
    index = read_index(store)
    assert index["counts"]["samples"] == (3 if kind == "payload" else 2)
    assert (index["counts"]["unreadable"] > 0) == (kind == "index")
    found = read_payloads(store, Address(good, 0, 0), Address("s", 0, 0))
    assert found[0][0] == OK
    assert found[1][0] in (MISSING, DAMAGED)


class Dead(grpc.RpcError):  # type: ignore[misc]
    """The error of a call to a dead data server."""


@pytest.mark.parametrize(
    "method",
    ["list_tensors", "read_tensors", "list_blob_sequences", "read_blob_sequences", "read_blob"],
)
def test_a_dead_data_server_is_reported(tmp_path: Path, method: str) -> None:
    session = write_session(tmp_path, make_captures(1, 1))
    watched = WatchedProvider(tmp_path)
    watched.fail(method, Dead)
    store = SampleStore(watched)
    with pytest.raises(UnavailableError, match=r"does not answer \(Dead\); .* restart TensorBoard"):
        store.payloads(SCOPE, "confused", [(".", Address(session, 0, 0))])
    del watched.instead[method]
    assert read_payloads(store, Address(session, 0, 0))[0][0] == OK


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFoundError("x"), MISSING),
        (errors.InvalidArgumentError("blob key"), REFUSED),
        (KeyError("run"), DAMAGED),
        (IndexError(), DAMAGED),
        (OverflowError("a half that is none"), DAMAGED),
        (MemoryError(), DAMAGED),
    ],
)
def test_a_failed_read_becomes_a_status(tmp_path: Path, error: Exception, status: int) -> None:
    session = write_session(tmp_path, make_captures(1, 1))
    watched = WatchedProvider(tmp_path)
    watched.fail("read_blob", error)
    assert read_payloads(SampleStore(watched), Address(session, 0, 0)) == [(status, b"")]


def test_the_blobs_of_a_payload_that_declares_too_many_are_not_listed(tmp_path: Path) -> None:
    """TensorBoard's own loader would make a name for each of them, without end."""
    encoded = [encode_sample(make_captures(1, 1)[0][0])]
    event = make_event("confused", "s", 0, encoded, DIGITS, 1e3)
    event.summary.value[0].tensor.tensor_shape.dim[0].size = 1 << 40
    file = EventFile(tmp_path / file_name("s"))
    file.append(event)
    file.close()
    watched = WatchedProvider(tmp_path)
    assert read_payloads(SampleStore(watched), Address("s", 0, 0)) == [(MISSING, b"")]
    assert watched.asked["read_blob_sequences"] == 0


def test_an_empty_or_missing_listing_gives_no_runs(tmp_path: Path) -> None:
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    assert store.runs(SCOPE) == []
    watched.instead["list_tensors"] = lambda *args, **kwargs: None
    assert store.runs(SCOPE) == []
    watched.fail("list_tensors", errors.NotFoundError("experiment"))
    assert store.runs(SCOPE) == []


def test_the_cache_forgets_the_least_recently_used_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in "abc":
        write_session(tmp_path / run, make_captures(2, 2))
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)
    monkeypatch.setattr(sample_store, "CACHE_BYTES", 0)
    for run in "abc":
        store.index(SCOPE, run, "confused")
    assert [run for _, run, _ in store._series] == ["c"]
    monkeypatch.setattr(sample_store, "CACHE_BYTES", 1 << 20)
    for run in "abca":
        store.index(SCOPE, run, "confused")
    assert [run for _, run, _ in store._series] == ["b", "c", "a"]


def test_simultaneous_requests_read_the_data_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = write_session(tmp_path, make_captures(20, 2))
    arrivals = Arrivals(8)
    monkeypatch.setattr(series, "threading", SimpleNamespace(Lock=arrivals.make_lock))
    watched = WatchedProvider(tmp_path)
    store = SampleStore(watched)

    def read_last(*args: Any, **kwargs: Any) -> Any:
        assert arrivals.complete.wait(60), "all threads must wait for the first"
        return watched.original.read_tensors(*args, **kwargs)

    watched.instead["read_tensors"] = read_last

    def ask(_: int) -> bytes:
        answer = store.index(SCOPE, ".", "confused")
        assert read_payloads(store, Address(session, 3, 1))[0][0] == OK
        return answer

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert len(set(answers)) == 1
    assert watched.asked["read_tensors"] == 1


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a.1", "a.1.", "a.1.2.3", "a.b.c", "a.1.-1", "a.1.2\n", "a/b.1.2", "a.١.2"),
        *(".1.2", "a." + "9" * 19 + ".0", "a" * 65 + ".1.2", "a.+1.2", "a.1.2 "),
    ],
)
def test_a_malformed_address_is_refused_with_its_value(text: str) -> None:
    with pytest.raises(RequestError, match=r"sample must be <session>.<capture>.<index>"):
        Address.parse(text)


def test_an_address_is_parsed() -> None:
    assert Address.parse("20261122T105626-1a2b3c4d.-12.3") == Address(
        "20261122T105626-1a2b3c4d", -12, 3
    )


def test_a_series_that_tensorboard_is_just_making_is_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorBoard's Python loader raises this between a series and its first event."""
    monkeypatch.setattr(data_source, "_WAITS", (0.0,) * 3)
    write_session(tmp_path, make_captures(2, 1), session="s")
    watched = WatchedProvider(tmp_path)
    faults = [KeyError("Key . was not found in Reservoir")] * 2

    def list_tensors(*args: Any, **options: Any) -> Any:
        if faults:
            raise faults.pop()
        return watched.original.list_tensors(*args, **options)

    watched.instead["list_tensors"] = list_tensors
    assert len(read_index(SampleStore(watched))["samples"]) == 2
    watched.fail("list_tensors", KeyError("Key . was not found in Reservoir"))
    with pytest.raises(UnavailableError, match="has just begun to read this run; reload"):
        SampleStore(watched).index(SCOPE, ".", "confused")
