"""Sessions of more captures than one block of a series holds."""

from __future__ import annotations

import contextlib
import json
import math
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto.tensor_pb2 import TensorProto

from tb_gradascent import read_samples
from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.metadata import CAPTURES_A_BLOCK
from tb_gradascent.format.record import seal
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.plugin import series
from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.data_source import MISSING, OK
from tb_gradascent.plugin.sample_store import SampleStore
from testing.index_reader import read_rows
from testing.sample_store import SCOPE, WatchedProvider, read_index, read_payloads
from testing.synthetic import DIGITS, make_event, make_sample

LONG = 5 * CAPTURES_A_BLOCK + 10
FEW = range(9, LONG, 10)
"""The capture numbers of a long session with gaps."""


class Session:
    """A session's event file. Each capture has one sample, and its id is the capture's number."""

    def __init__(self, folder: Path, name: str = "s", started: float = 1000.0) -> None:
        self._file = EventFile(folder / file_name(name))
        self._name = name
        self._started = started
        sample = make_sample(np.random.default_rng(0), shape=(1, 2, 2), targets=[1])
        record, self._payload = encode_sample(sample)
        self._fields = json.loads(record)
        del self._fields["checksum"]

    def close(self) -> None:
        self._file.close()

    def append(self, numbers: Iterable[int], block: int | None = None) -> None:
        """Write captures, by default into the blocks that the hook chooses."""
        for number in numbers:
            fields = {**self._fields, "id": str(number), "step": 10 * number}
            encoded = [(seal(json.dumps(fields).encode()), self._payload)]
            time = self._started + 1 + number
            event = make_event("confused", self._name, number, encoded, DIGITS, time, block=block)
            self._file.append(event)
        self._file.flush()


MakeSession = Callable[..., Session]


