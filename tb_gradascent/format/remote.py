"""Writes and reads log directories that ``fsspec`` reaches, such as ``s3://bucket/runs``.

An object in a store cannot be appended to; it can only be put as a whole. So a session's events are
stored as a series of parts. Each part is an event file. The newest part is put again when it has
grown. When it is large enough, the next part begins.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import threading
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, Literal

from tensorboard.compat.proto.event_pb2 import Event

from tb_gradascent.format.event_file import file_name, first_event, frame

PUT_SECONDS: Final = 30.0
"""How long appended events may wait. Each put sends at most ``PART_BYTES`` again."""
PART_BYTES: Final = 4 << 20
"""The size at which the next part begins. TensorBoard checks every part at each reload."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::[A-Za-z0-9+.:/-]+)?://")


def is_url(path: object) -> bool:
    """Return whether a path has a scheme: ``s3://…``, ``memory://…``, ``simplecache::gs://…``."""
    return isinstance(path, str) and _URL.match(path) is not None


@dataclasses.dataclass(frozen=True)
class RemotePath:
    """A path with a scheme.

    Attributes:
        url: The whole path.
    """

    url: str

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(f"{self.url.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.url

    def file_system(self) -> tuple[Any, str]:
        """Return the file system and the path in it.

        Raises:
            ValueError: The scheme is unknown, or a package that it needs is missing.
        """
        try:
            from fsspec.core import url_to_fs

            found: tuple[Any, str] = url_to_fs(self.url)
        except ImportError as error:
            raise ValueError(f"{self.url!r} needs another package: {error}") from error
        except ValueError as error:
            raise ValueError(
                f"the URL must be one that fsspec supports, got {self.url!r}: {error}"
            ) from error
        return found

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Open the file for reading.

        Raises:
            OSError: It cannot be read.
        """
        system, path = self.file_system()
        file: BinaryIO = system.open(path, mode)
        return file


def find_remote_files(logdir: RemotePath) -> Iterator[tuple[str, RemotePath]]:
    """Yield ``(run, file)`` of every event file of a hook at or below a directory, sorted by path.

    Raises:
        FileNotFoundError: The directory does not exist.
        OSError: The directory cannot be listed.
    """
    system, root = logdir.file_system()
    system.invalidate_cache(root)  # an earlier listing may be outdated
    if not system.isdir(root):
        raise FileNotFoundError(f"logdir must be a directory, got {logdir.url!r}")
    names = sorted(
        posixpath.relpath(path, root)
        for path in system.find(root)
        if posixpath.basename(path).startswith(file_name(""))
    )
    for name in names:
        yield posixpath.dirname(name) or ".", logdir / name


class RemoteEventFile:
    """A session's events in a store, as a series of parts. The first part is put at once.

    Several threads may use it.

    Args:
        path: The path of the first part. The paths of later parts end in ``.0001`` and so on.
        events: Events that the first part starts with.

    Raises:
        OSError: The first part cannot be put.
        ValueError: The store is read-only.
    """

    def __init__(self, path: RemotePath, *events: Event) -> None:
        self._system, self._path = path.file_system()
        self._url = path.url
        self._lock = threading.Lock()
        self._number = 0
        self._part = _new_part(*events)
        self._unput = len(self._part)
        self._last_put = -PUT_SECONDS
        self.size = len(self._part)
        """Bytes appended so far."""
        try:
            self._put()
        except FileNotFoundError:
            self._system.makedirs(posixpath.dirname(self._path), exist_ok=True)
            self._put()
        except NotImplementedError as error:
            raise ValueError(
                f"log must be a directory that can be written, got {path.url!r}: "
                f"{type(self._system).__name__} is read-only. Give another directory"
            ) from error

    def append(self, *events: Event) -> None:
        """Append events atomically: all of them, or none. They are put when that is due.

        Raises:
            Exception: The file system's error. The events were not appended.
        """
        data = b"".join(frame(event.SerializeToString()) for event in events)
        with self._lock:
            if len(self._part) >= PART_BYTES and not self._unput:
                self._number += 1
                self._part = _new_part()
                self.size += len(self._part)
            self._part += data
            self._unput += len(data)
            try:
                if self._due_in() == 0:
                    self._put()
            except Exception:
                del self._part[-len(data) :]
                self._unput -= len(data)
                raise
            self.size += len(data)

    def due_in(self) -> float | None:
        """Return the seconds until :meth:`flush` is due; ``None`` if nothing waits to be put."""
        with self._lock:
            return self._due_in()

    def flush(self) -> None:
        """Put all appended events.

        Raises:
            Exception: The file system's error. The events stay and can be put later.
        """
        with self._lock:
            if self._unput:
                self._put()

    def close(self) -> None:
        """Put all appended events. Further calls do nothing."""
        self.flush()

    def _due_in(self) -> float | None:
        if not self._unput:
            return None
        if len(self._part) >= PART_BYTES:
            return 0.0
        return max(self._last_put + PUT_SECONDS - time.monotonic(), 0.0)

    def _put(self) -> None:
        self._last_put = time.monotonic()  # also if it fails, so that the next attempt waits
        path = f"{self._path}.{self._number:04}" if self._number else self._path
        self._system.pipe_file(path, bytes(self._part))
        self._unput = 0


def _new_part(*events: Event) -> bytearray:
    framed = (frame(event.SerializeToString()) for event in (first_event(), *events))
    return bytearray(b"".join(framed))
