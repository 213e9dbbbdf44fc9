"""Samples as TensorBoard's data provider gives them, in either of its loading modes.

What is costly is asked once. A capture's records never change, so they are parsed once, and an
index is built again only after TensorBoard has read more of it. A lone blob takes 40 ms from the
fast loader, whatever its size, so payloads are read side by side.
"""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import gzip
import json
import operator
import re
import struct
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import grpc  # type: ignore[import-untyped]
import numpy as np
from tensorboard import errors
from tensorboard.data.provider import DataProvider, RunTagFilter, TensorDatum

from tb_gradascent.index import Capture, Entry, Index, Session, join, parse_capture
from tb_gradascent.metadata import PLUGIN_NAME, SessionInfo, series_tag, split_series_tag
from tb_gradascent.records import PayloadInfo, RecordError, check_payload

MAX_PAYLOADS: Final = 256
"""Samples that one answer may hold."""
MAX_ANSWER_BYTES: Final = 32 << 20
MAX_SERIES_BYTES: Final = 512 << 20
"""What the records of one tag of one run may take in memory, as ``_Series.size`` counts."""
CACHE_BYTES: Final = 128 << 20
"""Parsed records that are kept for the next request; the least recently used go first."""

OK, MISSING, DAMAGED, LEFT_OUT = range(4)

_ALL: Final = 1_000_000_000
"""Points of a series to read: TensorBoard wants a number, and never holds as many."""
_THREADS: Final = 8
_ENTRY_BYTES: Final = 600
"""What an entry takes in memory beside its record, its capture and its payload's key included."""
_SESSION_BYTES: Final = 8000
"""What a session takes beside its entries and class names."""
_NAME_BYTES: Final = 60
"""What a class name takes beside its characters."""
_PATIENCE: Final = 500
"""Reads that may fail, while sessions that can be read are told from those that cannot."""
_STATUS: Final = struct.Struct("<II")
_ADDRESS: Final = re.compile(r"([0-9A-Za-z-]{1,64})\.(-?[0-9]{1,18})\.([0-9]{1,9})")


class RequestError(ValueError):
    """A request breaks a rule; the message names it in a sentence."""


class UnknownSeriesError(LookupError):
    """There is no such run or tag; the message says so in a sentence."""


class TooLargeError(RuntimeError):
    """There are more records than a page could show; the message says so in a sentence."""


class UnavailableError(RuntimeError):
    """TensorBoard's data server does not answer; the message says so in a sentence."""


class Scope(NamedTuple):
    """Whose data a request is about: TensorBoard's request context and experiment."""

    context: Any
    experiment: str


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where one sample is: its session's name, its capture's number, its place in the capture."""

    session: str
    capture: int
    index: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """From ``<session>.<capture>.<index>``.

        Raises:
            RequestError: It is something else.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise RequestError(
                "sample must be <session>.<capture>.<index>, as the index lists them, "
                f"and is {text[:80]!r}"
            )
        return cls(match[1], int(match[2]), int(match[3]))