@pytest.fixture
def make_session(tmp_path: Path) -> Iterator[MakeSession]:
    """Make sessions in ``tmp_path``, whose files are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda *args: stack.enter_context(contextlib.closing(Session(tmp_path, *args)))


class Watched(WatchedProvider):
    """Counts the captures that are read of each series."""

    def __init__(self, logdir: Path) -> None:
        super().__init__(logdir)
        self.read: Counter[str] = Counter()

        def read_tensors(*args: object, **kwargs: object) -> object:
            answer = self.original.read_tensors(*args, **kwargs)
            for tags in answer.values():
                self.read.update({tag: len(data) for tag, data in tags.items()})
            return answer

        self.instead["read_tensors"] = read_tensors


def answered(store: SampleStore, text: str) -> tuple[int, int, list[int]]:
    """Return the first and last number that the route ``records`` answers, and the captures."""
    answer = b"".join(store.records(SCOPE, ".", "confused", [CaptureRange.parse(text)]))
    first, end, _, length = struct.unpack_from("<4I", answer)
    return first, end, [row["capture"] for row in read_rows(answer[16 : 16 + length])]


def test_a_long_session_opens_with_its_first_and_last_block(
    tmp_path: Path, make_session: MakeSession
) -> None:
    make_session().append(range(LONG))
    watched = Watched(tmp_path)
    store = SampleStore(watched)
    store.index(SCOPE, ".", "confused")
    assert watched.read == {"confused/index/s": CAPTURES_A_BLOCK, "confused/index/s.5": 10}
    _, answer, *_ = next(store.newest(SCOPE, ["."], "confused", 9))
    assert b'"parts": ["s.1281.1290"]' in answer
    assert len(watched.read) == 2
    list(store.newest(SCOPE, ["."], "confused", 11))
    assert watched.read["confused/index/s.4"] == CAPTURES_A_BLOCK
    assert len(watched.read) == 3


def test_a_long_session_is_read_as_the_event_file_holds_it(
    tmp_path: Path, make_session: MakeSession
) -> None:
    make_session().append(range(LONG))
    watched = Watched(tmp_path)
    store = SampleStore(watched)
    index = read_index(store)
    samples = list(read_samples(tmp_path))
    assert [sample["id"] for sample in index["samples"]] == [sample.id for sample in samples]
    assert [sample.id for sample in samples] == [str(number) for number in range(LONG)]
    assert index["sessions"][0]["captures"] == LONG
    assert set(watched.read.values()) == {CAPTURES_A_BLOCK, 10}, "each block is read once"
    numbers = [0, 255, 256, 700, LONG - 1]
    found = read_payloads(store, *(Address("s", number, 0) for number in [*numbers, LONG]))
    assert [status for status, _ in found] == [*[OK] * len(numbers), MISSING]
    assert watched.asked["read_blob_sequences"] == 1


@pytest.mark.slow
def test_a_session_larger_than_the_memory_for_it_is_read_all_the_same(
    tmp_path: Path, make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = 12 * CAPTURES_A_BLOCK
    make_session().append(range(longer))
    whole = SampleStore(Watched(tmp_path))
    assert len(read_index(whole)["samples"]) == longer
    (of_whole,) = whole._series.values()
    limit = of_whole.size * 4 // 5
    monkeypatch.setattr(series, "MAX_SERIES_BYTES", limit)
    store = SampleStore(Watched(tmp_path))
    assert len(read_index(store)["samples"]) == longer
    (kept,) = store._series.values()
    assert kept.size <= limit
    for number in (0, 300, 900, 1500, 2400):
        assert read_payloads(store, Address("s", number, 0))[0][0] == OK
        assert kept.size <= limit
    assert len(list(store.newest(SCOPE, ["."], "confused", 9))) == 1


def test_payloads_are_found_before_any_records_were_asked_for(
    tmp_path: Path, make_session: MakeSession
) -> None:
    make_session().append(FEW)
    watched = Watched(tmp_path)
    found = read_payloads(SampleStore(watched), Address("s", 309, 0), Address("s", 999, 0))
    assert [status for status, _ in found] == [OK, OK]
    assert {"confused/index/s.1", "confused/index/s.3"} < watched.read.keys()
    assert "confused/index/s.2" not in watched.read


def test_one_request_reads_few_blocks(tmp_path: Path, make_session: MakeSession) -> None:
    make_session().append(FEW)
    make_session("long", 9000.0).append(range(7, 9 * CAPTURES_A_BLOCK, 8))
    store = SampleStore(Watched(tmp_path))
    store.index(SCOPE, ".", "confused")
    (first, end, captures) = answered(store, f"s.10.{8 * CAPTURES_A_BLOCK}")
    assert (first, end) == (10, LONG), "the first block and the last one were read before"
    assert captures == list(FEW[1:])
    (first, end, captures) = answered(store, f"long.0.{9 * CAPTURES_A_BLOCK}")
    assert (first, end) == (4 * CAPTURES_A_BLOCK, 9 * CAPTURES_A_BLOCK)
    assert captures == list(range(first + 7, end, 8))
    assert answered(store, f"long.0.{first}")[:2] == (0, first)


def test_a_session_may_grow_into_its_next_block(tmp_path: Path, make_session: MakeSession) -> None:
    session = make_session()
    session.append(range(CAPTURES_A_BLOCK - 2))
    watched = Watched(tmp_path)
    store = SampleStore(watched)
    assert read_index(store)["counts"]["samples"] == 254
    for end, reads in [(256, {"": 256}), (257, {".1": 1}), (600, {".1": 256, ".2": 88})]:
        before = read_index(store)["counts"]["samples"]
        session.append(range(before, end))
        watched.reload()
        watched.read.clear()
        assert answered(store, f"s.{before}.{end}") == (before, end, list(range(before, end)))
        assert watched.read == {f"confused/index/s{block}": count for block, count in reads.items()}
    assert read_index(store)["samples"] == read_index(SampleStore(watched))["samples"]


def test_a_session_of_an_older_version_has_one_block(
    tmp_path: Path, make_session: MakeSession
) -> None:
    make_session().append(range(700), block=0)
    watched = Watched(tmp_path)
    store = SampleStore(watched)
    ids = [str(number) for number in range(700)]
    assert [sample["id"] for sample in read_index(store)["samples"]] == ids
    assert [sample.id for sample in read_samples(tmp_path)] == ids
    assert watched.read == {"confused/index/s": 700}
    assert answered(store, "s.250.270") == (250, 270, list(range(250, 270)))
    assert read_payloads(store, Address("s", 699, 0))[0][0] == OK


def test_a_restart_supersedes_blocks_that_were_not_read(
    tmp_path: Path, make_session: MakeSession
) -> None:
    make_session("a").append(range(0, 600, 4))
    make_session("b", 5000.0).append(range(300, 900, 4))
    store = SampleStore(Watched(tmp_path))
    index = read_index(store)
    assert [session["superseded_from"] for session in index["sessions"]] == [3000, None]
    ids = [sample["id"] for sample in index["samples"]]
    assert ids == [str(number) for number in range(0, 900, 4)]
    assert ids == [sample.id for sample in read_samples(tmp_path)]


@pytest.mark.parametrize("block", [0, 1, 2])
def test_a_damaged_block_does_not_hide_the_others(
    tmp_path: Path, make_session: MakeSession, block: int
) -> None:
    make_session().append(range(0, 600, 4))
    event = make_event("confused", "s", 256 * block + 1, [], DIGITS, math.nan)
    event.summary.value[1].tensor.CopyFrom(TensorProto(dtype=99))
    file = EventFile(tmp_path / file_name("other"))
    file.append(event)
    file.close()
    store = SampleStore(Watched(tmp_path))
    read_index(store)
    index = read_index(store)
    assert index["sessions"][0]["damaged"]
    kept = [number for number in range(0, 600, 4) if number // 256 != block]
    assert [sample["capture"] for sample in index["samples"]] == kept


def test_two_damaged_blocks_do_not_hide_the_one_between_them(
    tmp_path: Path, make_session: MakeSession
) -> None:
    make_session().append(range(0, 600, 4))
    file = EventFile(tmp_path / file_name("other"))
    for number in (1, 513):
        event = make_event("confused", "s", number, [], DIGITS, math.nan)
        event.summary.value[1].tensor.CopyFrom(TensorProto(dtype=99))
        file.append(event)
    file.close()
    index = read_index(SampleStore(Watched(tmp_path)))
    assert index["sessions"][0]["damaged"]
    assert [sample["capture"] for sample in index["samples"]] == list(range(256, 512, 4))


def test_one_request_reads_few_blocks_of_all_sessions(
    tmp_path: Path, make_session: MakeSession
) -> None:
    names = ("a", "b", "c")
    for name in names:
        make_session(name).append(FEW)
    watched = Watched(tmp_path)
    store = SampleStore(watched)
    store.index(SCOPE, ".", "confused")
    watched.read.clear()
    left = dict.fromkeys(names, LONG)
    requests = 0
    while any(left.values()):
        wanted = [CaptureRange(name, 0, end) for name, end in left.items() if end]
        answer = b"".join(store.records(SCOPE, ".", "confused", wanted))
        requests += 1
        assert len(watched.read) <= 4 * requests
        for each in wanted:
            first, end, _, length = struct.unpack_from("<4I", answer)
            rows, answer = read_rows(answer[16 : 16 + length]), answer[16 + length :]
            assert [row["capture"] for row in rows] == [n for n in FEW if first <= n < end]
            left[each.session] = first
    assert watched.read.total() == 3 * len([n for n in FEW if 1 <= n // CAPTURES_A_BLOCK <= 4])
    assert len(watched.read) == 3 * 4, "each block is read once"


def test_the_newest_records_are_not_looked_for_in_many_empty_blocks(tmp_path: Path) -> None:
    """The hook writes no empty capture. Each block would be read by itself."""
    file = EventFile(tmp_path / file_name("s"))
    for number in range(0, 100 * CAPTURES_A_BLOCK, CAPTURES_A_BLOCK):
        file.append(make_event("confused", "s", number, [], DIGITS, 1.0 + number))
    file.close()
    watched = Watched(tmp_path)
    list(SampleStore(watched).newest(SCOPE, ["."], "confused", 200))
    assert len(watched.read) <= 6


def test_a_capture_in_another_block_than_its_own_is_left_out(
    tmp_path: Path, make_session: MakeSession
) -> None:
    """No hook writes such captures. The page must get no capture twice."""
    session = make_session()
    session.append(range(1000), block=0)
    session.append(range(256, 512), block=1)
    session.append([3, *range(512, 600)], block=2)
    store = SampleStore(Watched(tmp_path))
    for text, expected in [("s.0.1000", range(600)), ("s.0.300", range(300))]:
        first, _, captures = answered(store, text)
        assert (first, captures) == (0, list(expected))
    _, answer, *_ = next(store.newest(SCOPE, ["."], "confused", 89))
    assert b'"parts": ["s.511.1000"]' in answer


def test_a_block_that_was_deleted_leaves_no_trace(
    tmp_path: Path, make_session: MakeSession
) -> None:
    make_session().append(range(300))
    event = make_event("confused", "s", 301, [], DIGITS, math.nan)
    event.summary.value[1].tensor.CopyFrom(TensorProto(dtype=99))
    file = EventFile(tmp_path / file_name("other"))
    file.append(event)
    file.close()
    watched = Watched(tmp_path)
    store = SampleStore(watched)
    assert read_index(store)["sessions"][0]["damaged"]
    listed = watched.original.list_tensors(
        SCOPE.context, experiment_id="", plugin_name="gradascent"
    )
    del listed["."]["confused/index/s.1"]
    watched.instead["list_tensors"] = lambda *args, **kwargs: listed
    assert not read_index(store)["sessions"][0]["damaged"]
