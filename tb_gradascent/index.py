"""What a run recorded under one tag, in order: sessions joined, and restarts resolved.

Pure: it is given what was stored and reads no file, so that the plugin, which asks TensorBoard, and
``read_samples``, which reads event files, show the same samples.
"""

from __future__ import annotations

import bisect
import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tb_gradascent.metadata import MAX_CAPTURES, SessionInfo
from tb_gradascent.records import PayloadInfo, RecordError, parse_record


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One sample, without its arrays.

    Attributes:
        step: The training step.
        wall_time: Its capture's, seconds since the epoch.
        index: Its place in the capture.
        capture: Its capture's number.
        record: The record as compact JSON with the known fields only; ``parse_record`` reads it.
        payload: How to recognise its payload.
    """

    step: int
    wall_time: float
    index: int
    capture: int
    record: bytes
    payload: PayloadInfo


class Capture(NamedTuple):
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


@dataclasses.dataclass(frozen=True)
class Session:
    """What one session recorded under one tag.

    Attributes:
        name: Unique to the process, rank and start.
        info: What does not change within it.
        captures: By their number.
        unreadable: Events that held no records at all.
    """

    name: str
    info: SessionInfo
    captures: Mapping[int, Capture]
    unreadable: int = 0


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


def parse_capture(number: int, wall_time: float, values: Sequence[object]) -> Capture:
    """A capture from what was stored of it.

    Args:
        number: The event's step.
        wall_time: The event's, seconds since the epoch; 0 replaces what is no finite number.
        values: The index tensor's elements. Whatever is no record counts as unreadable; so does
            everything in a capture whose number cannot be addressed.
    """
    wall_time = wall_time if math.isfinite(wall_time) else 0.0
    entries = []
    dropped = 0
    numbered = 0 <= number < MAX_CAPTURES
    for place, value in enumerate(values if numbered else ()):
        try:
            record = parse_record(value if isinstance(value, bytes) else b"")
        except RecordError:
            continue
        data = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
        dropped = max(dropped, record.get("dropped", 0))
        entries.append(Entry(record["step"], wall_time, place, number, data, record["payload"]))
    return Capture(number, wall_time, tuple(entries), len(values) - len(entries), dropped)


def join(sessions: Iterable[Session]) -> Index:
    """One index of several sessions.

    A session that began after another one's last capture is a restart: what the earlier one
    recorded at the later one's first step and beyond is superseded. Sessions that overlap in time,
    such as two hooks, stand side by side; and so do the ranks of one job, however late one began.
    """
    ordered = sorted(sessions, key=lambda session: (_began(session), session.name))
    begins, cuts = _restarts(ordered)
    entries: list[tuple[int, Entry]] = []
    superseded = 0
    for place, (session, ended) in enumerate(zip(ordered, _ends(ordered), strict=True)):
        cut = cuts[bisect.bisect_right(begins, ended)]
        for capture in session.captures.values():
            kept = [(place, entry) for entry in capture.entries if entry.step < cut]
            superseded += len(capture.entries) - len(kept)
            entries += kept
    entries.sort(key=_order)
    return Index(
        sessions=tuple(ordered),
        entries=entries,
        unreadable=sum(
            session.unreadable + sum(capture.unreadable for capture in session.captures.values())
            for session in ordered
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


def _began(session: Session) -> float:
    """When a session began; its first capture bounds it where its own word is missing or wrong."""
    first = min((capture.wall_time for capture in session.captures.values()), default=math.inf)
    return session.info.started if 0 < session.info.started < first else first


def _ends(ordered: Sequence[Session]) -> list[float]:
    """When the last capture was made of the job that each session belongs to.

    A job's ranks differ and its size does not; the first rank to come again begins the next job.
    """
    ends: list[float] = []
    job_of: list[int] = []
    ranks_of: dict[int, set[int]] = {}
    latest: dict[int, int] = {}
    for session in ordered:
        rank, size = session.info.rank, session.info.world_size
        job = len(ends) if rank is None or size is None else latest.get(size, len(ends))
        if rank in ranks_of.get(job, ()):
            job = len(ends)
        if job == len(ends):
            ends.append(-math.inf)
        if rank is not None and size is not None:
            latest[size] = job
            ranks_of.setdefault(job, set()).add(rank)
        times = [capture.wall_time for capture in session.captures.values()]
        ends[job] = max([ends[job], *times])
        job_of.append(job)
    return [ends[job] for job in job_of]


def _restarts(ordered: Sequence[Session]) -> tuple[list[float], list[float]]:
    """``(begins, cuts)``: sessions that begin at ``begins[i]`` or later replace ``cuts[i]`` on."""
    begins = [_began(session) for session in ordered]
    cuts = [math.inf]
    for session in reversed(ordered):
        numbered = sorted(session.captures.items())
        first = next((capture for _, capture in numbered if capture.entries), None)
        step = min((entry.step for entry in first.entries), default=math.inf) if first else math.inf
        cuts.append(min(cuts[-1], step))
    return begins, cuts[::-1]
