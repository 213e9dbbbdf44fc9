"""The provider on TensorBoard's own multiplexer, and on one that fails."""

from __future__ import annotations

import gzip
import json
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from tensorboard import errors
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_HALF
from tensorboard.context import RequestContext

from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.plugin import sample_store, series
from tb_gradascent.plugin.addresses import Address, Part
from tb_gradascent.plugin.data_source import Scope
from tb_gradascent.plugin.errors import RequestError, UnavailableError, UnknownSeriesError
from tb_gradascent.plugin.rows import CaptureRows, encode_capture
from tb_gradascent.plugin.sample_store import SampleProvider
from testing import index_reader
from testing.synthetic import DIGITS, make_captures, make_event, string_tensor, write_session

SCOPE = Scope(RequestContext(), "")
OK, MISSING, DAMAGED, LEFT_OUT, REFUSED = range(5)


class Watched:
    """TensorBoard's provider for a log directory; counts what it is asked, and can be broken."""

    def __init__(self, logdir: Path) -> None:
        self.asked: Counter[str] = Counter()
        self.instead: dict[str, Callable[..., Any]] = {}
        self._logdir = str(logdir)
        self._multiplexer = EventMultiplexer(tensor_size_guidance={"gradascent": 0})
        self._provider = MultiplexerDataProvider(self._multiplexer, self._logdir)
        self.reload()

    def reload(self) -> None:
        self._multiplexer.AddRunsFromDirectory(self._logdir)
        self._multiplexer.Reload()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*args: object, **kwargs: object) -> object:
            self.asked[name] += 1
            return self.instead.get(name, getattr(self._provider, name))(*args, **kwargs)

        return ask


def read_index(samples: SampleProvider, run: str = ".", tag: str = "confused") -> dict[str, Any]:
    index = json.loads(gzip.decompress(samples.index(SCOPE, run, tag)))
    return index_reader.read_index(
        index, lambda part: b"".join(samples.records(SCOPE, run, tag, [Part.parse(part)]))
    )


def split(answer: bytes) -> list[tuple[int, bytes]]:
    parts, offset = [], 0
    while offset < len(answer):
        status, length = struct.unpack_from("<II", answer, offset)
        offset += 8 + length
        parts.append((status, answer[offset - length : offset]))
    assert offset == len(answer)
    return parts


def read_payloads(samples: SampleProvider, *addresses: Address) -> list[tuple[int, bytes]]:
    answer, complete = samples.payloads(SCOPE, ".", "confused", addresses)
    parts = split(b"".join(answer))
    assert complete == all(status == OK for status, _ in parts)
    return parts


def addresses_of(index: dict[str, Any]) -> list[Address]:
    return [
        Address(index["sessions"][s["session"]]["session"], s["capture"], s["index"])
        for s in index["samples"]
    ]


def test_runs_and_tags_are_sorted_and_others_left_out(tmp_path: Path) -> None:
    for run, tag in [("b", "z"), ("b", "a/index"), ("a", "t")]:
        write_session(tmp_path / run, make_captures(1, 1), tag=tag)
    write_session(tmp_path / "b", make_captures(1, 1), tag="z")
    found = SampleProvider(Watched(tmp_path)).runs(SCOPE)
    assert list(found.items()) == [("a", ["t"]), ("b", ["a/index", "z"])]


def test_the_index_is_what_was_written(tmp_path: Path) -> None:
    captures = make_captures(3, 2)
    session = write_session(tmp_path, captures, start=1000.0)
    index = read_index(SampleProvider(Watched(tmp_path)))
    assert (index["run"], index["tag"]) == (".", "confused")
    assert index["counts"] == {"samples": 6, "unreadable": 0, "superseded": 0, "dropped": 0}
    (described,) = index["sessions"]
    assert described["session"] == session
    assert described["started"] == 1000.0
    assert described["bounds"] == [list(bound) for bound in DIGITS.bounds or ()]
    for place, sample in enumerate(index["samples"]):
        capture, within = divmod(place, 2)
        record, _ = encode_sample(captures[capture][within])
        address = {"session": 0, "capture": capture, "index": within, "wall_time": 1000.0 + capture}
        stored: dict[str, Any] = json.loads(record)
        del stored["checksum"]
        for target in stored["targets"]:
            target.setdefault("original_probabilities", target["probabilities"])
        assert sample == {**stored, **address}