class SampleProvider:
    """Runs, indexes and payloads for the plugin's routes. Several threads may use it at once."""

    def __init__(self, data_provider: DataProvider) -> None:
        self._source = _Source(data_provider)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gradascent")
        self._series: OrderedDict[tuple[str, str, str], _Series] = OrderedDict()
        self._lock = threading.Lock()

    def runs(self, scope: Scope) -> dict[str, list[str]]:
        """The sorted tags of each run that has any, the runs sorted too.

        Raises:
            UnavailableError: TensorBoard's data server does not answer.
        """
        listed = self._source.list_series(scope)
        return {run: sorted(tags) for run, tags in sorted(listed.items())}

    def index(self, scope: Scope, run: str, tag: str) -> bytes:
        """The index of one tag of one run: gzipped JSON, see ``http_api.md``.

        Raises:
            UnknownSeriesError: There is no such run or tag.
            TooLargeError: It holds too many records.
            UnavailableError: TensorBoard's data server does not answer.
        """
        series = self._find(scope, run, tag)
        with series.lock:
            series.refresh(scope)
            answer = series.answer()
        self._keep(scope, series)
        return answer

    def payloads(
        self, scope: Scope, run: str, tag: str, addresses: Sequence[Address]
    ) -> tuple[bytes, bool]:
        """The payloads of samples, in their order: see ``http_api.md``.

        Returns:
            The answer, and whether every status in it is 0.

        Raises:
            UnknownSeriesError: There is no such run or tag.
            TooLargeError: It holds too many records.
            UnavailableError: TensorBoard's data server does not answer.
        """
        series = self._find(scope, run, tag)
        with series.lock:
            found = series.locate(scope, addresses)
        self._keep(scope, series)
        size = 0
        reads: list[Future[tuple[int, bytes]] | int] = []
        for located in found:
            if located is None:
                reads.append(MISSING)
            elif size and size + located.payload["bytes"] > MAX_ANSWER_BYTES:
                reads.append(LEFT_OUT)
            else:
                size += located.payload["bytes"]
                reads.append(self._pool.submit(self._source.read_payload, scope, located))
        parts: list[bytes] = []
        complete = True
        for read in reads:
            status, payload = (read, b"") if isinstance(read, int) else read.result()
            complete &= status == OK
            parts += _STATUS.pack(status, len(payload)), payload
        return b"".join(parts), complete

    def _find(self, scope: Scope, run: str, tag: str) -> _Series:
        with self._lock:
            known = self._series.get((scope.experiment, run, tag))
        return known or _Series(self._source, run, tag)

    def _keep(self, scope: Scope, series: _Series) -> None:
        """Remembers a series, and forgets the least recently used until the rest fit."""
        with self._lock:
            key = (scope.experiment, series.run, series.tag)
            self._series[key] = series
            self._series.move_to_end(key)
            size = sum(kept.size for kept in self._series.values())
            while len(self._series) > 1 and size > CACHE_BYTES:
                _, forgotten = self._series.popitem(last=False)
                size -= forgotten.size


class _State(NamedTuple):
    """What tells whether TensorBoard has read more of a session, and what it says of it."""

    last_capture: int | None
    last_wall_time: float | None
    info: bytes


class _Located(NamedTuple):
    """How to recognise a sample's payload, and where TensorBoard keeps it."""

    payload: PayloadInfo
    key: str


