"""The sessions and captures of one tag of one run. Each refresh reads only what is new.

A capture's records never change. They are parsed once, when a request needs them first: to parse a
hundred thousand records takes seconds.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NoReturn

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.format.record import PayloadInfo
from tb_gradascent.format.sessions import finite_time, span_of, start_of, superseded_from
from tb_gradascent.format.status import Status
from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.captures import Captures
from tb_gradascent.plugin.data_source import (
    DataSource,
    ListedSeries,
    PayloadLocation,
    Scope,
    SessionState,
)
from tb_gradascent.plugin.errors import TooLargeError, UnknownSeriesError
from tb_gradascent.plugin.rows import (
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
_REFUSED_SECONDS: Final = 60
"""How long a series that was too large is not read again, because each read takes seconds."""


def _info_of(state: SessionState) -> SessionInfo:
    """Return a session's constants. Those of the status series lack the class names."""
    described = state.captures or state.status
    return SessionInfo.decode(described.info if described else b"")


def _last_step(state: SessionState | None) -> int | None:
    return state.captures.last_step if state and state.captures else None


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


class _Session:
    """The captures of one session under one tag.

    Attributes:
        captures: The captures.
        span: When the session recorded.
        damaged: Whether TensorBoard could not read the session's records.
        status: The last status that the session told, if it told any.
    """

    captures: Captures
    status: _ToldStatus | None

    def __init__(
        self,
        name: str,
        info: SessionInfo,
        data: Iterable[Datum] | None,
        known: _Session | None,
        *,
        more: bool = False,
    ) -> None:
        """Take what was read, and keep the captures that were parsed before.

        Args:
            name: The session's name.
            info: Its constants.
            data: Its captures; ``None`` if TensorBoard could not read them.
            known: What was known of it before.
            more: Whether ``data`` holds only captures that come after the known ones.
        """
        self.status = known.status if known else None
        kept = known.captures if known else Captures()
        self.captures = Captures(kept if more else None)
        self.captures.add(data or (), kept)
        self.damaged = data is None
        self.span = span_of(name, info, self.captures.wall_times, self._first_step())

    def _first_step(self) -> float | None:
        numbered = sorted(self.captures.positions.items())
        steps = (least_step(self.captures.read(position)) for _, position in numbered)
        return next((step for step in steps if step is not None), None)

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        names = self.span.info.class_names or ()
        return (
            _SESSION_BYTES
            + (self.status.size if self.status else 0)
            + sum(map(sys.getsizeof, names))
            + sum(self.captures.sizes)
        )

    def to_json(self, superseded_from: float) -> dict[str, Any]:
        """Return the session as the route ``index`` answers it."""
        return {
            "session": self.span.name,
            **self.span.info.to_json(),
            "captures": len(self.captures),
            "damaged": self.damaged,
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
        self._blob_keys: dict[str, dict[int, tuple[str, ...]]] = {}
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
        nothing = SessionState(None, None)
        sessions: dict[str, _Session] = {}
        changed = []
        for name, state in states.items():
            if name in self._sessions and state.captures == self._states[name].captures:
                sessions[name] = self._sessions[name]
            elif state.captures is None:
                sessions[name] = _Session(name, _info_of(state), (), None)
            else:
                changed.append(name)
        grown = [name for name in sorted(changed) if self._has_one_more(name, states[name])]
        for name, data in self._source.read_last_records(scope, self.run, self.tag, grown):
            if [datum.step for datum in data or ()] == [_last_step(states[name])]:
                info = _info_of(states[name])
                sessions[name] = _Session(name, info, data, self._sessions[name], more=True)
        changed = sorted(set(changed) - sessions.keys())
        size = sum(session.size for session in sessions.values())
        for name, data in self._source.read_records(scope, self.run, self.tag, changed):
            known = self._sessions.get(name)
            sessions[name] = _Session(name, _info_of(states[name]), data, known)
            size += sessions[name].size
            self._refuse_beyond(MAX_SERIES_BYTES, size)
        told = {
            state.status.series: name
            for name, state in states.items()
            if state.status and state.status != self._states.get(name, nothing).status
        }
        for name, data in self._source.read_statuses(scope, self.run, told):
            if data:
                size -= sessions[name].size
                sessions[name].status = _ToldStatus(data[-1])
                size += sessions[name].size
                self._refuse_beyond(MAX_SERIES_BYTES, size)
        self._states, self._sessions, self._answer, self.size = states, sessions, None, size

    def _has_one_more(self, name: str, state: SessionState) -> bool:
        """Return whether a session grew by exactly one capture. A series counts its captures."""
        known = self._sessions.get(name)
        if known is None or known.damaged:
            return False
        last, before = _last_step(state), _last_step(self._states.get(name))
        return last is not None and before is not None and last == before + 1

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

    def newest(self, records: int) -> list[CaptureRange]:
        """Return the ranges of captures that hold about so many of the newest records.

        The newest session comes first. A range is cut only between captures.
        """
        ranges: list[CaptureRange] = []
        for session in sorted(
            self._sessions.values(), key=lambda session: start_of(session.span), reverse=True
        ):
            end = first = len(session.captures)
            while first and records > 0:
                first -= 1
                records -= session.captures.records[first]
            if first < end:
                ranges.append(CaptureRange(session.span.name, first, end))
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
            for address in sorted(wanted[session.span.name], key=lambda a: (a.capture, a.index)):
                capture = session.captures.find(address.capture)
                row = find_row(capture, address.index) if capture else None
                if row is not None:
                    rows.append((address, bytes(row)))
            if rows:
                yield session.to_json(math.inf), rows

    def captures(self, scope: Scope, wanted: CaptureRange) -> Captures:
        """Return all captures of a range's session; none if there is no such session.

        The errors are those of :meth:`refresh`.
        """
        session = self._sessions.get(wanted.session)
        if session is None or len(session.captures) < wanted.end:
            self.refresh(scope)
            session = self._sessions.get(wanted.session)
        return session.captures if session else Captures()

    def locate(self, scope: Scope, addresses: Sequence[Address]) -> list[PayloadLocation | None]:
        """Return each payload's location; ``None`` if its record or its key is missing.

        The errors are those of :meth:`refresh`.
        """
        if any(self._payload_info(address) is None for address in addresses):
            self.refresh(scope)
        missing = {address.session for address in addresses if self._blob_key(address) is None}
        for session in missing & self._sessions.keys():
            self._blob_keys[session] = self._source.read_blob_keys(
                scope, self.run, self.tag, session
            )
        return [self._locate(address) for address in addresses]

    def _locate(self, address: Address) -> PayloadLocation | None:
        info, key = self._payload_info(address), self._blob_key(address)
        return None if info is None or key is None else PayloadLocation(info, key)

    def _payload_info(self, address: Address) -> PayloadInfo | None:
        session = self._sessions.get(address.session)
        capture = session.captures.find(address.capture) if session else None
        return find_payload_info(capture, address.index) if capture else None

    def _blob_key(self, address: Address) -> str | None:
        keys = self._blob_keys.get(address.session, {}).get(address.capture, ())
        return keys[address.index] if address.index < len(keys) else None
