"""Log directories that ``fsspec`` reaches, such as ``s3://bucket/runs``: written and read.

Objects in a store cannot be appended to; they are put whole. So a session's events go to a series
of parts, each an event file of its own. The newest part is put again as it grows, and a part that
is large enough is left alone from then on.
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
"""How long what was appended may wait. Each put sends at most ``PART_BYTES`` again."""
PART_BYTES: Final = 4 << 20
"""From what size on a part is left alone. TensorBoard looks at every part at each reload."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::[A-Za-z0-9+.:/-]+)?://")


def is_url(path: object) -> bool:
    """Whether a path has a scheme: ``s3://…``, ``memory://…``, ``simplecache::gs://…``."""
    return isinstance(path, str) and _URL.match(path) is not None


@dataclasses.dataclass(frozen=True, order=True)
class RemotePath:
    """A path with a scheme.

    Attributes:
        url: The whole of it.
    """

    url: str

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(f"{self.url.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.url

    def file_system(self) -> tuple[Any, str]:
        """The file system, and the path there.

        Raises:
            ValueError: The scheme is not known, or a package that it needs is missing.
        """
        try:
            from fsspec.core import url_to_fs

            found: tuple[Any, str] = url_to_fs(self.url)
        except ImportError as error:
            raise ValueError(f"{self.url!r} needs another package: {error}") from error
        except ValueError as error:
            raise ValueError(f"{self.url!r} is no path that fsspec knows: {error}") from error
        return found

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """The file, opened for reading.

        Raises:
            OSError: It cannot be read.
        """
        system, path = self.file_system()
        file: BinaryIO = system.open(path, mode)
        return file


def find_remote_files(logdir: RemotePath) -> Iterator[tuple[str, RemotePath]]:
    """``(run, file)`` of every file at or below a directory that the hook wrote, in order of path.

    Raises:
        FileNotFoundError: There is no such directory.
        OSError: It cannot be listed.
    """
    system, root = logdir.file_system()
    system.invalidate_cache(root)  # what was listed before may have grown
    if not system.isdir(root):
        raise FileNotFoundError(f"logdir must be a directory, and {logdir.url!r} is none")
    names = sorted(
        posixpath.relpath(path, root)
        for path in system.find(root)
        if posixpath.basename(path).startswith(file_name(""))
    )
    for name in names:
        yield posixpath.dirname(name) or ".", logdir / name


class RemoteEventFile:
    """A session's events, put as parts; the first is there at once.

    It may be used by several threads.

    Args:
        path: Of the first part; those after it end in ``.0001`` and so on.

    Raises:
        OSError: It cannot be created.
        ValueError: There is no way to write there.
    """

    def __init__(self, path: RemotePath) -> None:
        self._system, self._path = path.file_system()
        self._url = path.url
        self._lock = threading.Lock()
        self._number = 0
        self._part = _new_part()
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
                f"log must be where files can be written, and {type(self._system).__name__}, to "
                f"which {path.url!r} belongs, only reads: give another directory"
            ) from error

    def append(self, *events: Event) -> None:
        """Takes events whole and together, or none of them; they are put when that is due.

        Raises:
            Exception: That of the file system: they were not put, and not taken.
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
        """Seconds until :meth:`flush` should be called; ``None`` if nothing waits to be put."""
        with self._lock:
            return self._due_in()

    def flush(self) -> None:
        """Puts what was appended.

        Raises:
            Exception: That of the file system; it is tried again when it is due again.
        """
        with self._lock:
            if self._unput:
                self._put()

    def close(self) -> None:
        """Puts what was appended; more than once is harmless."""
        self.flush()

    def _due_in(self) -> float | None:
        if not self._unput:
            return None
        if len(self._part) >= PART_BYTES:
            return 0.0
        return max(self._last_put + PUT_SECONDS - time.monotonic(), 0.0)

    def _put(self) -> None:
        self._last_put = time.monotonic()  # also of a try that fails, so that the next one waits
        path = f"{self._path}.{self._number:04}" if self._number else self._path
        self._system.pipe_file(path, bytes(self._part))
        self._unput = 0


def _new_part() -> bytearray:
    return bytearray(frame(first_event().SerializeToString()))
