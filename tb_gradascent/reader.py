"""Reads recorded samples from event files, as numpy arrays."""

from __future__ import annotations

import dataclasses
import logging
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tb_gradascent.format.event_file import Readable, find_event_files, locate_events, read_event
from tb_gradascent.format.metadata import SessionInfo, split_series_tag
from tb_gradascent.format.record import RecordError
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.remote import RemotePath, find_remote_files, is_url
from tb_gradascent.format.sample_codec import decode_sample
from tb_gradascent.format.samples import Sample
from tb_gradascent.format.sessions import (
    Entry,
    ParsedCapture,
    Session,
    finite_time,
    join,
    parse_capture,
)
from tb_gradascent.format.status import Status

_log = logging.getLogger(__name__)


def read_samples(
    logdir: str | os.PathLike[str],
    *,
    run: str | None = None,
    tag: str | None = None,
    step: int | None = None,
) -> Iterator[Sample]:
    """Yield the recorded samples, as the page shows them. TensorBoard need not run.

    The samples are sorted by run, tag, step, wall time and index in the capture. If a restart from
    a checkpoint recorded steps again, only the restart's samples of these steps are yielded. Only
    one capture's arrays are in memory at a time. The training may still be running: captures that
    are complete when their run is reached are read.

    Args:
        logdir: TensorBoard's log directory: a path, or a URL that ``fsspec`` supports, such as
            ``s3://…``. Its subdirectories are the runs.
        run: Only this run: a directory relative to ``logdir``, ``"."`` for ``logdir`` itself.
        tag: Only this tag of the hook.
        step: Only this training step.

    Yields:
        Samples. Images are exact. The error of a gradient is at most 1/2048 of its largest
        magnitude. A gradient of at least 16384 elements has a cosine of at least 0.999 with the
        true gradient instead. Deltas are exactly those that the network was asked about. Damaged
        records are skipped, and one warning in the log counts them. If a run has no captures, a
        warning in the log says why.

    Raises:
        FileNotFoundError: ``logdir`` is not a directory.
        TypeError: ``step`` is not an integer.
        ValueError: ``run`` was not recorded. Or, after all runs were read: ``tag`` was not.
        OSError: An event file cannot be read.
    """
    if step is not None:
        step = operator.index(step)
    return _decode(_chosen_files(logdir, run), tag, step)


@dataclasses.dataclass(frozen=True)
class StoredSample:
    """A sample as it is stored: its record, and a function that reads its arrays.

    Attributes:
        run, tag: The run and the tag.
        session: The session as the plugin's route ``index`` lists it, without counts.
        position: The position of the session among those of its run and tag, by their start.
        entry: Its record, and where it belongs.
        info: The session's constants.
        payload: Reads its arrays, still encoded; ``b""`` if they are missing.
    """

    run: str
    tag: str
    session: Mapping[str, Any]
    position: int
    entry: Entry
    info: SessionInfo
    payload: Callable[[], bytes]


def read_stored(
    logdir: str | os.PathLike[str], *, run: str | None, tag: str | None
) -> Iterator[StoredSample]:
    """Yield the samples that :func:`read_samples` yields, as they are stored.

    Its errors and warnings are the same.
    """
    return _read(_chosen_files(logdir, run), tag, None, _Damage())


def _chosen_files(logdir: str | os.PathLike[str], run: str | None) -> dict[str, list[Readable]]:
    files: dict[str, list[Readable]] = {}
    for found, path in _find(logdir):
        files.setdefault(found, []).append(path)
    if run is not None:
        if run not in files:
            _refuse("run", run, files)
        files = {run: files[run]}
    if not files:
        _log.warning("Nothing was recorded in %s: it has no event file of a hook", logdir)
    return dict(sorted(files.items()))


def _find(logdir: str | os.PathLike[str]) -> Iterator[tuple[str, Readable]]:
    """Yield ``(run, file)`` of every event file of a hook, sorted by path."""
    if isinstance(logdir, str) and is_url(logdir):
        yield from find_remote_files(RemotePath(logdir))
        return
    root = Path(logdir).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(
            f"logdir must be a directory, got {str(root)!r}; give the hook's directory or one "
            "above it"
        )
    for path in find_event_files(root):
        yield str(path.parent.relative_to(root)), path


def _refuse(name: str, value: str, present: Iterable[str]) -> NoReturn:
    names = sorted(present)
    known = ", ".join(repr(each) for each in names[:10]) + (", …" if len(names) > 10 else "")
    raise ValueError(f"{name} must be recorded in logdir ({known or 'nothing is'}), got {value!r}")


@dataclasses.dataclass
class _Damage:
    """How many records or payloads could not be read."""

    count: int = 0


def _decode(
    files: dict[str, list[Readable]], tag: str | None, step: int | None
) -> Iterator[Sample]:
    damage = _Damage()
    for stored in _read(files, tag, step, damage):
        sample = _sample(stored)
        if sample is None:
            damage.count += 1
        else:
            yield sample