def test_an_index_that_did_not_grow_is_not_read_again(tmp_path: Path) -> None:
    write_session(tmp_path, make_captures(2, 1))
    watched = Watched(tmp_path)
    samples = SampleProvider(watched)
    first = samples.index(SCOPE, ".", "confused")
    assert samples.index(SCOPE, ".", "confused") is first
    assert watched.asked["read_tensors"] == 1


def test_only_new_captures_of_sessions_that_grew_are_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_session(tmp_path, make_captures(2, 1), session="done", start=1.0)
    encoded = [[encode_sample(sample) for sample in capture] for capture in make_captures(3, 2)]
    file = EventFile(tmp_path / file_name("live"))
    for number in range(2):
        file.append(make_event("confused", "live", number, encoded[number], DIGITS, 2.0 + number))
    watched = Watched(tmp_path)
    samples = SampleProvider(watched)
    assert read_index(samples)["counts"]["samples"] == 6
    parsed: list[int] = []

    def encode(number: int, wall_time: float, values: Sequence[object]) -> CaptureRows:
        parsed.append(number)
        return encode_capture(number, wall_time, values)

    monkeypatch.setattr(series, "encode_capture", encode)
    file.append(make_event("confused", "live", 2, encoded[2], DIGITS, 4.0))
    file.close()
    watched.reload()
    assert read_index(samples)["counts"]["samples"] == 8
    assert parsed == [2]


