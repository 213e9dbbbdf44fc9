"""The sessions and captures of one tag of one run. Each refresh reads only blocks that grew.

Of a long session only the first block and the last one are read at once. The first tells what a
restart superseded, and a page shows the newest captures first. The other blocks are read when a
request needs them.

A capture's records never change. They are parsed once, when a request needs them first: to parse a
hundred thousand records takes seconds.
"""

from __future__ import annotations

import gzip
import json
import math
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NoReturn

from tb_gradascent.format.metadata import CAPTURES_A_BLOCK, series_tag
from tb_gradascent.format.record import PayloadInfo
from tb_gradascent.format.sessions import start_of, superseded_from
from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.data_source import (
    DataSource,
    ListedSeries,
    PayloadLocation,
    Scope,
    SessionState,
)
from tb_gradascent.plugin.errors import TooLargeError, UnknownSeriesError
from tb_gradascent.plugin.rows import find_payload_info, find_row
from tb_gradascent.plugin.session import SESSION_BYTES, Session, StoredRange, ToldStatus

MAX_SERIES_BYTES: Final = 512 << 20
"""The most memory for the records of one tag of one run, as ``Series.size`` counts it."""
MAX_INDEX_BYTES: Final = 64 << 20
"""The most JSON for the sessions of one tag of one run."""

