"""Event files, compared with TensorBoard's own reader, and damaged event files."""

from __future__ import annotations

import os
import resource
import struct
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_gradascent.format import event_file
from tb_gradascent.format.event_file import EventFile, find_event_files, locate_events
from testing.event_files import frame_ends
from testing.synthetic import string_tensor

PAYLOADS = st.lists(st.binary(max_size=40), max_size=5)
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def make_event(step: int, payload: bytes = b"payload") -> Event:
    value = Summary.Value(tag="tag", tensor=string_tensor([payload]))
    return Event(step=step, wall_time=1.5, summary=Summary(value=[value]))


def read_events(path: Path) -> list[Event]:
    return [event for _, event in locate_events(path) if event is not None]


def write(path: Path, events: list[Event]) -> bytes:
    path.unlink(missing_ok=True)
    file = EventFile(path)
    for event in events:
        file.append(event)
    file.close()
    return path.read_bytes()


@given(payloads=PAYLOADS)
@in_one_folder
def test_we_and_tensorboard_read_what_was_written(tmp_path: Path, payloads: list[bytes]) -> None:
    path = tmp_path / "file"
    events = [make_event(step, payload) for step, payload in enumerate(payloads)]
    write(path, events)
    first, *ours = read_events(path)
    assert first.file_version == "brain.Event:2"
    assert ours == events
    theirs = [Event.FromString(data) for data in RawEventFileLoader(str(path)).Load()]
    assert theirs == [first, *events]


@given(payloads=PAYLOADS, data=st.data())
@in_one_folder
def test_a_file_cut_anywhere_loses_only_the_torn_record(
    tmp_path: Path, payloads: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path / "file"
    whole = write(path, [make_event(step, payload) for step, payload in enumerate(payloads)])
    cut = data.draw(st.integers(0, len(whole)))
    events = read_events(path)
    path.write_bytes(whole[:cut])
    left = sum(end <= cut for end in frame_ends(whole))
    assert read_events(path) == events[:left]
    assert len(list(locate_events(path))) == left


@given(payloads=st.lists(st.binary(max_size=40), min_size=2, max_size=5), data=st.data())
@in_one_folder
def test_a_damaged_byte_loses_its_record_and_in_a_header_also_the_rest(
    tmp_path: Path, payloads: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path / "file"
    whole = bytearray(write(path, [make_event(step, p) for step, p in enumerate(payloads)]))
    events = read_events(path)
    ends = frame_ends(bytes(whole))
    offset = data.draw(st.integers(0, len(whole) - 1))
    whole[offset] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    record = next(number for number, end in enumerate(ends) if offset < end)
    start = ends[record - 1] if record else 0
    in_header = offset < start + 12
    kept = events[:record] + ([] if in_header else events[record + 1 :])
    assert read_events(path) == kept
    damaged = [event for _, event in locate_events(path) if event is None]
    assert len(damaged) == (0 if in_header else 1)


@given(st.binary(max_size=200))
@in_one_folder
def test_arbitrary_bytes_give_no_event(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert read_events(path) == []


def test_a_record_that_is_not_an_event_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole = write(path, [make_event(1), make_event(2)])
    first = frame_ends(whole)[0]
    path.write_bytes(whole[:first] + event_file.frame(b"\xff\xff no event") + whole[first:])
    assert [event.step for event in read_events(path)] == [0, 1, 2]
    assert sum(event is None for _, event in locate_events(path)) == 1


def test_a_length_beyond_the_end_of_the_file_ends_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, [make_event(1)])
    length = struct.pack("<Q", 1 << 60)
    crc = google_crc32c.value(length)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    with path.open("ab") as file:
        file.write(length + struct.pack("<I", masked) + b"some")
    assert [event.step for event in read_events(path)] == [0, 1]


def test_an_event_is_read_again_by_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, [make_event(step, bytes(step)) for step in range(5)])
    for offset, event in locate_events(path):
        assert event_file.read_event(path, offset) == event
    assert event_file.read_event(path, path.stat().st_size) is None
    assert event_file.read_event(path, 1) is None


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "file", [make_event(1)])
    with pytest.raises(FileExistsError):
        EventFile(tmp_path / "file")


def test_missing_directories_are_created_and_a_second_close_does_nothing(tmp_path: Path) -> None:
    file = EventFile(tmp_path / "a" / "b" / "file")
    file.close()
    file.close()


def test_a_full_disk_leaves_only_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = EventFile(path)
    file.append(make_event(1))
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel then writes only what fits, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(OSError, match=r"bytes were written|File too large"):
            file.append(make_event(2, bytes(1000)))
        with pytest.raises(OSError, match=r"bytes were written|File too large"):
            file.append(make_event(2, bytes(1000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    file.append(make_event(3))
    file.close()
    assert [event.step for event in read_events(path)] == [0, 1, 3]


def test_a_reader_sees_each_appended_event_at_once(tmp_path: Path) -> None:
    file = EventFile(tmp_path / "file")
    for step in range(1, 4):
        file.append(make_event(step))
        assert [event.step for event in read_events(tmp_path / "file")] == list(range(step + 1))
    file.close()


def test_only_our_files_are_found_at_any_depth(tmp_path: Path) -> None:
    ours = [tmp_path / event_file.file_name("s-1"), tmp_path / "a/b" / event_file.file_name("s-2")]
    for path in ours:
        write(path, [])
    (tmp_path / "events.out.tfevents.1700000000.host").touch()
    (tmp_path / event_file.file_name("a-folder")).mkdir()
    assert list(find_event_files(tmp_path)) == sorted(ours)


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / event_file.file_name("s-1")
    write(path, [])
    logdir = tmp_path / "logs"
    (logdir / "run").mkdir(parents=True)
    (logdir / "linked").symlink_to(path.parent)
    (logdir / "run" / "circle").symlink_to(logdir)
    (path.parent / "back").symlink_to(logdir / "run")
    (logdir / "nowhere").symlink_to(tmp_path / "missing")
    assert logdir / "linked" / path.name in find_event_files(logdir)
    assert {found.name for found in find_event_files(logdir)} == {path.name}


def test_our_file_sorts_before_the_users_file() -> None:
    users = "events.out.tfevents.1.host"
    assert sorted([users, event_file.file_name("20990101T000000-ffffffff")])[-1] == users


def test_a_missing_file_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_events(tmp_path / "none")


def test_half_a_record_that_could_not_be_removed_is_removed_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails twice: half a record is written, and it cannot be removed at once."""
    path = tmp_path / "file"
    file = EventFile(path)
    file.append(make_event(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.size + 20, limits[1]))

    def fail(*args: object) -> None:
        raise OSError(30, "Read-only file system")

    try:
        with monkeypatch.context() as broken:
            broken.setattr("tb_gradascent.format.event_file.os.truncate", fail)
            with pytest.raises(OSError, match="Read-only"):
                file.append(make_event(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.stat().st_size == file.size + 20
    file.append(make_event(3))
    file.close()
    assert [event.step for event in read_events(path)] == [0, 1, 3]


def test_a_file_that_another_program_cut_short_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = EventFile(path)
    file.append(make_event(1))
    os.truncate(path, 10)
    with pytest.raises(OSError, match="was cut short"):
        file.append(make_event(2))
    file.close()
    assert path.stat().st_size == 10
