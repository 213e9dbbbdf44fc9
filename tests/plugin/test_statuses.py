"""The statuses of sessions, as the routes answer them, with and without captures."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING

from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.status import MAX_STATUS_BYTES, Notice, Status
from tb_gradascent.plugin import series, session
from tb_gradascent.plugin.errors import TooLargeError
from tb_gradascent.plugin.sample_store import SampleStore
from testing.sample_store import SCOPE, WatchedProvider
from testing.synthetic import DIGITS, make_captures, make_status_event, write_session
from testing.wsgi import PREFIX, serve

FAULT = Notice("capture-failed-ValueError", "error", "A capture failed.", "Mend it.", 3, 2)


def sessions_of(store: SampleStore, run: str = ".", tag: str = "confused") -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(gzip.decompress(store.index(SCOPE, run, tag)))[
        "sessions"
    ]
    return listed


def test_a_run_with_a_status_alone_activates_the_tab_and_is_listed(tmp_path: Path) -> None:
    told = [Status(), Status(notices=(FAULT,), steps=7, failed=2, least_margin=0.62)]
    session = write_session(tmp_path / "run", [], start=1000.0, statuses=told)
    client = serve(tmp_path)
    listing = client.get("/data/plugins_listing").json
    assert listing is not None
    assert listing["gradascent"]["enabled"]
    runs = client.get(PREFIX + "runs").json
    assert runs is not None
    assert runs["runs"] == [{"run": "run", "tags": ["confused"], "empty_tags": ["confused"]}]
    index = client.get(PREFIX + "index?run=run&tag=confused").json
    assert index is not None
    (listed,) = index["sessions"]
    assert (listed["session"], listed["captures"], listed["damaged"]) == (session, 0, False)
    assert (listed["started"], listed["class_names"]) == (1000.0, None)
    assert listed["mean"] == list(DIGITS.mean or ())
    assert listed["status"] == {"wall_time": 1001.0, **json.loads(told[-1].encode())}


def test_a_status_that_changes_reads_no_captures_again(tmp_path: Path) -> None:
    write_session(tmp_path, make_captures(2, 1), session="s", start=1000.0)
    file = EventFile(tmp_path / file_name("t"))
    file.append(make_status_event("confused", "s", 0, Status(steps=1), DIGITS, 1.0))
    provider = WatchedProvider(tmp_path)
    store = SampleStore(provider)
    assert sessions_of(store)[0]["status"]["steps"] == 1
    before = provider.asked["read_tensors"]
    file.append(make_status_event("confused", "s", 1, Status(steps=2), DIGITS, 2.0))
    file.close()
    provider.reload()
    (listed,) = sessions_of(store)
    assert (listed["status"]["steps"], listed["captures"]) == (2, 2)
    assert provider.asked["read_tensors"] == before + 1
    assert sessions_of(store) == [listed]
    assert provider.asked["read_tensors"] == before + 1


def test_captures_that_come_after_the_status_are_listed(tmp_path: Path) -> None:
    write_session(tmp_path, [], session="s", start=1000.0, statuses=[Status()])
    provider = WatchedProvider(tmp_path)
    store = SampleStore(provider)
    assert [session["captures"] for session in sessions_of(store)] == [0]
    later = tmp_path / "later"
    write_session(later, make_captures(2, 1), session="s", start=1000.0)
    (path,) = later.iterdir()
    path.rename(tmp_path / (path.name + ".later"))
    later.rmdir()
    provider.reload()
    (listed,) = sessions_of(store)
    assert listed["captures"] == 2
    assert listed["class_names"] == list(DIGITS.class_names or ())
    assert listed["status"] is not None


def test_a_scan_has_the_status_of_its_session(tmp_path: Path) -> None:
    write_session(
        tmp_path,
        make_captures(1, 1),
        tag="scan",
        statuses=[Status(notices=(FAULT,))],
        status_tag="confused",
    )
    store = SampleStore(WatchedProvider(tmp_path))
    (run,) = store.runs(SCOPE)
    assert (run["tags"], run["empty_tags"]) == (["confused", "scan"], ["confused"])
    (scan,), (empty,) = sessions_of(store, tag="scan"), sessions_of(store)
    assert scan["status"] == empty["status"] is not None
    assert (scan["captures"], empty["captures"]) == (1, 0)


def test_a_session_without_captures_supersedes_nothing(tmp_path: Path) -> None:
    write_session(tmp_path, make_captures(3, 1), session="old", start=1000.0)
    write_session(tmp_path, [], session="new", start=9000.0, statuses=[Status()])
    listed = sessions_of(SampleStore(WatchedProvider(tmp_path)))
    assert [each["session"] for each in listed] == ["old", "new"]
    assert [each["superseded_from"] for each in listed] == [None, None]
    assert [each["status"] is None for each in listed] == [True, False]


def string_tensor(*values: bytes) -> TensorProto:
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(values))])
    return TensorProto(dtype=DT_STRING, string_val=values, tensor_shape=shape)


HOSTILE = {
    "no JSON": string_tensor(b"\xff\x00"),
    "two": string_tensor(Status(steps=5).encode(), Status(steps=5).encode()),
    "none": string_tensor(),
    "numbers": TensorProto(dtype=DT_FLOAT, float_val=[1.5]),
    "too long": string_tensor(b" " * MAX_STATUS_BYTES + Status(steps=5).encode()),
    "repeated": TensorProto(
        dtype=DT_STRING,
        string_val=[Status(steps=5).encode()],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1 << 16)]),
    ),
}


@pytest.mark.parametrize("tensor", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_status_hides_nothing(tmp_path: Path, tensor: TensorProto) -> None:
    write_session(tmp_path, make_captures(2, 1), session="a", statuses=[Status(steps=3)])
    event = make_status_event("confused", "b", 0, Status(), DIGITS, 1.0)
    event.summary.value[0].tensor.CopyFrom(tensor)
    file = EventFile(tmp_path / file_name("b"))
    file.append(event)
    file.close()
    listed = sessions_of(SampleStore(WatchedProvider(tmp_path)))
    by_name = {each["session"]: each for each in listed}
    assert by_name["a"]["captures"] == 2
    assert by_name["a"]["status"]["steps"] == 3
    assert by_name["b"]["captures"] == 0
    assert (by_name["b"]["status"] or {"steps": 0})["steps"] == 0


def test_statuses_count_toward_the_memory_of_a_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices = tuple(Notice(f"n{n}", "info", "x" * 900) for n in range(60))
    for number in range(10):
        write_session(tmp_path, [], session=f"s{number}", statuses=[Status(notices=notices)])
    monkeypatch.setattr(series, "MAX_SERIES_BYTES", 10 * (session.SESSION_BYTES + 60_000))
    with pytest.raises(TooLargeError, match="must take at most"):
        sessions_of(SampleStore(WatchedProvider(tmp_path)))
