"""From samples to the event file, on a thread of its own, so that the training loop goes on."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING

from tb_gradascent import metadata, records
from tb_gradascent.event_file import EventFile, file_name
from tb_gradascent.samples import Sample

logger = logging.getLogger("tb_gradascent")

#: Captures that may wait to be written. What is queued is lost if the process is killed.
QUEUE_LENGTH = 8


class SampleWriter:
    """One session's event file.

    Args:
        directory: The run's directory; created if need be.
        tag: Under which the samples are stored.
        info: The session's constants.

    Raises:
        OSError: The file cannot be created.
    """

    def __init__(self, directory: Path, tag: str, info: metadata.SessionInfo) -> None:
        self.session = metadata.new_session()
        self.path = directory / file_name(self.session)
        self._worker = _Worker(EventFile(self.path), tag, self.session, info)
        # Runs at the interpreter's end, too, and holds no reference to self.
        self._finish = weakref.finalize(self, self._worker.close)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return not self._finish.alive

    @property
    def failure(self) -> Exception | None:
        """The first fault of the thread, if there was one."""
        return self._worker.failure

    def put(self, samples: Sequence[Sample]) -> None:
        """Queues one capture. Waits where ``QUEUE_LENGTH`` are waiting already."""
        self._worker.put(time.time(), samples)

    def flush(self) -> None:
        """Waits until everything queued is in the file."""
        self._worker.flush()

    def close(self) -> None:
        """Writes what is queued and closes the file; more than once is harmless."""
        self._finish()


class _Worker:
    """What the thread holds; apart from the writer, so that a forgotten writer is collected."""

    def __init__(self, file: EventFile, tag: str, session: str, info: metadata.SessionInfo) -> None:
        self.failure: Exception | None = None
        self._file = file
        self._tag = tag
        self._session = session
        self._info = info.encode()
        self._captures = 0
        self._process = os.getpid()
        self._queue: queue.Queue[tuple[float, Sequence[Sample]] | None] = queue.Queue(QUEUE_LENGTH)
        self._thread = threading.Thread(target=self._run, name="tb_gradascent", daemon=True)
        self._thread.start()

    def put(self, wall_time: float, samples: Sequence[Sample]) -> None:
        if self._is_ours():
            self._queue.put((wall_time, samples))

    def flush(self) -> None:
        if self._is_ours():
            self._queue.join()

    def close(self) -> None:
        if self._is_ours():
            self._queue.put(None)
            self._thread.join()
            self._file.close()

    def _is_ours(self) -> bool:
        """Whether this is not a forked child, which has the parent's file but not its thread."""
        return self._process == os.getpid()

    def _run(self) -> None:
        while (capture := self._queue.get()) is not None:
            try:
                self._write(*capture)
            except Exception as error:  # noqa: PERF203
                # Whatever it is, the thread must live on: a full queue would stop the training.
                if self.failure is None:
                    logger.warning(
                        "A capture could not be written and is lost; later ones are tried, and "
                        "this is not repeated: %s: %s",
                        type(error).__name__,
                        error,
                    )
                    self.failure = error
            finally:
                self._queue.task_done()
        self._queue.task_done()

    def _write(self, wall_time: float, samples: Sequence[Sample]) -> None:
        encoded = [records.encode(sample) for sample in samples]
        # The payload first, so that whoever sees a record can have its arrays.
        values = [
            self._value("payload", [payload for _, payload in encoded]),
            self._value("index", [record for record, _ in encoded]),
        ]
        event = Event(wall_time=wall_time, step=self._captures, summary=Summary(value=values))
        self._file.append(event)
        self._captures += 1

    def _value(self, kind: metadata.Kind, strings: list[bytes]) -> Summary.Value:
        # Of a series' metadata only the first event's is read.
        content = self._info if kind == "index" and self._captures == 0 else b""
        return Summary.Value(
            tag=metadata.series_tag(self._tag, kind, self._session),
            metadata=metadata.summary_metadata(kind, content),
            tensor=TensorProto(
                dtype=DT_STRING,
                string_val=strings,
                tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(strings))]),
            ),
        )