class _Series:
    """What is known of one tag of one run. Who calls it holds ``lock`` meanwhile."""

    def __init__(self, source: _Source, run: str, tag: str) -> None:
        self.lock = threading.Lock()
        self.run = run
        self.tag = tag
        self.size = 0
        self._source = source
        self._states: dict[str, _State] = {}
        self._sessions: dict[str, Session] = {}
        self._blob_keys: dict[str, dict[int, tuple[str, ...]]] = {}
        self._answer: bytes | None = None

    def refresh(self, scope: Scope) -> None:
        """Reads the records of the sessions that TensorBoard has more of than the last time."""
        # Listed before the records are read: at worst these are newer than the state says, and
        # are read once more.
        states = self._source.list_series(scope, self.run).get(self.run, {}).get(self.tag)
        if states is None:
            raise UnknownSeriesError(
                f"run {self.run[:80]!r} has no tag {self.tag[:80]!r}; ask for one that runs lists"
            )
        changed = {name for name, state in states.items() if state != self._states.get(name)}
        if not changed and len(states) == len(self._states):
            return
        sessions = {name: self._sessions[name] for name in states if name not in changed}
        size = sum(map(_size_of, sessions.values()))
        for name, data in self._source.read_records(scope, self.run, self.tag, sorted(changed)):
            known = self._sessions[name].captures if name in self._sessions else {}
            info = SessionInfo.decode(states[name].info)
            sessions[name] = _parse_session(name, info, data, known)
            size += _size_of(sessions[name])
            if size > MAX_SERIES_BYTES:
                raise TooLargeError(
                    f"run {self.run[:80]!r} has more records under the tag {self.tag[:80]!r} than "
                    f"the {MAX_SERIES_BYTES >> 20} MiB that a page is sent; read_samples reads them"
                )
        self._states, self._sessions, self._answer, self.size = states, sessions, None, size

    def answer(self) -> bytes:
        """The index as gzipped JSON."""
        if self._answer is None:
            index = join(self._sessions.values())
            self._answer = gzip.compress(_serialize(self.run, self.tag, index), 3, mtime=0)
            self.size += len(self._answer)
        return self._answer

    def locate(self, scope: Scope, addresses: Sequence[Address]) -> list[_Located | None]:
        """Where samples' payloads are; ``None`` for those of which a half is not there."""
        if any(self._entry(address) is None for address in addresses):
            self.refresh(scope)
        missing = {address.session for address in addresses if self._blob_key(address) is None}
        for session in missing & self._sessions.keys():
            self._blob_keys[session] = self._source.read_blob_keys(
                scope, self.run, self.tag, session
            )
        return [self._locate(address) for address in addresses]

    def _locate(self, address: Address) -> _Located | None:
        entry, key = self._entry(address), self._blob_key(address)
        return None if entry is None or key is None else _Located(entry.payload, key)

    def _entry(self, address: Address) -> Entry | None:
        session = self._sessions.get(address.session)
        capture = session.captures.get(address.capture) if session else None
        entries = capture.entries if capture else ()
        place = bisect.bisect_left(entries, address.index, key=operator.attrgetter("index"))
        found = place < len(entries) and entries[place].index == address.index
        return entries[place] if found else None

    def _blob_key(self, address: Address) -> str | None:
        keys = self._blob_keys.get(address.session, {}).get(address.capture, ())
        return keys[address.index] if address.index < len(keys) else None