def _read(
    files: dict[str, list[Readable]], tag: str | None, step: int | None, damage: _Damage
) -> Iterator[StoredSample]:
    tags: set[str] = set()
    try:
        for run, paths in files.items():
            recorded = _Run(paths)
            why = recorded.why_empty()
            if why:
                _log.warning("Nothing was recorded in run %r: %s", run, why)
            tags |= recorded.sessions.keys()
            damage.count += recorded.damaged
            for name in sorted(recorded.sessions):
                if tag not in (None, name):
                    continue
                sessions = recorded.sessions[name]
                index = join(session.parsed(key) for key, session in sessions.items())
                damage.count += index.unreadable
                described = [recorded.describe(session) for session in index.sessions]
                for position, entry in index.entries:
                    if step not in (None, entry.step):
                        continue
                    session = index.sessions[position]
                    payload = partial(recorded.payload, name, session.name, entry)
                    about = described[position]
                    yield StoredSample(run, name, about, position, entry, session.info, payload)
    finally:
        if damage.count:
            _log.warning("%d damaged records or payloads were skipped", damage.count)
    if tag is not None and tag not in tags:
        _refuse("tag", tag, tags)


def _sample(stored: StoredSample) -> Sample | None:
    """Return a sample with its arrays, or ``None`` if they are damaged."""
    entry, info = stored.entry, stored.info
    try:
        captured = decode_sample(parse_record(entry.record), stored.payload())
    except RecordError:
        return None
    return Sample(
        run=stored.run,
        tag=stored.tag,
        wall_time=entry.wall_time,
        index=entry.index,
        mean=info.mean,
        std=info.std,
        class_names=info.class_names,
        rank=info.rank,
        **{**vars(captured), "bounds": captured.bounds or info.bounds},
    )


@dataclasses.dataclass
class _Session:
    """One session's records and its payloads' ``(file, offset)``, by the capture's number."""

    info: bytes = b""
    captures: dict[int, ParsedCapture] = dataclasses.field(default_factory=dict)
    payloads: dict[int, tuple[Readable, int]] = dataclasses.field(default_factory=dict)

    def parsed(self, name: str) -> Session:
        return Session(name, SessionInfo.decode(self.info), self.captures)


@dataclasses.dataclass
class _LastStatus:
    """The last event of a session's status series. Only the first event has the constants."""

    started: float = 0.0
    number: int = -1
    wall_time: float = 0.0
    data: bytes = b""

    def add(self, value: Summary.Value, number: int, wall_time: float) -> None:
        content = value.metadata.plugin_data.content
        if content:
            self.started = SessionInfo.decode(content).started
        if number > self.number:
            self.number, self.wall_time = number, finite_time(wall_time)
            self.data = b"".join(value.tensor.string_val[:1])


class _Run:
    """One run's event files. They are read once for the records; the payloads stay in the files.

    Attributes:
        sessions: The sessions that captured something, by tag, then by name.
        damaged: How many events were damaged.
    """

    def __init__(self, paths: Sequence[Readable]) -> None:
        self.sessions: dict[str, dict[str, _Session]] = {}
        self.damaged = 0
        self._statuses: dict[str, _LastStatus] = {}
        self._last: tuple[tuple[Readable, int], Event | None] | None = None
        for path in paths:
            for offset, event in locate_events(path):
                if event is None:
                    self.damaged += 1
                else:
                    self._add(path, offset, event)

    def _add(self, path: Readable, offset: int, event: Event) -> None:
        for value in event.summary.value:
            split = split_series_tag(value.tag)
            if split is None:
                continue
            tag, kind, name, _ = split
            if kind == "status":
                self._statuses.setdefault(name, _LastStatus()).add(
                    value, event.step, event.wall_time
                )
                continue
            session = self.sessions.setdefault(tag, {}).setdefault(name, _Session())
            if kind == "payload":
                session.payloads.setdefault(event.step, (path, offset))
            elif event.step not in session.captures:
                session.info = session.info or value.metadata.plugin_data.content
                session.captures[event.step] = parse_capture(
                    event.step, event.wall_time, list(value.tensor.string_val)
                )

    def why_empty(self) -> str | None:
        """Return why the run has no captures; ``None`` if it has some."""
        if any(
            session.captures for of_tag in self.sessions.values() for session in of_tag.values()
        ):
            return None
        if not self._statuses:
            return "its event files hold no capture."
        newest = max(self._statuses.values(), key=lambda status: status.started)
        return Status.decode(newest.data).why_no_samples()

    def describe(self, session: Session) -> dict[str, Any]:
        """Return a session as the plugin's route ``index`` lists it, without counts."""
        told = self._statuses.get(session.name)
        status = told and {"wall_time": told.wall_time, **Status.decode(told.data).to_json()}
        return {"session": session.name, **session.info.to_json(), "status": status}

    def payload(self, tag: str, session: str, entry: Entry) -> bytes:
        """Return a sample's payload, or ``b""`` if it is missing. It caches the last event."""
        where = self.sessions[tag][session].payloads.get(entry.capture)
        if where is None:
            return b""
        if self._last is None or self._last[0] != where:
            self._last = where, read_event(*where)
        event = self._last[1]
        for value in event.summary.value if event else ():
            series = split_series_tag(value.tag)
            if series is None or series[:3] != (tag, "payload", session):
                continue
            if entry.index < len(value.tensor.string_val):
                return bytes(value.tensor.string_val[entry.index])
        return b""
