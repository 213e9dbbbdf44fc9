"""What a run recorded under one tag, in order: sessions joined, and restarts resolved.

Pure: it is given what was stored and reads no file. The plugin, which asks TensorBoard, shares with
``read_samples``, which reads event files, what decides which samples are shown.
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
        wall_time: Its capture's, seconds since the epoch.
        index: Its place in the capture.
        capture: Its capture's number.
        record: The record as stored; ``parse_record`` reads it.
    """

    step: int
    wall_time: float
    index: int
    capture: int
    record: bytes


class ParsedCapture(NamedTuple):
    """The records of one capture. Nothing in it ever changes, so it needs parsing only once.

    Attributes:
        number: The session's counter of captures.
        wall_time: Seconds since the epoch.
        entries: The records that could be read.
        unreadable: How many could not.
        dropped: Samples that its session had lost by then.
    """

    number: int
    wall_time: float
    entries: tuple[Entry, ...]
    unreadable: int
    dropped: int = 0


class Span(NamedTuple):
    """When a session recorded: all that decides what a restart superseded.

    Attributes:
        name: The session's.
        info: What it says of itself.
        began: Seconds since the epoch.
        ended: Its last capture's wall time; minus infinity where it made none.
        first_step: The first that it recorded; infinite where it recorded none.
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
        name: Unique to the process, rank and start.
        info: What does not change within it.
        captures: By their number.
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
    """Every sample of one tag of one run.

    Attributes:
        sessions: In order of their start.
        entries: ``(place in sessions, entry)``, ordered by step, wall time, place in the capture.
        unreadable: Records that were damaged or are of a newer version.
        superseded: Entries left out because a later session recorded those steps again.
        dropped: Samples that were captured and could not be written, as far as was told.
    """

    sessions: tuple[Session, ...]
    entries: list[tuple[int, Entry]]
    unreadable: int
    superseded: int
    dropped: int = 0


def parse_capture(number: int, wall_time: float, values: Sequence[object]) -> ParsedCapture:
    """A capture from what was stored of it.

    Args:
        number: The event's step.
        wall_time: The event's, seconds since the epoch; 0 replaces what is no finite number.
        values: The index tensor's elements. Whatever is no record counts as unreadable; so does
            everything in a capture whose number cannot be addressed.
    """
    wall_time = finite_time(wall_time)
    entries = []
    dropped = 0
    for index, value, record in parse_records(number, values):
        dropped = max(dropped, record.get("dropped", 0))
        entries.append(Entry(record["step"], wall_time, index, number, value))
    return ParsedCapture(number, wall_time, tuple(entries), len(values) - len(entries), dropped)


def finite_time(wall_time: float) -> float:
    """Seconds since the epoch; 0 for what is no finite number."""
    return wall_time if math.isfinite(wall_time) else 0.0


def join(sessions: Iterable[Session]) -> Index:
    """One index of several sessions, without what :func:`superseded_from` says is superseded."""
    ordered = sorted(sessions, key=lambda session: order_of(session.span))
    cuts = superseded_from([session.span for session in ordered])
    entries: list[tuple[int, Entry]] = []
    superseded = 0
    for place, (session, cut) in enumerate(zip(ordered, cuts, strict=True)):
        for capture in session.captures.values():
            kept = [(place, entry) for entry in capture.entries if entry.step < cut]
            superseded += len(capture.entries) - len(kept)
            entries += kept
    entries.sort(key=_order)
    return Index(
        sessions=tuple(ordered),
        entries=entries,
        unreadable=sum(
            capture.unreadable for session in ordered for capture in session.captures.values()
        ),
        superseded=superseded,
        dropped=sum(
            max((capture.dropped for capture in session.captures.values()), default=0)
            for session in ordered
        ),
    )


def _order(placed: tuple[int, Entry]) -> tuple[int, float, int, int, int]:
    place, entry = placed
    return entry.step, entry.wall_time, entry.index, place, entry.capture


def span_of(
    name: str, info: SessionInfo, wall_times: Collection[float], first_step: float | None
) -> Span:
    """A session's span; its first capture bounds its start where its own word is missing or wrong.

    Args:
        name: The session's.
        info: What it says of itself.
        wall_times: Its captures'.
        first_step: The least step of its first capture that holds any record.
    """
    first = min(wall_times, default=math.inf)
    began = info.started if 0 < info.started < first else first
    ended = max(wall_times, default=-math.inf)
    return Span(name, info, began, ended, math.inf if first_step is None else first_step)


def order_of(span: Span) -> tuple[float, str]:
    """By what sessions are sorted: their start."""
    return span.began, span.name


def superseded_from(spans: Sequence[Span]) -> list[float]:
    """The step from which on each session's samples are superseded; infinite where none is.

    A session that began after another one's last capture is a restart: what the earlier one
    recorded at the later one's first step and beyond is superseded. Sessions that overlap in time,
    such as two hooks, stand side by side; and so do the ranks of one job, however late one began.

    Args:
        spans: In the order of :func:`order_of`.
    """
    begins = [span.began for span in spans]
    cuts = [math.inf]
    for span in reversed(spans):
        cuts.append(min(cuts[-1], span.first_step))
    cuts.reverse()
    return [cuts[bisect.bisect_right(begins, ended)] for ended in _ends(spans)]


def _ends(spans: Sequence[Span]) -> list[float]:
    """When the last capture was made of the job that each session belongs to.

    A job's ranks differ and its size does not; the first rank to come again begins the next job.
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
