"""The sessions and captures of one tag of one run. Each refresh reads only what is new.

Of a long session only the first part and the last one are read at once. The first tells what a
restart superseded, and a page shows the newest captures first. The other parts are read when a
request needs them.

A capture's records never change. They are parsed once, when a request needs them first: to parse a
hundred thousand records takes seconds.
"""

from __future__ import annotations

import bisect
import gzip
import json
import math
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, NoReturn

from tb_gradascent.format.metadata import (
    CAPTURES_A_PART,
    MAX_CAPTURES,
    SessionInfo,
    series_tag,
)
from tb_gradascent.format.record import PayloadInfo
from tb_gradascent.format.sessions import Span, finite_time, span_of, start_of, superseded_from
from tb_gradascent.format.status import Status
from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.captures import Captures
from tb_gradascent.plugin.data_source import (
    DataSource,
    ListedSeries,
    PayloadLocation,
    Scope,
    SeriesState,
    SessionState,
)
from tb_gradascent.plugin.errors import TooLargeError, UnknownSeriesError
from tb_gradascent.plugin.rows import (
    CaptureRows,
    find_payload_info,
    find_row,
    least_step,
)
from tb_gradascent.plugin.tensor_reads import Datum

MAX_SERIES_BYTES: Final = 512 << 20
"""The most memory for the records of one tag of one run, as ``Series.size`` counts it."""
MAX_INDEX_BYTES: Final = 64 << 20
"""The most JSON for the sessions of one tag of one run."""

_SESSION_BYTES: Final = 8000
"""About the memory of a session without its captures and class names."""
_PARTS_AT_ONCE: Final = 4
"""How many parts one request for records reads. They fill about one answer."""
_REFUSED_SECONDS: Final = 60
"""How long a series that was too large is not read again, because each read takes seconds."""


class _ToldStatus:
    """A status that a session told.

    Attributes:
        size: About how many bytes of memory it takes.
    """

    def __init__(self, datum: Datum) -> None:
        stored = datum.values[0] if len(datum.values) == 1 else None
        self._status = Status.decode(stored)
        self._wall_time = finite_time(datum.wall_time)
        self.size = 2 * len(stored) if isinstance(stored, bytes) else 0

    def to_json(self) -> dict[str, Any]:
        """Return the status as the route ``index`` answers it."""
        return {"wall_time": self._wall_time, **self._status.to_json()}


class _ReadPart(NamedTuple):
    """What was read of one part of a session.

    Attributes:
        state: What TensorBoard had loaded of the part before it was read.
        captures: The part's captures.
    """

    state: SeriesState
    captures: Captures


class StoredRange(NamedTuple):
    """The captures of a range that were read.

    Attributes:
        first: The number from which on all captures of the range were read.
        end: The number after the range.
        parts: The captures of each part of the session that the range touches, the last part
            first. They may also hold captures beyond the range.
    """

    first: int
    end: int
    parts: Sequence[Captures]


