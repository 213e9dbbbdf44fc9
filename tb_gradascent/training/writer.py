"""From samples to the event file, on a thread of its own, so that the training loop goes on."""

from __future__ import annotations

import collections
import contextlib
import logging
import math
import os
import queue
import threading
import time
import weakref
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING

from tb_gradascent.format import metadata
from tb_gradascent.format.event_file import EventFile, file_name, framed_size
from tb_gradascent.format.remote import RemoteEventFile, RemotePath
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.model.private_apis import call_before_executors_stop
from tb_gradascent.training.pending import PendingCapture

logger = logging.getLogger("tb_gradascent")

#: Captures that may wait to be written. A killed process loses the captures in the queue.
QUEUE_LENGTH = 8


class SampleWriter:
    """One session's event file.

    Args:
        directory: The run's directory. It is created if it is missing.
        info: The session's constants.
        budget: Bytes that the file may take.

    Raises:
        OSError: The file cannot be created.
        ValueError: The session's constants take too many bytes, or nothing can be written at the
            directory's URL.
    """

    def __init__(
        self, directory: Path | RemotePath, info: metadata.SessionInfo, budget: int
    ) -> None:
        self.session = metadata.new_session()
        self.path = directory / file_name(self.session)
        content = info.encode()
        path = self.path
        file = EventFile(path) if isinstance(path, Path) else RemoteEventFile(path)
        self._worker = _Worker(file, self.session, content, budget)
        self.waited = 0.0
        """Seconds that the caller waited because the queue was full."""
        # It also runs when the interpreter ends, and holds no reference to self.
        self._finish = weakref.finalize(self, self._worker.close)
        if isinstance(file, RemoteEventFile):
            call_before_executors_stop(self._finish)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return not self._finish.alive

    @property
    def failure(self) -> Exception | None:
        """The first fault of the thread, if there was one."""
        return self._worker.failure

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._worker.size

    @property
    def processor_seconds(self) -> float:
        """Processor time of the thread so far."""
        return self._worker.processor_seconds

    @property
    def written(self) -> int:
        """Samples in the file."""
        return self._worker.written

    @property
    def dropped(self) -> int:
        """Samples that could not be written."""
        return self._worker.dropped

    def put(self, capture: PendingCapture) -> None:
        """Queue one capture. Wait while ``QUEUE_LENGTH`` captures are queued already."""
        start = time.perf_counter()
        if self._worker.put(capture, wait=False):
            return
        self._worker.put(capture)
        self.waited += time.perf_counter() - start

    def flush(self) -> None:
        """Wait until every queued capture is in the file."""
        self._worker.flush()

    def close(self) -> None:
        """Write the queued captures and close the file. A second call does nothing."""
        self._finish()


class NullWriter:
    """A writer of a process that records nothing."""

    closed = False
    failure = None
    size = written = dropped = 0
    waited = processor_seconds = 0.0

    def put(self, capture: PendingCapture) -> None:
        """Do nothing: the capture is empty."""

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class _Worker:
    """The state of the thread, apart from the writer, so that a forgotten writer is collected."""

    def __init__(
        self, file: EventFile | RemoteEventFile, session: str, info: bytes, budget: int
    ) -> None:
        self.failure: Exception | None = None
        self.processor_seconds = 0.0
        self.written = 0
        self.dropped = 0
        self._file = file
        self._session = session
        self._info = info
        self._budget = budget
        self._spent = False
        self._captures: collections.Counter[str] = collections.Counter()
        self._process = os.getpid()
        self._queue: queue.Queue[PendingCapture | None] = queue.Queue(QUEUE_LENGTH)
        self._thread = threading.Thread(target=self._run, name="tb_gradascent", daemon=True)
        self._thread.start()

    @property
    def size(self) -> int:
        return self._file.size

    def put(self, capture: PendingCapture, *, wait: bool = True) -> bool:
        """Whether the capture was queued, or this process does not own the writer thread."""
        if self._is_ours():
            try:
                self._queue.put(capture, block=wait)
            except queue.Full:
                return False
        return True

    def flush(self) -> None:
        if self._is_ours():
            self._queue.join()
            self._file.flush()

    def close(self) -> None:
        if self._is_ours():
            self._queue.put(None)
            self._thread.join()
            try:
                self._file.close()
            except Exception as error:
                self._log("The last captures could not be written and are lost", error)

    def _is_ours(self) -> bool:
        """Whether this process owns the writer thread. A forked child has the file alone."""
        return self._process == os.getpid()

    def _run(self) -> None:
        while (capture := self._next()) is not None:
            try:
                kept = self._write(capture)
            except Exception as error:  # noqa: PERF203
                # The thread must live on after any error: a full queue would stop the training.
                kept = False
                self._log(
                    "A capture could not be written and is lost. Later failures are counted in "
                    "hook.stats and not logged",
                    error,
                )
            finally:
                if kept:
                    self.written += capture.size
                else:
                    self.dropped += capture.size
                self.processor_seconds = time.thread_time()
                del capture  # its samples may be large, and the next one may come much later
                self._queue.task_done()
        self._queue.task_done()

    def _next(self) -> PendingCapture | None:
        """Wait for the next capture, and meanwhile flush the file when that is due."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=self._file.due_in())
            try:
                self._file.flush()
            except Exception as error:
                self._log("Captures could not be written. The hook tries again", error)

    def _log(self, message: str, error: Exception) -> None:
        """Keep and log the first error."""
        if self.failure is None:
            logger.warning("%s: %s: %s", message, type(error).__name__, error)
            self.failure = error

    def _write(self, capture: PendingCapture) -> bool:
        """Append a capture to the file; return whether the budget has room for it."""
        samples = capture.samples()
        encoded = [
            encode_sample(sample, dropped=self.dropped, every=capture.every) for sample in samples
        ]
        # The payload first: a reader that sees a record can then read its arrays.
        values = [
            self._value(capture.tag, "payload", [payload for _, payload in encoded]),
            self._value(capture.tag, "index", [record for record, _ in encoded]),
        ]
        number = self._captures[capture.tag]
        scalars = [
            Summary.Value(tag=tag, simple_value=value)
            for tag, value in capture.scalars(samples).items()
            if math.isfinite(value)
        ]
        events = [
            Event(wall_time=capture.wall_time, step=step, summary=Summary(value=some))
            for step, some in ((number, values if samples else []), (capture.step, scalars))
            if some
        ]
        if self._file.size + sum(map(framed_size, events)) > self._budget:
            if not self._spent:
                self._spent = True
                logger.warning(
                    "budget_mb is used up: from here on captures are dropped that do not fit. "
                    "Raise it, or every"
                )
            return False
        self._file.append(*events)
        self._captures[capture.tag] += bool(samples)
        return True

    def _value(self, tag: str, kind: metadata.Kind, strings: list[bytes]) -> Summary.Value:
        # Of a series' metadata only the first event's is read.
        content = self._info if kind == "index" and not self._captures[tag] else b""
        return Summary.Value(
            tag=metadata.series_tag(tag, kind, self._session),
            metadata=metadata.summary_metadata(kind, content),
            tensor=TensorProto(
                dtype=DT_STRING,
                string_val=strings,
                tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(strings))]),
            ),
        )
