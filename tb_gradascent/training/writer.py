"""From samples to the event file, on a thread of its own, so that the training loop goes on."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import math
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING

from tb_gradascent.format import metadata
from tb_gradascent.format.event_file import EventFile, file_name, framed_size
from tb_gradascent.format.remote import RemoteEventFile, RemotePath
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.samples import CapturedSample
from tb_gradascent.format.status import MAX_NOTICES, Status
from tb_gradascent.model.private_apis import call_before_executors_stop
from tb_gradascent.training.budget import SampleFile, status_reserve
from tb_gradascent.training.health import Health
from tb_gradascent.training.pending import PendingCapture

#: Captures that may wait to be written. A killed process loses the captures in the queue.
QUEUE_LENGTH = 8

LONGEST_WAIT: Final = 5.0
"""Seconds that the loop waits in all for a directory that does not keep up. Then captures are
dropped."""
LONGEST_CLOSE: Final = 30.0
"""Seconds that closing waits for a directory that takes nothing. Then the queued captures are
lost. The time in which the thread encodes samples does not count: a scan may have many of them."""

_POLL_SECONDS: Final = 0.05

STATUS_SECONDS: Final = 30.0
"""Seconds between two statuses that differ in counts only."""
STATUS_PART: Final = 0.05
"""Between two such statuses lies at least this part of the session's time so far."""


class SampleWriter:
    """One session's event file.

    Args:
        directory: The run's directory. It is created if it is missing.
        info: The session's constants.
        budget: Bytes that the file may take.
        tag: The tag of the session's status.
        arrays: Whether to store images, gradients and deltas.
        health: Notes the faults of the thread.
        status: Returns what the writer does not know of the session's status. The thread calls it.
            It must not refer to the writer, because a forgotten writer is closed.

    Attributes:
        session: The session's name.
        path: The file's path.
        progress: The file's size and its samples. It does not refer to the writer.
        waited: Seconds that the caller waited because the queue was full.
        refresh: Lets the thread look at the status. It does not refer to the writer.

    Raises:
        OSError: The file cannot be created.
        ValueError: The session's constants take too many bytes, or nothing can be written at the
            directory's URL.
    """

    def __init__(
        self,
        directory: Path | RemotePath,
        info: metadata.SessionInfo,
        budget: int,
        *,
        tag: str = "confused",
        arrays: bool = True,
        health: Health | None = None,
        status: Callable[[], Status] = Status,
    ) -> None:
        self._health = health = health or Health(strict=False)
        self.session = metadata.new_session()
        self.path = path = directory / file_name(self.session)
        content = info.encode()
        statuses = _StatusSeries(tag, self.session, info)
        first = status()
        event = statuses.make_event(first)
        file: EventFile | RemoteEventFile = (
            EventFile(path, event) if isinstance(path, Path) else RemoteEventFile(path, event)
        )
        statuses.mark(first)
        self._worker = _Worker(
            file,
            self.session,
            content,
            budget,
            statuses,
            status,
            health,
            arrays,
        )
        self.progress: SampleFile = self._worker
        self.refresh: Callable[[], None] = self._worker.refresh
        self.waited = 0.0
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

    def records(self) -> bool:
        """Whether anything is written: not by a forked process, which has no thread."""
        if not self._worker.is_ours():
            report_copy(self._health)
            return False
        return True

    def put(self, capture: PendingCapture) -> None:
        """Queue one capture. If ``QUEUE_LENGTH`` captures are queued already, wait, or drop it."""
        if self._worker.put(capture, 0.0):
            return
        start = time.perf_counter()
        kept = self._worker.put(capture, max(LONGEST_WAIT - self.waited, 0.0))
        self.waited += time.perf_counter() - start
        if not kept:
            self._worker.drop(capture)

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

    def records(self) -> bool:
        """Whether anything is written."""
        return False

    def put(self, capture: PendingCapture) -> None:
        """Do nothing: the capture is empty."""

    def refresh(self) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class CopiedWriter(NullWriter):
    """The writer of a hook that was copied. It says once that nothing is written.

    Args:
        health: It gets the notice.
    """

    def __init__(self, health: Health) -> None:
        self._health = health

    def records(self) -> bool:
        """Return ``False``, and say so."""
        report_copy(self._health)
        return False


def report_copy(health: Health) -> None:
    """Report that a hook records nothing because it is a copy."""
    health.report(
        "copy",
        "warning",
        "This hook is a copy, made with its model or handed to another process. It records "
        "nothing.",
        "Make the hook in the process that trains.",
    )


class _Refresh:
    """Lets the thread look at the status."""


