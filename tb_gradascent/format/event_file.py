"""Writes and reads TensorBoard's event files. Only whole records are written and read.

TensorBoard's own writer computes checksums in Python and holds the interpreter's lock meanwhile.
This one computes them in C. The format is TensorFlow's TFRecord:

    uint64 length · uint32 masked CRC-32C of length · data · uint32 masked CRC-32C of data
"""

from __future__ import annotations

import os
import struct
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import google_crc32c
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

MAX_EVENT_BYTES = 1 << 30
"""The longest event. Protobuf stops at twice as much."""
_MAX_NAMES = 16
"""Links may give a directory several names. It is searched under at most this many."""
_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


class Readable(Protocol):
    """A local or a remote path that can be opened."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """Open the file for reading."""
        ...


def file_name(session: str) -> str:
    """Return the name of a session's event file.

    It sorts before the event files of other writers. A viewer may follow only the last file of a
    directory; it then continues to follow the user's own file.
    """
    return f"events.out.tfevents.0.gradascent.{session}"


def find_event_files(logdir: Path) -> Iterator[Path]:
    """Yield every event file of a hook at or below a directory, sorted by path.

    Links to directories are followed, as TensorBoard does. Circles are not followed, and a
    directory is searched under a limited number of names. Directories that cannot be listed are
    left out.
    """
    yield from sorted(_find(logdir))


def _find(logdir: Path) -> Iterator[Path]:
    names: Counter[Path] = Counter()
    waiting = deque([(logdir, logdir.resolve(), frozenset[Path]())])
    while waiting:
        directory, real, above = waiting.popleft()
        if real in above or names[real] == _MAX_NAMES:
            continue
        names[real] += 1
        try:
            for path in directory.iterdir():
                if path.is_dir():
                    inside = path.resolve() if path.is_symlink() else real / path.name
                    waiting.append((path, inside, above | {real}))
                elif path.match(file_name("*")) and path.is_file():
                    yield path
        except OSError:
            continue


class EventFile:
    """An event file that grows by whole records.

    Args:
        path: The file; it must not exist. Missing directories are created.
        events: Events that the file starts with.

    Raises:
        OSError: The file cannot be created.
    """

    def __init__(self, path: Path, *events: Event) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115  # closed by close()
        self.size = 0
        """Bytes written so far."""
        self.append(first_event(), *events)

    def append(self, *events: Event) -> None:
        """Append events atomically: all of them, or none.

        Raises:
            OSError: The events were not written. The file is as long as before, so that later
                events can still be read.
            ValueError: An event is longer than ``MAX_EVENT_BYTES``.
        """
        largest = max((event.ByteSize() for event in events), default=0)
        if largest > MAX_EVENT_BYTES:
            raise ValueError(f"an event must have at most {MAX_EVENT_BYTES} bytes, got {largest}")
        data = b"".join(frame(event.SerializeToString()) for event in events)
        found = os.fstat(self._file.fileno())
        if not found.st_nlink:
            raise FileNotFoundError(f"{self._file.name} was deleted by another program")
        if found.st_size < self.size:
            raise OSError(f"{self._file.name} was cut short by another program")
        if found.st_size > self.size:  # an earlier _take_back failed
            self._take_back()
        try:
            written = self._file.write(data)
            if written < len(data):  # this write raises the reason
                written += self._file.write(data[written:])
            if written < len(data):
                raise OSError(f"only {written} of {len(data)} bytes were written")
        except OSError:
            self._take_back()
            raise
        self.size += len(data)

    def _take_back(self) -> None:
        """Cut off everything after the last whole record."""
        os.truncate(self._file.fileno(), self.size)
        self._file.seek(self.size)

    def due_in(self) -> None:
        """Return ``None``: nothing ever waits to be written."""

    def flush(self) -> None:
        """Do nothing: appended events are already in the file."""

    def close(self) -> None:
        """Close the file. Further calls do nothing."""
        self._file.close()


def first_event() -> Event:
    """Return the first event of every event file."""
    return Event(wall_time=time.time(), file_version="brain.Event:2")


def framed_size(event: Event) -> int:
    """Return the length of an event in a file, in bytes."""
    return _HEADER.size + int(event.ByteSize()) + _FOOTER.size


def frame(data: bytes) -> bytes:
    """Return data as one TFRecord."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, _checksum(length), data, _checksum(data)))


def locate_events(path: Readable) -> Iterator[tuple[int, Event | None]]:
    """Yield ``(offset, event)`` of each record; the event is ``None`` if its data was damaged.

    Reading ends at a damaged length, because the next record cannot be found. It also ends at a
    record that is not complete yet. :func:`read_event` reads an event again by its offset.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        offset = file.seek(0)
        while (data := _read_record(file, size - offset)) is not None:
            yield offset, _parse(data)
            offset = file.tell()


def read_event(path: Readable, offset: int) -> Event | None:
    """Return the event at an offset from :func:`locate_events`; ``None`` if it is gone.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        left = file.seek(0, os.SEEK_END) - offset
        file.seek(offset)
        return _parse(_read_record(file, left) or b"")


def _read_record(file: BinaryIO, left: int) -> bytes | None:
    """Return the next record's data, empty if damaged; ``None`` if no record fits into ``left``."""
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size or header[8:] != _checksum(header[:8]):
        return None
    length, _ = _HEADER.unpack(header)
    if _HEADER.size + length + _FOOTER.size > left:
        return None
    if length > MAX_EVENT_BYTES:  # too long to be read: the file may be sparse
        file.seek(length + _FOOTER.size, os.SEEK_CUR)
        return b""
    data = file.read(length)
    return data if file.read(_FOOTER.size) == _checksum(data) else b""


def _parse(data: bytes) -> Event | None:
    event = Event()
    try:
        event.ParseFromString(data)
    except DecodeError:
        return None
    return event if data else None


def _checksum(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return _FOOTER.pack(((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