_BLOCKS_AT_ONCE: Final = 4
"""How many blocks one request reads for records. They fill about one answer."""
_REFUSED_SECONDS: Final = 60
"""How long a series that was too large is not read again, because each read takes seconds."""


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
        self._sessions: dict[str, Session] = {}
        self._blob_keys: dict[tuple[str, int], dict[int, tuple[str, ...]]] = {}
        self._answer: bytes | None = None

    @property
    def known(self) -> bool:
        """Whether it should stay in the cache: it was read, or it is too large."""
        return bool(self._states or self._refusal)

    def refresh(self, scope: Scope, listed: ListedSeries | None = None) -> None:
        """Read the new statuses, and of each session the first and the last block if they grew.

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
        # block is read once more by the next refresh.
        if listed is None:
            listed = self._source.list_series(scope, self.run)
        states = listed.get(self.run, {}).get(self.tag)
        if states is None:
            raise UnknownSeriesError(
                f"run {self.run[:80]!r} has no tag {self.tag[:80]!r}; the route runs lists all tags"
            )
        self._refuse_beyond(MAX_SERIES_BYTES, len(states) * SESSION_BYTES)
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
            else Session(name, state, before.get(name))
            for name, state in states.items()
        }
        size = sum(session.size for session in sessions.values())
        unread = [
            (session, block)
            for _, session in sorted(sessions.items())
            for block in session.ends
            if not session.is_read(block)
        ]
        size = self._read_blocks(scope, unread, size)
        told = {
            session.state.status.series: session
            for name, session in sessions.items()
            if session.state.status
            and (name not in before or session.state.status != before[name].state.status)
        }
        for session, data in self._source.read_events(scope, self.run, told, only_last=True):
            if data:
                size -= session.size
                session.status = ToldStatus(data[-1])
                size += session.size
                self._refuse_beyond(MAX_SERIES_BYTES, size)
        self._states, self._sessions, self._answer, self.size = states, sessions, None, size

    def _read_blocks(self, scope: Scope, wanted: Iterable[tuple[Session, int]], size: int) -> int:
        """Read blocks of sessions. Return how many bytes all sessions take, which were ``size``."""
        series = {
            session.state.captures[block].series: (session, block) for session, block in wanted
        }
        for (session, block), data in self._source.read_events(scope, self.run, series):
            size += session.take(block, data)
            self._refuse_beyond(MAX_SERIES_BYTES, size)
        return size

    def _require(self, scope: Scope, wanted: Collection[tuple[Session, int]]) -> None:
        """Read those of the blocks that were not read, or that have grown."""
        unread = [(session, block) for session, block in wanted if not session.is_read(block)]
        if unread:
            self._forget_beyond(MAX_SERIES_BYTES // 2, wanted)
            try:
                self.size = self._read_blocks(scope, unread, self.size)
            except TooLargeError as error:
                self._refuse(str(error))
            self._answer = None

    def measure(self) -> None:
        """Update ``size`` after captures were parsed.

        Raises:
            TooLargeError: The rows of the sessions' ends take more memory than allowed.
        """
        self.size = sum(session.size for session in self._sessions.values())
        self._forget_beyond(MAX_SERIES_BYTES)
        self._refuse_beyond(MAX_SERIES_BYTES, self.size)

    def _forget_beyond(self, most: int, wanted: Collection[tuple[Session, int]] = ()) -> None:
        """If more than ``most`` bytes are kept, keep the wanted blocks and the ends of sessions."""
        if self.size <= most:
            return
        for session in self._sessions.values():
            session.keep({*session.ends, *(block for of, block in wanted if of is session)})
        self._blob_keys.clear()
        self.size = sum(session.size for session in self._sessions.values())

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

        The newest session comes first. A range is cut only between captures. Only few blocks are
        read. The errors are those of :meth:`refresh`.
        """
        ranges: list[CaptureRange] = []
        left = _BLOCKS_AT_ONCE
        for session in sorted(
            self._sessions.values(), key=lambda session: start_of(session.span), reverse=True
        ):
            first = end = session.end
            for block in session.blocks_of(0, end):
                if records <= 0 or not left:
                    break
                left -= not session.is_read(block)
                self._require(scope, [(session, block)])
                captures = session.captures(block)
                for number in reversed(session.numbers(block, 0, end)):
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

    def captures(self, scope: Scope, ranges: Iterable[CaptureRange]) -> list[StoredRange]:
        """Return the last captures of each range; none if there is no such session.

        Only few blocks are read, for the first ranges. The errors are those of :meth:`refresh`.
        """
        stored: list[StoredRange] = []
        left = _BLOCKS_AT_ONCE
        for wanted in ranges:
            session = self._sessions.get(wanted.session)
            if session is None or session.end < wanted.end:
                self.refresh(scope)
                session = self._sessions.get(wanted.session)
            end = min(wanted.end, session.end) if session else 0
            first = min(wanted.first, end)
            if session is None or first == end:
                stored.append(StoredRange(first, end, ()))
                continue
            blocks = session.blocks_of(first, end)
            unread = [block for block in blocks if not session.is_read(block)]
            if len(unread) > left:
                blocks = blocks[: blocks.index(unread[left])]
                first = max(first, blocks[-1] * CAPTURES_A_BLOCK) if blocks else end
            left -= min(left, len(unread))
            self._require(scope, [(session, block) for block in blocks])
            found = [(session.captures(at), session.numbers(at, first, end)) for at in blocks]
            stored.append(StoredRange(first, end, found))
        return stored

    def locate(self, scope: Scope, addresses: Sequence[Address]) -> list[PayloadLocation | None]:
        """Return each payload's location; ``None`` if its record or its key is missing.

        The errors are those of :meth:`refresh`.
        """
        self._require(scope, self._blocks_of(addresses))
        if any(self._payload_info(address) is None for address in addresses):
            self.refresh(scope)
            self._require(scope, self._blocks_of(addresses))
        series = {
            series_tag(self.tag, "payload", session.name, block): (session.name, block)
            for session, block in self._blocks_of(
                [address for address in addresses if self._blob_key(address) is None]
            )
        }
        if series:
            self._blob_keys |= self._source.read_blob_keys(scope, self.run, series)
        return [self._locate(address) for address in addresses]

    def _blocks_of(self, addresses: Iterable[Address]) -> list[tuple[Session, int]]:
        """Return the blocks that hold the samples' captures."""
        chosen = {}
        for address in addresses:
            session = self._sessions.get(address.session)
            if session and session.state.captures:
                block = session.block_of(address.capture)
                chosen[session.name, block] = (session, block)
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
        block = session.block_of(address.capture) if session else 0
        keys = self._blob_keys.get((address.session, block), {}).get(address.capture, ())
        return keys[address.index] if address.index < len(keys) else None