class _StatusSeries:
    """The events of a session's status series, and which of them are worth writing.

    Args:
        tag: The tag of the series.
        session: The session's name.
        info: The session's constants.
    """

    def __init__(self, tag: str, session: str, info: metadata.SessionInfo) -> None:
        self._tag = metadata.series_tag(tag, "status", session)
        self._info = dataclasses.replace(info, class_names=None).encode()
        self._written = 0
        self._told = Status()
        self._started = self._told_at = time.monotonic()

    def make_event(self, status: Status) -> Event:
        """Return the next event of the series."""
        content = b"" if self._written else self._info
        value = _string_value(self._tag, "status", content, [status.encode()])
        return Event(wall_time=time.time(), step=self._written, summary=Summary(value=[value]))

    def mark(self, status: Status) -> None:
        """Remember that the event of a status was written."""
        self._written += 1
        self._told = status
        self._told_at = time.monotonic()

    def is_urgent(self, status: Status) -> bool:
        """Whether a status must be told at once."""
        told = len(self._told.notices)
        return status.ended or told < min(len(status.notices), MAX_NOTICES)

    def is_due(self, status: Status) -> bool:
        """Whether a status tells enough that is new.

        The events get rarer, so that those of a training of any length take little space.
        """
        if status.steps and status.steps >= 2 * self._told.steps:
            return True
        now = time.monotonic()
        pause = max(STATUS_SECONDS, STATUS_PART * (now - self._started))
        return now - self._told_at >= pause and status != self._told