class _Source:
    """TensorBoard's data provider, asked in the plugin's terms.

    The multiplexer of ``--load_fast=false`` hands over whatever an event file holds, and its
    conversions raise on what does not make sense: that is damage to one session, not a failure.
    """

    def __init__(self, data_provider: DataProvider) -> None:
        self._provider = data_provider

    def list_series(
        self, scope: Scope, run: str | None = None
    ) -> dict[str, dict[str, dict[str, _State]]]:
        """Each session's state, by run, tag and session's name; of one run only, if given."""
        only = RunTagFilter(runs=None if run is None else [run])
        try:
            with _answering():
                listed = self._provider.list_tensors(
                    scope.context,
                    experiment_id=scope.experiment,
                    plugin_name=PLUGIN_NAME,
                    run_tag_filter=only,
                )
        except errors.NotFoundError:
            return {}
        found: dict[str, dict[str, dict[str, _State]]] = {}
        for name, series in (listed or {}).items():
            for text, of in series.items():
                parts = split_series_tag(text)
                if parts is not None and parts[1] == "index":
                    state = _State(of.max_step, of.max_wall_time, bytes(of.plugin_content))
                    found.setdefault(name, {}).setdefault(parts[0], {})[parts[2]] = state
        return found

    def read_records(
        self, scope: Scope, run: str, tag: str, sessions: Sequence[str]
    ) -> Iterator[tuple[str, list[TensorDatum] | None]]:
        """What each session's index series holds; ``None`` where TensorBoard cannot read it."""
        waiting = [sessions]
        failed = 0
        while waiting:
            some = waiting.pop()
            try:
                with _answering():
                    read = self._read_records(scope, run, tag, some)
            except UnavailableError:
                raise
            except Exception:
                failed += 1
                if len(some) > 1 and failed < _PATIENCE:
                    middle = len(some) // 2
                    waiting += some[middle:], some[:middle]
                else:
                    yield from dict.fromkeys(some).items()
            else:
                yield from read.items()

    def _read_records(
        self, scope: Scope, run: str, tag: str, sessions: Collection[str]
    ) -> dict[str, list[TensorDatum] | None]:
        tags = {series_tag(tag, "index", session): session for session in sessions}
        read = self._provider.read_tensors(
            scope.context,
            experiment_id=scope.experiment,
            plugin_name=PLUGIN_NAME,
            downsample=_ALL,
            run_tag_filter=RunTagFilter(runs=[run], tags=list(tags)),
        ).get(run, {})
        return {session: read.get(text, []) for text, session in tags.items()}

    def read_blob_keys(
        self, scope: Scope, run: str, tag: str, session: str
    ) -> dict[int, tuple[str, ...]]:
        """The keys of each capture's payloads, by the capture's number."""
        text = series_tag(tag, "payload", session)
        with _answering():
            read = self._provider.read_blob_sequences(
                scope.context,
                experiment_id=scope.experiment,
                plugin_name=PLUGIN_NAME,
                downsample=_ALL,
                run_tag_filter=RunTagFilter(runs=[run], tags=[text]),
            )
        return {
            datum.step: tuple(reference.blob_key for reference in datum.values)
            for datum in (read or {}).get(run, {}).get(text, [])
        }

    def read_payload(self, scope: Scope, located: _Located) -> tuple[int, bytes]:
        """``(status, payload)``, the payload empty unless the status is 0."""
        try:
            with _answering():
                payload = self._provider.read_blob(scope.context, blob_key=located.key)
        except errors.NotFoundError:
            return MISSING, b""
        except (LookupError, TypeError, ValueError):
            return DAMAGED, b""
        try:
            check_payload(located.payload, payload if isinstance(payload, bytes) else b"")
        except RecordError:
            return DAMAGED, b""
        return OK, payload


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Says in a sentence that TensorBoard's data server does not answer, where it does not."""
    try:
        yield
    except grpc.RpcError as error:
        reason = error.code().name if isinstance(error, grpc.Call) else type(error).__name__
        raise UnavailableError(
            f"TensorBoard's data server does not answer ({reason}); if it stays so, restart "
            "TensorBoard"
        ) from error


def _size_of(session: Session) -> int:
    """About what a session takes in memory."""
    names = session.info.class_names or ()
    return (
        _SESSION_BYTES
        + sum(_NAME_BYTES + len(name) for name in names)
        + sum(
            _ENTRY_BYTES + len(entry.record)
            for capture in session.captures.values()
            for entry in capture.entries
        )
    )


def _parse_session(
    name: str,
    info: SessionInfo,
    data: Iterable[TensorDatum] | None,
    known: Mapping[int, Capture],
) -> Session:
    """A session from what was read of it; only captures that are not known yet are parsed."""
    captures: dict[int, Capture] = {}
    for datum in data or ():
        capture = known.get(datum.step)
        if capture is None or capture.wall_time != datum.wall_time:
            values = np.asarray(datum.numpy).reshape(-1).tolist()
            capture = parse_capture(datum.step, datum.wall_time, values)
        captures.setdefault(datum.step, capture)
    return Session(name, info, captures, unreadable=int(data is None))


def _serialize(run: str, tag: str, index: Index) -> bytes:
    """The index as JSON. The records are JSON already, and are joined as they are."""
    head = {
        "run": run,
        "tag": tag,
        "counts": {
            "samples": len(index.entries),
            "unreadable": index.unreadable,
            "superseded": index.superseded,
            "dropped": index.dropped,
        },
        "sessions": [
            {"session": session.name, **session.info.to_json()} for session in index.sessions
        ],
    }
    samples = b",".join(
        b'{"session":%d,"capture":%d,"index":%d,"wall_time":%r,%b'
        % (place, entry.capture, entry.index, entry.wall_time, entry.record[1:])
        for place, entry in index.entries
    )
    return b'%b,"samples":[%b]}' % (json.dumps(head, allow_nan=False).encode()[:-1], samples)
