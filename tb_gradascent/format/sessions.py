"""Joins the sessions of one run and tag: puts samples in order and drops what a restart repeated.

This module reads no files. The plugin gets its data from TensorBoard and ``read_samples`` gets it
from event files. Both decide here which samples are shown.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.format.record_parser import parse_records


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One sample, without its arrays.

    Attributes:
        step: The training step.
        wall_time: The wall time of its capture, seconds since the epoch.
        index: Its index in the capture.
        capture: The number of its capture.
        record: The record as stored; ``parse_record`` reads it.
    """

    step: int
    wall_time: float
    index: int
    capture: int
    record: bytes


class ParsedCapture(NamedTuple):
    """The records of one capture.

    Attributes:
        number: The session's counter of captures.
        wall_time: Seconds since the epoch.
        entries: The readable records.
        unreadable: How many records could not be read.
    """

    number: int
    wall_time: float
    entries: tuple[Entry, ...]
    unreadable: int


class Span(NamedTuple):
    """When a session recorded. Spans decide what a restart superseded.

    Attributes:
        name: The session's name.
        info: The session's constants.
        began: Seconds since the epoch.
        ended: The wall time of its last capture; its start if it has none.
        first_step: Its first training step; infinity if it has none.
    """

    name: str
    info: SessionInfo
    began: float
    ended: float
    first_step: float


@dataclasses.dataclass(frozen=True)
class Session:
    """What one session recorded under one tag.

    Attributes:
        name: A name that no other session has.
        info: The session's constants.
        captures: The captures by their number.
    """

    name: str
    info: SessionInfo
    captures: Mapping[int, ParsedCapture]

    @property
    def span(self) -> Span:
        """When it recorded."""
        numbered = sorted(self.captures.items())
        first = next((capture.entries for _, capture in numbered if capture.entries), ())
        times = [capture.wall_time for capture in self.captures.values()]
        return span_of(
            self.name, self.info, times, min((entry.step for entry in first), default=None)
        )


@dataclasses.dataclass(frozen=True)
class Index:
    """The samples of one tag of one run that are to be shown.

    Attributes:
        sessions: The sessions in the order of their start.
        entries: ``(index in sessions, entry)`` of each sample, ordered by step, wall time and index
            in the capture.
        unreadable: How many records are damaged or of a newer version.
    """

    sessions: tuple[Session, ...]
    entries: list[tuple[int, Entry]]
    unreadable: int


def parse_capture(number: int, wall_time: float, values: Sequence[object]) -> ParsedCapture:
    """Parse the records of one capture.

    Args:
        number: The capture's number: the event's step.
        wall_time: The event's wall time, seconds since the epoch. 0 replaces NaN and infinities.
        values: The elements of the index tensor. Every value that is no record counts as
            unreadable. If no address can hold the number, all values do.
    """
    wall_time = finite_time(wall_time)
    entries = tuple(
        Entry(record["step"], wall_time, index, number, value)
        for index, value, record in parse_records(number, values)
    )
    return ParsedCapture(number, wall_time, entries, len(values) - len(entries))


def finite_time(wall_time: float) -> float:
    """Return a wall time, with 0 in place of NaN and infinities."""
    return wall_time if math.isfinite(wall_time) else 0.0


def join(sessions: Iterable[Session]) -> Index:
    """Join sessions to one index, without the samples that a restart superseded."""
    ordered = sorted(sessions, key=lambda session: start_of(session.span))
    cuts = superseded_from([session.span for session in ordered])
    entries = [
        (position, entry)
        for position, (session, cut) in enumerate(zip(ordered, cuts, strict=True))
        for capture in session.captures.values()
        for entry in capture.entries
        if entry.step < cut
    ]
    entries.sort(key=_display_order)
    unreadable = sum(
        capture.unreadable for session in ordered for capture in session.captures.values()
    )
    return Index(tuple(ordered), entries, unreadable)


def _display_order(item: tuple[int, Entry]) -> tuple[int, float, int, int, int]:
    position, entry = item
    return entry.step, entry.wall_time, entry.index, position, entry.capture


def span_of(
    name: str, info: SessionInfo, wall_times: Collection[float], first_step: float | None
) -> Span:
    """Return a session's span.

    The recorded start is used if it is before the first capture. Otherwise it is missing or wrong,
    and the wall time of the first capture replaces it.

    Args:
        name: The session's name.
        info: The session's constants.
        wall_times: The wall times of its captures.
        first_step: The least step of its first capture that has a readable record.
    """
    first = min(wall_times, default=math.inf)
    began = info.started if 0 < info.started < first else first
    ended = max(wall_times, default=began)
    return Span(name, info, began, ended, math.inf if first_step is None else first_step)


def start_of(span: Span) -> tuple[float, str]:
    """Return the sort key of a session: its start."""
    return span.began, span.name


def superseded_from(spans: Sequence[Span]) -> list[float]:
    """Return the first superseded step of each session; infinity if no sample is superseded.

    A session that began after the last capture of an earlier session is a restart. It supersedes
    the earlier session's samples from the restart's first step on. Sessions that overlap in time,
    such as two hooks, supersede nothing of each other. Neither do the ranks of one job, even if one
    began late.

    Args:
        spans: The sessions' spans, sorted by :func:`start_of`.
    """
    begins = [span.began for span in spans]
    cuts = [math.inf]
    for span in reversed(spans):
        cuts.append(min(cuts[-1], span.first_step))
    cuts.reverse()
    return [cuts[bisect.bisect_right(begins, ended)] for ended in _job_ends(spans)]


def _job_ends(spans: Sequence[Span]) -> list[float]:
    """Return, for each session, the time of the last capture of the job that it belongs to.

    The ranks of one job differ, and their world size is the same. A rank that is already in the job
    starts the next job.
    """
    ends: list[float] = []
    job_of: list[int] = []
    ranks_of: dict[int, set[int]] = {}
    latest: dict[int, int] = {}
    for span in spans:
        rank, size = span.info.rank, span.info.world_size
        job = len(ends) if rank is None or size is None else latest.get(size, len(ends))
        if rank in ranks_of.get(job, ()):
            job = len(ends)
        if job == len(ends):
            ends.append(-math.inf)
        if rank is not None and size is not None:
            latest[size] = job
            ranks_of.setdefault(job, set()).add(rank)
        ends[job] = max(ends[job], span.ended)
        job_of.append(job)
    return [ends[job] for job in job_of]