def test_a_session_that_is_gone_leaves_the_index(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_session(tmp_path, make_captures(1, 1), session=name, start=1.0)
    watched = Watched(tmp_path)
    samples = SampleProvider(watched)
    assert len(read_index(samples)["sessions"]) == 2
    listed = watched._provider.list_tensors(
        SCOPE.context, experiment_id="", plugin_name="gradascent"
    )
    del listed["."]["confused/index/a"]
    watched.instead["list_tensors"] = lambda *args, **kwargs: listed
    assert [session["session"] for session in read_index(samples)["sessions"]] == ["b"]


def test_unknown_runs_and_tags_are_refused_and_not_remembered(tmp_path: Path) -> None:
    write_session(tmp_path, make_captures(1, 1))
    samples = SampleProvider(Watched(tmp_path))
    for run, tag in [("x", "confused"), (".", "x"), ("", ""), ("\ud800", "\0")]:
        with pytest.raises(UnknownSeriesError, match="has no tag"):
            samples.index(SCOPE, run, tag)
        with pytest.raises(UnknownSeriesError, match="has no tag"):
            samples.payloads(SCOPE, run, tag, [Address("s", 0, 0)])
    assert not samples._series


def read_records(samples: SampleProvider, *parts: str) -> list[tuple[int, int, list[str]]]:
    """(first, end, ids) of each part's answer."""
    answer = b"".join(samples.records(SCOPE, ".", "confused", [Part.parse(part) for part in parts]))
    found = []
    for _ in parts:
        first, end, _, length = struct.unpack_from("<4I", answer)
        rows, answer = answer[16 : 16 + length], answer[16 + length :]
        found.append((first, end, [row["id"] for row in index_reader.read_rows(rows)]))
    assert not answer
    return found


def test_records_are_of_the_captures_asked(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_session(tmp_path, make_captures(4, 2), session=name, start=1.0)
    samples = SampleProvider(Watched(tmp_path))
    ids = [[f"train/{capture}-{place}" for place in range(2)] for capture in range(4)]
    assert read_records(samples, "b.1.3", "a.0.1", "none.0.5", "a.3.99", "a.3.2") == [
        (1, 3, ids[1] + ids[2]),
        (0, 1, ids[0]),
        (0, 0, []),
        (3, 4, ids[3]),
        (2, 2, []),
    ]


def test_records_that_are_too_many_are_left_out_from_the_front_and_never_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        write_session(tmp_path, make_captures(4, 2), session=name, start=1.0)
    samples = SampleProvider(Watched(tmp_path))
    for most, firsts in [(16, (0, 0)), (12, (0, 2)), (5, (2, 4)), (1, (3, 4))]:
        monkeypatch.setattr(sample_store, "MAX_RECORDS", most)
        answered = read_records(samples, "a.0.4", "b.0.4")
        assert tuple(first for first, _, _ in answered) == firsts
        assert [end for _, end, _ in answered] == [4, 4]
    monkeypatch.setattr(sample_store, "MAX_RECORDS", 1000)
    monkeypatch.setattr(sample_store, "MAX_ANSWER_BYTES", 1)
    assert [first for first, _, _ in read_records(samples, "a.0.4", "b.0.4")] == [3, 4]


def test_records_are_parsed_when_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = write_session(tmp_path, make_captures(50, 1))
    parsed: list[int] = []

    def encode(number: int, wall_time: float, values: Sequence[object]) -> CaptureRows:
        parsed.append(number)
        return encode_capture(number, wall_time, values)

    monkeypatch.setattr(series, "encode_capture", encode)
    samples = SampleProvider(Watched(tmp_path))
    samples.index(SCOPE, ".", "confused")
    assert parsed == [0], "which a restart would supersede from"
    read_records(samples, f"{session}.40.50", f"{session}.45.50")
    assert sorted(parsed) == [0, *range(40, 50)]


@pytest.mark.parametrize(
    "text", ["", "a", "a.1", "a.1.2.3", "a.-1.2", "a.1.b", "a/b.1.2", ".1.2", "a.1." + "9" * 10]
)
def test_a_part_that_is_none_is_quoted(text: str) -> None:
    with pytest.raises(RequestError, match=r"part must be <session>.<first>.<end>"):
        Part.parse(text)


def test_payloads_come_in_the_order_asked(tmp_path: Path) -> None:
    captures = make_captures(4, 3)
    session = write_session(tmp_path, captures)
    wanted = [(3, 2), (0, 0), (3, 2), (1, 1)]
    parts = read_payloads(
        SampleProvider(Watched(tmp_path)), *(Address(session, *place) for place in wanted)
    )
    assert parts == [(OK, encode_sample(captures[c][i])[1]) for c, i in wanted]


def test_what_is_not_there_is_missing_and_costs_the_others_nothing(tmp_path: Path) -> None:
    captures = make_captures(2, 1)
    session = write_session(tmp_path, captures)
    parts = read_payloads(
        SampleProvider(Watched(tmp_path)),
        Address("other", 0, 0),
        Address(session, 0, 0),
        Address(session, 0, 1),
        Address(session, 2, 0),
        Address(session, -1, 0),
        Address(session, 10**17, 10**8),
    )
    assert [status for status, _ in parts] == [MISSING, OK, *[MISSING] * 4]


@pytest.mark.parametrize("missing", ["payload", "index"])
def test_half_a_capture_is_missing_until_the_other_half_comes(tmp_path: Path, missing: str) -> None:
    (sample,) = make_captures(1, 1)[0]
    encoded = [encode_sample(sample)]
    write_session(tmp_path, make_captures(1, 1), session="a")
    file = EventFile(tmp_path / file_name("s"))
    halves = {}
    for place, half in enumerate(("payload", "index")):
        halves[half] = make_event("confused", "s", 0, encoded, DIGITS, 5.0)
        del halves[half].summary.value[1 - place]
    (present,) = {"payload", "index"} - {missing}
    file.append(halves[present])
    watched = Watched(tmp_path)
    samples = SampleProvider(watched)
    assert read_payloads(samples, Address("s", 0, 0)) == [(MISSING, b"")]
    file.append(halves[missing])
    file.close()
    watched.reload()
    assert read_payloads(samples, Address("s", 0, 0)) == [(OK, encoded[0][1])]


def test_a_payload_that_is_not_its_records_is_damaged(tmp_path: Path) -> None:
    one, two = (encode_sample(sample) for sample in make_captures(1, 2)[0])
    file = EventFile(tmp_path / file_name("s"))
    file.append(make_event("confused", "s", 0, [(one[0], two[1]), two], DIGITS, 1.0))
    file.close()
    parts = read_payloads(SampleProvider(Watched(tmp_path)), Address("s", 0, 0), Address("s", 0, 1))
    assert parts == [(DAMAGED, b""), (OK, two[1])]


def test_of_two_captures_with_one_number_the_halves_of_the_same_are_served(tmp_path: Path) -> None:
    file = EventFile(tmp_path / file_name("s"))
    encoded = [[encode_sample(sample)] for sample in make_captures(1, 2)[0]]
    for place in range(2):
        file.append(make_event("confused", "s", 0, encoded[place], DIGITS, 1.0 + place))
    file.close()
    samples = SampleProvider(Watched(tmp_path))
    assert [sample["id"] for sample in read_index(samples)["samples"]] == ["train/0-0"]
    assert read_payloads(samples, Address("s", 0, 0)) == [(OK, encoded[0][0][1])]


def test_an_answer_stops_growing_but_never_starves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = make_captures(1, 4)
    session = write_session(tmp_path, captures)
    sizes = [len(encode_sample(sample)[1]) for sample in captures[0]]
    samples = SampleProvider(Watched(tmp_path))
    asked = [Address(session, 0, place) for place in range(4)]
    monkeypatch.setattr(sample_store, "MAX_ANSWER_BYTES", sizes[0] + sizes[1])
    parts = read_payloads(samples, *asked)
    assert [status for status, _ in parts] == [OK, OK, LEFT_OUT, LEFT_OUT]
    monkeypatch.setattr(sample_store, "MAX_ANSWER_BYTES", 1)
    parts = read_payloads(samples, Address("other", 0, 0), *asked)
    assert [status for status, _ in parts] == [MISSING, OK, LEFT_OUT, LEFT_OUT, LEFT_OUT]


def test_payloads_are_read_side_by_side(tmp_path: Path) -> None:
    session = write_session(tmp_path, make_captures(1, 8))
    watched = Watched(tmp_path)
    together = threading.Barrier(8, timeout=30)
    read = watched._provider.read_blob

    def read_blob(*args: object, **kwargs: object) -> object:
        together.wait()  # breaks unless eight are read at once
        return read(*args, **kwargs)

    watched.instead["read_blob"] = read_blob
    parts = read_payloads(SampleProvider(watched), *(Address(session, 0, i) for i in range(8)))
    assert [status for status, _ in parts] == [OK] * 8


def test_keys_and_records_are_asked_once_for_many_payloads(tmp_path: Path) -> None:
    session = write_session(tmp_path, make_captures(5, 2))
    watched = Watched(tmp_path)
    samples = SampleProvider(watched)
    for capture in range(5):
        read_payloads(samples, Address(session, capture, 0), Address(session, capture, 1))
    assert watched.asked["read_blob_sequences"] == 1
    assert watched.asked["list_tensors"] == 1
    assert watched.asked["read_blob"] == 10


def test_superseded_samples_keep_their_payloads(tmp_path: Path) -> None:
    write_session(tmp_path, make_captures(2, 1), session="a", start=1000.0)
    write_session(tmp_path, make_captures(2, 1), session="b", start=2000.0)
    samples = SampleProvider(Watched(tmp_path))
    index = read_index(samples)
    assert index["counts"] == {"samples": 2, "unreadable": 0, "superseded": 2, "dropped": 0}
    assert addresses_of(index) == [Address("b", 0, 0), Address("b", 1, 0)]
    assert read_payloads(samples, Address("a", 1, 0))[0][0] == OK


def odd_tensors() -> list[TensorProto]:
    """Tensors that TensorBoard's multiplexer keeps, and cannot or should not convert."""
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
def test_a_hostile_session_does_not_hide_the_others(
    tmp_path: Path, kind: str, odd: TensorProto
) -> None:
    good = write_session(tmp_path, make_captures(2, 1), start=1000.0)
    event = make_event("confused", "s", 0, [encode_sample(make_captures(1, 1)[0][0])], DIGITS, 1e3)
    event.summary.value[0 if kind == "payload" else 1].tensor.CopyFrom(odd)
    file = EventFile(tmp_path / file_name("s"))
    file.append(event)
    file.close()
    samples = SampleProvider(Watched(tmp_path))
    index = read_index(samples)
    assert index["counts"]["samples"] == (3 if kind == "payload" else 2)
    assert (index["counts"]["unreadable"] > 0) == (kind == "index")
    parts = read_payloads(samples, Address(good, 0, 0), Address("s", 0, 0))
    assert parts[0][0] == OK
    assert parts[1][0] in (MISSING, DAMAGED)


class Dead(grpc.RpcError):  # type: ignore[misc]
    """What a call raises once the data server is gone."""


@pytest.mark.parametrize(
    "method",
    ["list_tensors", "read_tensors", "list_blob_sequences", "read_blob_sequences", "read_blob"],
)
def test_a_data_server_that_is_gone_is_said_so(tmp_path: Path, method: str) -> None:
    session = write_session(tmp_path, make_captures(1, 1))
    watched = Watched(tmp_path)

    def fail(*args: object, **kwargs: object) -> None:
        raise Dead

    watched.instead[method] = fail
    samples = SampleProvider(watched)
    with pytest.raises(UnavailableError, match=r"does not answer \(Dead\); .* restart TensorBoard"):
        samples.payloads(SCOPE, ".", "confused", [Address(session, 0, 0)])
    del watched.instead[method]
    assert read_payloads(samples, Address(session, 0, 0))[0][0] == OK


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
def test_a_blob_that_went_away_is_a_status(tmp_path: Path, error: Exception, status: int) -> None:
    session = write_session(tmp_path, make_captures(1, 1))
    watched = Watched(tmp_path)

    def fail(*args: object, **kwargs: object) -> None:
        raise error

    watched.instead["read_blob"] = fail
    assert read_payloads(SampleProvider(watched), Address(session, 0, 0)) == [(status, b"")]


def test_a_payload_that_declares_very_many_blobs_is_not_listed(tmp_path: Path) -> None:
    """TensorBoard's own loader would make a name for each of them, for ever."""
    encoded = [encode_sample(make_captures(1, 1)[0][0])]
    event = make_event("confused", "s", 0, encoded, DIGITS, 1e3)
    event.summary.value[0].tensor.tensor_shape.dim[0].size = 1 << 40
    file = EventFile(tmp_path / file_name("s"))
    file.append(event)
    file.close()
    watched = Watched(tmp_path)
    assert read_payloads(SampleProvider(watched), Address("s", 0, 0)) == [(MISSING, b"")]
    assert watched.asked["read_blob_sequences"] == 0


def test_an_empty_or_missing_listing_is_no_runs(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    samples = SampleProvider(watched)
    assert samples.runs(SCOPE) == {}
    watched.instead["list_tensors"] = lambda *args, **kwargs: None
    assert samples.runs(SCOPE) == {}

    def fail(*args: object, **kwargs: object) -> None:
        raise errors.NotFoundError("experiment")

    watched.instead["list_tensors"] = fail
    assert samples.runs(SCOPE) == {}


def test_the_cache_forgets_the_least_recently_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in "abc":
        write_session(tmp_path / run, make_captures(2, 2))
    watched = Watched(tmp_path)
    samples = SampleProvider(watched)
    monkeypatch.setattr(sample_store, "CACHE_BYTES", 0)
    for run in "abc":
        samples.index(SCOPE, run, "confused")
    assert [run for _, run, _ in samples._series] == ["c"]
    monkeypatch.setattr(sample_store, "CACHE_BYTES", 1 << 20)
    for run in "abca":
        samples.index(SCOPE, run, "confused")
    assert [run for _, run, _ in samples._series] == ["b", "c", "a"]


def test_many_threads_get_the_same_answer(tmp_path: Path) -> None:
    session = write_session(tmp_path, make_captures(20, 2))
    watched = Watched(tmp_path)
    samples = SampleProvider(watched)
    answers: list[bytes] = []

    def read_slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.2)  # so that all of them come meanwhile
        return watched._provider.read_tensors(*args, **kwargs)

    watched.instead["read_tensors"] = read_slowly

    def ask() -> None:
        answers.append(samples.index(SCOPE, ".", "confused"))
        assert read_payloads(samples, Address(session, 3, 1))[0][0] == OK

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert watched.asked["read_tensors"] == 1, "who comes first reads for all"


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a.1", "a.1.", "a.1.2.3", "a.b.c", "a.1.-1", "a.1.2\n", "a/b.1.2", "a.١.2"),
        *(".1.2", "a." + "9" * 19 + ".0", "a" * 65 + ".1.2", "a.+1.2", "a.1.2 "),
    ],
)
def test_an_address_that_is_none_is_quoted(text: str) -> None:
    with pytest.raises(RequestError, match=r"sample must be <session>.<capture>.<index>"):
        Address.parse(text)


def test_an_address_is_read_back() -> None:
    assert Address.parse("20261122T105626-1a2b3c4d.-12.3") == Address(
        "20261122T105626-1a2b3c4d", -12, 3
    )