class _Worker:
    """The state of the thread, apart from the writer, so that a forgotten writer is collected."""

    def __init__(
        self,
        file: EventFile | RemoteEventFile,
        session: str,
        info: bytes,
        budget: int,
        statuses: _StatusSeries,
        status: Callable[[], Status],
        health: Health,
        arrays: bool,
    ) -> None:
        self.failure: Exception | None = None
        self.processor_seconds = 0.0
        self.written = 0
        self._lost = 0
        self._refused = 0
        self._file = file
        self._session = session
        self._info = info
        self._budget = budget
        self._for_captures = budget - status_reserve(budget)
        self._statuses = statuses
        self._status = status
        self._health = health
        self._arrays = arrays
        self._batches = 0
        self._selected = 0
        self._least_margin = math.inf
        self._captures: collections.Counter[str] = collections.Counter()
        self._encoded_seconds = 0.0
        self._encoding_since: float | None = None
        self._process = os.getpid()
        self._queue: queue.Queue[PendingCapture | _Refresh | None] = queue.Queue(QUEUE_LENGTH)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="tb_gradascent", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        # Each part is counted by one thread: the writing thread, and the loop's.
        return self._lost + self._refused

    @property
    def size(self) -> int:
        return self._file.size

    def put(self, capture: PendingCapture, wait: float) -> bool:
        """Whether the capture was queued, or this process does not own the writer thread.

        Args:
            capture: What is queued.
            wait: Seconds to wait at most while the queue is full.
        """
        if self.is_ours():
            try:
                self._queue.put(capture, block=wait > 0, timeout=wait or None)
            except queue.Full:
                return False
        return True

    def drop(self, capture: PendingCapture) -> None:
        self._refused += capture.size
        self._health.note(
            "write-stalled",
            "error",
            f"The log directory takes no data, or too slowly: after {LONGEST_WAIT:g} seconds of "
            "waiting in all, captures are dropped.",
            "Training is not affected. Look at the disk or the network mount, or log to a local "
            "directory.",
            capture.step,
        )

    def refresh(self) -> None:
        # If anything is queued, the thread looks at the status anyway.
        if self.is_ours() and not self._closed and self._queue.empty():
            with contextlib.suppress(queue.Full):
                self._queue.put_nowait(_Refresh())

    def flush(self) -> None:
        if self.is_ours():
            self._queue.join()
            self._file.flush()

    def close(self) -> None:
        if not self.is_ours():
            return
        self._closed = True
        if threading.current_thread() is self._thread:
            # A garbage collection on this thread found that the hook was forgotten. A thread cannot
            # wait for itself, and the program must wait for the one that does.
            threading.Thread(target=self._finish, daemon=False).start()
        else:
            self._finish()

    def _finish(self) -> None:
        if not self._end_thread():
            self._health.note(
                "close-stalled",
                "error",
                f"The log directory took no data for {LONGEST_CLOSE:g} seconds. The captures "
                "that were not written yet are lost.",
            )

    def _end_thread(self) -> bool:
        """Whether the thread wrote what was queued and ended, without a stall."""
        deadline = time.monotonic() - self._encoding_seconds() + LONGEST_CLOSE
        is_told = False
        while self._thread.is_alive() and time.monotonic() - self._encoding_seconds() < deadline:
            if is_told:
                self._thread.join(_POLL_SECONDS)
                continue
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=_POLL_SECONDS)
                is_told = True
        return not self._thread.is_alive()

    @contextlib.contextmanager
    def _encoding(self) -> Iterator[None]:
        """Measure work of the thread that does not depend on the directory."""
        start = self._encoding_since = time.monotonic()
        try:
            yield
        finally:
            self._encoding_since = None
            self._encoded_seconds += time.monotonic() - start

    def _encoding_seconds(self) -> float:
        since = self._encoding_since
        return self._encoded_seconds + (0.0 if since is None else time.monotonic() - since)

    def is_ours(self) -> bool:
        """Whether this process owns the writer thread. A forked child has the file alone."""
        return self._process == os.getpid()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            if isinstance(item, PendingCapture):
                self._take(item)
            del item  # its samples may be large, and the next one may come much later
            self._try_to_tell()
            self._queue.task_done()
        self._say_if_nothing_was_confused()
        self._try_to_tell(ended=True)
        try:
            self._file.close()
        except Exception as error:
            self._fail("The last captures could not be written and are lost", error)
        self._queue.task_done()

    def _take(self, capture: PendingCapture) -> None:
        kept = False
        try:
            kept = self._write(capture)
        except Exception as error:
            # The thread must live on after any error: a full queue would stop the training.
            self._fail("A capture could not be written and is lost", error)
        if kept:
            self.written += capture.size
        else:
            self._lost += capture.size
        self.processor_seconds = time.thread_time()

    def _next(self) -> PendingCapture | _Refresh | None:
        """Wait for the next capture, and meanwhile flush the file when that is due."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=self._file.due_in())
            try:
                self._file.flush()
            except Exception as error:
                self._fail("Captures could not be written. The hook tries again", error)

    def _fail(self, message: str, error: Exception) -> None:
        """Keep the first error, and note each kind of error."""
        self.failure = self.failure or error
        self._health.note_fault(
            "write",
            message,
            error,
            "Training is not affected. Further failures of this kind are counted in hook.stats and "
            "not logged.",
        )

    def _try_to_tell(self, *, ended: bool = False) -> None:
        # If a status cannot be written, nothing is lost: the next one holds the same and more.
        with contextlib.suppress(Exception):
            self._tell(ended)

    def _tell(self, ended: bool) -> None:
        """Append the status to the file if it tells enough that is new, and if there is room."""
        status = dataclasses.replace(
            self._status(),
            captured=self.written + self.dropped,
            dropped=self.dropped,
            least_margin=self._least_margin if self._least_margin < math.inf else None,
            ended=ended,
        )
        urgent = self._statuses.is_urgent(status)
        if not (urgent or self._statuses.is_due(status)):
            return
        event = self._statuses.make_event(status)
        room = (self._budget if urgent else self._for_captures) - self._file.size
        if framed_size(event) > room:
            return
        self._file.append(event)
        self._statuses.mark(status)

    def _say_if_nothing_was_confused(self) -> None:
        if not self._batches or self._selected:
            return
        least = self._least_margin
        margin = f" The smallest margin was {least:.4g}." if least < math.inf else ""
        above = min(math.floor(least * 100 + 1) / 100, 1.0) if least < math.inf else 1.0
        self._health.note(
            "nothing-confused",
            "warning",
            f"Nothing was confused: the criterion selected no sample of {self._batches} batches."
            f"{margin}",
            f"criterion=ProbabilityMargin({above:g}) selects the sample with this margin."
            if margin
            else "",
        )

    def _look_at(self, capture: PendingCapture, samples: Sequence[CapturedSample]) -> None:
        if capture.batch is not None:
            self._batches += 1
            self._least_margin = min(self._least_margin, capture.batch.least_margin())
        self._selected += sum(not sample.probe for sample in samples)

    def _write(self, capture: PendingCapture) -> bool:
        """Append a capture to the file; return whether the budget has room for it."""
        samples = capture.samples()
        self._look_at(capture, samples)
        with self._encoding():
            encoded = [
                encode_sample(
                    sample, dropped=self.dropped, every=capture.every, arrays=self._arrays
                )
                for sample in samples
            ]
        # The payload first: a reader that sees a record can then read its arrays.
        number = self._captures[capture.tag]
        # Only the metadata of a session's first event is read.
        info = self._info if capture.info is None else capture.info.encode()
        payloads = [payload for _, payload in encoded]
        records = [record for record, _ in encoded]
        values = [
            self._value(capture.tag, "payload", number, payloads),
            self._value(capture.tag, "index", number, records, b"" if number else info),
        ]
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
        if self._file.size + sum(map(framed_size, events)) > self._for_captures:
            self._health.note(
                "budget-spent",
                "error",
                "budget_mb is used up: from here on captures are dropped that do not fit.",
                "Raise it, or every.",
                capture.step,
            )
            return False
        self._file.append(*events)
        self._captures[capture.tag] += bool(samples)
        return True

    def _value(
        self,
        tag: str,
        kind: metadata.Kind,
        number: int,
        strings: list[bytes],
        content: bytes = b"",
    ) -> Summary.Value:
        block = number // metadata.CAPTURES_A_BLOCK
        series = metadata.series_tag(tag, kind, self._session, block)
        return _string_value(series, kind, content, strings)


def _string_value(
    tag: str, kind: metadata.Kind, content: bytes, strings: list[bytes]
) -> Summary.Value:
    return Summary.Value(
        tag=tag,
        metadata=metadata.summary_metadata(kind, content),
        tensor=TensorProto(
            dtype=DT_STRING,
            string_val=strings,
            tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(strings))]),
        ),
    )