class _Session:
    """The captures of one session under one tag.

    Attributes:
        name: The session's name.
        state: What TensorBoard has loaded of it.
        status: The last status that the session told, if it told any.
    """

    status: _ToldStatus | None

    def __init__(self, name: str, state: SessionState, known: _Session | None) -> None:
        """Describe a session, and keep what was read of it before.

        Args:
            name: The session's name.
            state: What TensorBoard has loaded of it.
            known: What was known of it before.
        """
        self.name = name
        self.state = state
        self.status = known.status if known else None
        self._parts = [*state.captures]
        self._read: dict[int, _ReadPart] = {**known._read} if known else {}
        self._span: Span | None = None
        described = next(iter(state.captures.values()), state.status)
        # The status series lacks the class names.
        self.info = SessionInfo.decode(described.info if described else b"")

    @property
    def end(self) -> int:
        """The number after the last capture; 0 if no capture is readable."""
        if not any(read.captures.numbers for read in self._read.values()):
            return 0
        last = max(state.last_step or 0 for state in self.state.captures.values())
        return max(0, min(last + 1, MAX_CAPTURES))

    @property
    def ends(self) -> list[int]:
        """The first part and the last one."""
        return [*dict.fromkeys((*self._parts[:1], *self._parts[-1:]))]

    def part_of(self, number: int) -> int:
        """Return the part that holds a capture. The last part holds all that come later."""
        at = bisect.bisect_right(self._parts, number // CAPTURES_A_PART)
        return self._parts[max(0, at - 1)] if self._parts else 0

    def parts_of(self, first: int, end: int) -> list[int]:
        """Return the parts that hold the captures from ``first`` to ``end``, the last one first."""
        low, high = self.part_of(first), self.part_of(end - 1)
        return [part for part in reversed(self._parts) if low <= part <= high]

    def is_read(self, part: int) -> bool:
        """Return whether nothing was added to a part since it was read."""
        return part in self._read and self._read[part].state == self.state.captures[part]

    def take(self, part: int, data: Iterable[Datum] | None) -> int:
        """Take the captures of a part; ``None`` if TensorBoard could not read them.

        Returns:
            About how many more bytes of memory the session takes.
        """
        known = self._read[part].captures if part in self._read else None
        captures = Captures(data, known)
        self._read[part] = _ReadPart(self.state.captures[part], captures)
        self._span = None
        return captures.size - (known.size if known else 0)

    def captures(self, part: int) -> Captures:
        """Return the captures of a part as it was read last."""
        return self._read[part].captures

    def find(self, number: int) -> CaptureRows | None:
        """Return the rows of a capture; ``None`` if it does not exist or its part was not read."""
        read = self._read.get(self.part_of(number))
        return read.captures.find(number) if read else None

    @property
    def span(self) -> Span:
        """When the session recorded. Its first part must have been read."""
        if self._span is None:
            first = self._read[self._parts[0]].captures if self._parts else Captures(())
            steps = (least_step(first.read(number)) for number in first.numbers)
            latest = (state.last_wall_time or 0.0 for state in self.state.captures.values())
            times = [*first.wall_times, *map(finite_time, latest)]
            step = next((step for step in steps if step is not None), None)
            self._span = span_of(self.name, self.info, times, step)
        return self._span

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        names = self.info.class_names or ()
        return (
            _SESSION_BYTES
            + (self.status.size if self.status else 0)
            + sum(map(sys.getsizeof, names))
            + sum(read.captures.size for read in self._read.values())
        )

    def to_json(self, superseded_from: float) -> dict[str, Any]:
        """Return the session as the route ``index`` answers it."""
        return {
            "session": self.name,
            **self.info.to_json(),
            "captures": self.end,
            "damaged": any(read.captures.damaged for read in self._read.values()),
            "superseded_from": None if math.isinf(superseded_from) else superseded_from,
            "status": self.status and self.status.to_json(),
        }


class Series:
    """The sessions and captures of one tag of one run.

    The caller of any method must hold ``lock``.
    """

    def __init__(self, source: DataSource, run: str, tag: str) -> None:
        self.lock = threading.Lock()
        self.run = run
        self.tag = tag
        self._source = source
        self._refusal: tuple[float, str] | None = None
        self._clear()

    def _clear(self) -> None:
        self.size = 0
        self._states: dict[str, SessionState] = {}
        self._sessions: dict[str, _Session] = {}
        self._blob_keys: dict[tuple[str, int], dict[int, tuple[str, ...]]] = {}
        self._answer: bytes | None = None

    @property
    def known(self) -> bool:
        """Whether it should stay in the cache: it was read, or it is too large."""
        return bool(self._states or self._refusal)

    def refresh(self, scope: Scope, listed: ListedSeries | None = None) -> None:
        """Read the records of the sessions that have new captures, and the new statuses.

        Args:
            scope: TensorBoard's context.
            listed: What :meth:`DataSource.list_series` has just returned, if it was asked.

        Raises:
            UnknownSeriesError: The run or the tag does not exist.
            TooLargeError: It has too many records.
            UnavailableError: TensorBoard's data server does not answer.
        """
        if self._refusal and time.monotonic() < self._refusal[0]:
            raise TooLargeError(self._refusal[1])
        # The states are listed before the records are read. If a capture is added in between, its
        # session is read once more by the next refresh.
        if listed is None:
            listed = self._source.list_series(scope, self.run)
        states = listed.get(self.run, {}).get(self.tag)
        if states is None:
            raise UnknownSeriesError(
                f"run {self.run[:80]!r} has no tag {self.tag[:80]!r}; the route runs lists all tags"
            )
        self._refuse_beyond(MAX_SERIES_BYTES, len(states) * _SESSION_BYTES)
        try:
            self._load(scope, states)
        except TooLargeError as error:
            self._refuse(str(error))

    def _load(self, scope: Scope, states: dict[str, SessionState]) -> None:
        if states == self._states:
            return
        before = self._sessions
        sessions = {
            name: before[name]
            if name in before and before[name].state == state
            else _Session(name, state, before.get(name))
            for name, state in states.items()
        }
        size = sum(session.size for session in sessions.values())
        unread = [
            (session, part)
            for _, session in sorted(sessions.items())
            for part in session.ends
            if not session.is_read(part)
        ]
        size = self._read_parts(scope, unread, size)
        told = {
            session.state.status.series: session
            for name, session in sessions.items()
            if session.state.status
            and (name not in before or session.state.status != before[name].state.status)
        }
        for session, data in self._source.read_events(scope, self.run, told, only_last=True):
            if data:
                size -= session.size
                session.status = _ToldStatus(data[-1])
                size += session.size
                self._refuse_beyond(MAX_SERIES_BYTES, size)
        self._states, self._sessions, self._answer, self.size = states, sessions, None, size

    def _read_parts(self, scope: Scope, wanted: Iterable[tuple[_Session, int]], size: int) -> int:
        """Read parts of sessions. Return how many bytes all sessions take, which were ``size``."""
        series = {session.state.captures[part].series: (session, part) for session, part in wanted}
        for (session, part), data in self._source.read_events(scope, self.run, series):
            size += session.take(part, data)
            self._refuse_beyond(MAX_SERIES_BYTES, size)
        return size

    def _require(self, scope: Scope, wanted: Collection[tuple[_Session, int]]) -> None:
        """Read those of the parts that were not read, or that have grown."""
        unread = [(session, part) for session, part in wanted if not session.is_read(part)]
        if unread:
            self.size = self._read_parts(scope, unread, self.size)
            self._answer = None

    def measure(self) -> None:
        """Update ``size`` after captures were parsed.

        Raises:
            TooLargeError: The rows take more memory than allowed.
        """
        self.size = sum(session.size for session in self._sessions.values())
        self._refuse_beyond(MAX_SERIES_BYTES, self.size)

    def _refuse_beyond(self, most: int, size: int) -> None:
        if size > most:
            self._refuse(
                f"the records of run {self.run[:80]!r} under tag {self.tag[:80]!r} must take at "
                f"most {most >> 20} MiB to be shown in a page; use read_samples to read them"
            )

    def _refuse(self, why: str) -> NoReturn:
        """Forget everything that was read, and refuse to read it again for a while."""
        self._clear()
        self._refusal = time.monotonic() + _REFUSED_SECONDS, why
        raise TooLargeError(why)

    def answer(self) -> bytes:
        """Return the answer of the route ``index`` as gzipped JSON.

        Raises:
            TooLargeError: The JSON is longer than allowed.
        """
        if self._answer is None:
            sessions = sorted(self._sessions.values(), key=lambda session: start_of(session.span))
            cuts = superseded_from([session.span for session in sessions])
            listed: list[str] = []
            size = 0
            for session, cut in zip(sessions, cuts, strict=True):
                listed.append(json.dumps(session.to_json(cut), allow_nan=False))
                size += len(listed[-1])
                self._refuse_beyond(MAX_INDEX_BYTES, size)
            named = json.dumps({"run": self.run, "tag": self.tag})
            index = f'{named[:-1]}, "sessions": [{", ".join(listed)}]}}'
            self._answer = gzip.compress(index.encode(), 3, mtime=0)
        return self._answer

    def newest(self, scope: Scope, records: int) -> list[CaptureRange]:
        """Return the ranges of captures that hold about so many of the newest records.

        The newest session comes first. A range is cut only between captures. The errors are those
        of :meth:`refresh`.
        """
        ranges: list[CaptureRange] = []
        for session in sorted(
            self._sessions.values(), key=lambda session: start_of(session.span), reverse=True
        ):
            first = end = session.end
            for part in session.parts_of(0, end):
                if records <= 0:
                    break
                self._require(scope, [(session, part)])
                captures = session.captures(part)
                for number in reversed(captures.numbers_in(0, first)):
                    if records <= 0:
                        break
                    first = number
                    records -= captures.count_records(number)
            if first < end:
                ranges.append(CaptureRange(session.name, first, end))
        return ranges

    def select(
        self, addresses: Collection[Address]
    ) -> Iterator[tuple[dict[str, Any], list[tuple[Address, bytes]]]]:
        """Yield each session that has some of the samples, by its start, and these samples' rows.

        Call :meth:`locate` first, which reads the samples.
        """
        wanted: dict[str, list[Address]] = {}
        for address in addresses:
            wanted.setdefault(address.session, []).append(address)
        chosen = [self._sessions[name] for name in wanted.keys() & self._sessions.keys()]
        for session in sorted(chosen, key=lambda session: start_of(session.span)):
            rows = []
            for address in sorted(wanted[session.name], key=lambda a: (a.capture, a.index)):
                capture = session.find(address.capture)
                row = find_row(capture, address.index) if capture else None
                if row is not None:
                    rows.append((address, bytes(row)))
            if rows:
                yield session.to_json(math.inf), rows

    def captures(self, scope: Scope, wanted: CaptureRange) -> StoredRange:
        """Return the last captures of a range; none if there is no such session.

        The errors are those of :meth:`refresh`.
        """
        session = self._sessions.get(wanted.session)
        if session is None or session.end < wanted.end:
            self.refresh(scope)
            session = self._sessions.get(wanted.session)
        end = min(wanted.end, session.end) if session else 0
        first = min(wanted.first, end)
        if session is None or first == end:
            return StoredRange(first, end, ())
        parts = session.parts_of(first, end)
        unread = [part for part in parts if not session.is_read(part)]
        if len(unread) > _PARTS_AT_ONCE:
            parts = parts[: parts.index(unread[_PARTS_AT_ONCE])]
            first = max(first, parts[-1] * CAPTURES_A_PART)
        self._require(scope, [(session, part) for part in parts])
        return StoredRange(first, end, [session.captures(part) for part in parts])

    def locate(self, scope: Scope, addresses: Sequence[Address]) -> list[PayloadLocation | None]:
        """Return each payload's location; ``None`` if its record or its key is missing.

        The errors are those of :meth:`refresh`.
        """
        self._require(scope, self._parts_of(addresses))
        if any(self._payload_info(address) is None for address in addresses):
            self.refresh(scope)
            self._require(scope, self._parts_of(addresses))
        series = {
            series_tag(self.tag, "payload", session.name, part): (session.name, part)
            for session, part in self._parts_of(
                [address for address in addresses if self._blob_key(address) is None]
            )
        }
        if series:
            self._blob_keys |= self._source.read_blob_keys(scope, self.run, series)
        return [self._locate(address) for address in addresses]

    def _parts_of(self, addresses: Iterable[Address]) -> list[tuple[_Session, int]]:
        """Return the parts that hold the samples' captures."""
        chosen = {}
        for address in addresses:
            session = self._sessions.get(address.session)
            if session and session.state.captures:
                part = session.part_of(address.capture)
                chosen[session.name, part] = (session, part)
        return [*chosen.values()]

    def _locate(self, address: Address) -> PayloadLocation | None:
        info, key = self._payload_info(address), self._blob_key(address)
        return None if info is None or key is None else PayloadLocation(info, key)

    def _payload_info(self, address: Address) -> PayloadInfo | None:
        session = self._sessions.get(address.session)
        capture = session.find(address.capture) if session else None
        return find_payload_info(capture, address.index) if capture else None

    def _blob_key(self, address: Address) -> str | None:
        session = self._sessions.get(address.session)
        part = session.part_of(address.capture) if session else 0
        keys = self._blob_keys.get((address.session, part), {}).get(address.capture, ())
        return keys[address.index] if address.index < len(keys) else None
