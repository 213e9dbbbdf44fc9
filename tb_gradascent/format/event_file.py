"""TensorBoard's event files: append to one, and read one back, whole records only.

TensorBoard's own writer computes its checksums in Python and holds the interpreter's lock over
them; this one leaves them to C. The format is TensorFlow's TFRecord:

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
"""What one event may take: protobuf stops at twice as much."""
_MAX_NAMES = 16
"""Under how many names one directory is searched, where links give it several."""
_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


class Readable(Protocol):
    """A path, local or not."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """The file."""
        ...


def file_name(session: str) -> str:
    """The name of a session's event file.

    It sorts before any other event file: a viewer that follows only the last file of a directory
    then goes on following the user's own.
    """
    return f"events.out.tfevents.0.gradascent.{session}"


def find_event_files(logdir: Path) -> Iterator[Path]:
    """Every file at or below a directory that :func:`file_name` named, in order of path.

    Links to directories are followed, as TensorBoard follows them, but neither in a circle nor to
    one directory under very many names. What cannot be listed is left out.
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
    """An event file that only grows, by whole records.

    Args:
        path: Created with its directories; must not exist.

    Raises:
        OSError: It cannot be created.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115  # closed by close()
        self.size = 0
        """Bytes written so far."""
        self.append(first_event())

    def append(self, *events: Event) -> None:
        """Writes events whole and together, or none of them.

        Raises:
            OSError: They were not written; the file is as long as before, so that later events can
                still be read.
            ValueError: One of them is longer than ``MAX_EVENT_BYTES``.
        """
        largest = max((event.ByteSize() for event in events), default=0)
        if largest > MAX_EVENT_BYTES:
            raise ValueError(f"an event may take {MAX_EVENT_BYTES} bytes, and this takes {largest}")
        data = b"".join(frame(event.SerializeToString()) for event in events)
        found = os.fstat(self._file.fileno())
        if not found.st_nlink:
            raise FileNotFoundError(f"{self._file.name} was deleted while it was written")
        if found.st_size < self.size:
            raise OSError(f"{self._file.name} was cut short by something else")
        if found.st_size > self.size:  # what was torn could not be taken back when it happened
            self._take_back()
        try:
            written = self._file.write(data)
            if written < len(data):  # what is left meets the reason why
                written += self._file.write(data[written:])
            if written < len(data):
                raise OSError(f"only {written} of {len(data)} bytes were written")
        except OSError:
            self._take_back()
            raise
        self.size += len(data)

    def _take_back(self) -> None:
        """Cuts off what stands behind the last whole record."""
        os.truncate(self._file.fileno(), self.size)
        self._file.seek(self.size)

    def due_in(self) -> None:
        """Nothing waits to be written: what was appended is in the file."""

    def flush(self) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Closes the file; more than once is harmless."""
        self._file.close()


def first_event() -> Event:
    """What every event file begins with."""
    return Event(wall_time=time.time(), file_version="brain.Event:2")


def framed_size(event: Event) -> int:
    """Bytes that an event takes in a file."""
    return _HEADER.size + int(event.ByteSize()) + _FOOTER.size


def frame(data: bytes) -> bytes:
    """One TFRecord."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, _checksum(length), data, _checksum(data)))


def read_events(path: Readable) -> Iterator[Event]:
    """A file's events in order, up to the first place at which it is torn.

    A record whose data was damaged is passed over. After a damaged length nothing more can be
    found, and the reading ends, as at the end of a file that is still being written.

    Raises:
        OSError: The file cannot be read.
    """
    for _, event in locate_events(path):
        if event is not None:
            yield event


def locate_events(path: Readable) -> Iterator[tuple[int, Event | None]]:
    """``(offset, event)`` of each of a file's records, ``None`` where its data was damaged.

    It ends where :func:`read_events` does; :func:`read_event` finds an event again by its offset.

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
    """The event that :func:`locate_events` found at an offset; ``None`` if it is there no more.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        left = file.seek(0, os.SEEK_END) - offset
        file.seek(offset)
        return _parse(_read_record(file, left) or b"")


def _read_record(file: BinaryIO, left: int) -> bytes | None:
    """The next record's data, empty where damaged; ``None`` where ``left`` bytes hold no record."""
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size or header[8:] != _checksum(header[:8]):
        return None
    length, _ = _HEADER.unpack(header)
    if _HEADER.size + length + _FOOTER.size > left:
        return None
    if length > MAX_EVENT_BYTES:  # the file may be sparse
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
