"""Samples as TensorBoard's data provider gives them, in either of its loading modes.

What is costly is asked once. A capture's records never change, so they are parsed once, and not
before somebody asks for them: a hundred thousand take seconds. A lone blob takes 40 ms from the
fast loader, whatever its size, so payloads are read side by side.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import math
import re
import struct
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

import grpc  # type: ignore[import-untyped]
import numpy as np
from tensorboard import errors
from tensorboard.data.provider import DataProvider, RunTagFilter, TensorDatum

from tb_gradascent.index import finite_time, order_of, span_of, superseded_from
from tb_gradascent.metadata import (
    MAX_RECORDS_A_CAPTURE,
    PLUGIN_NAME,
    SessionInfo,
    series_tag,
    split_series_tag,
)
from tb_gradascent.records import PayloadInfo, RecordError, check_payload
from tb_gradascent.rows import CaptureRows, encode_capture, find_payload, least_step

T = TypeVar("T")

MAX_PAYLOADS: Final = 256
"""Samples that one answer may hold."""
MAX_PARTS: Final = 256
"""Stretches of captures that one request may ask for."""
MAX_RECORDS: Final = 4096
"""Records that one answer holds, unless a single capture has more."""
MAX_ANSWER_BYTES: Final = 32 << 20
MAX_SERIES_BYTES: Final = 512 << 20
"""What the records of one tag of one run may take in memory, as ``_Series.size`` counts."""
MAX_INDEX_BYTES: Final = 64 << 20
"""What the sessions of one tag of one run may take as JSON."""
CACHE_BYTES: Final = 128 << 20
"""Parsed records that are kept for the next request; the least recently used go first."""

OK, MISSING, DAMAGED, LEFT_OUT, REFUSED = range(5)

_ALL: Final = 1_000_000_000
"""Points of a series to read: TensorBoard wants a number, and never holds as many."""
_THREADS: Final = 32
"""They wait rather than work: for 50 viewers at once, 8 took three times as long."""
_CAPTURE_BYTES: Final = 400
"""What a capture takes in memory beside its records, about."""
_RECORD_BYTES: Final = 200
"""What a record takes beside its own bytes, its payload's key included."""
_SESSION_BYTES: Final = 8000
"""What a session takes beside its captures and class names."""
_SESSIONS_AT_ONCE: Final = 4096
"""Sessions that TensorBoard is asked for at a time, so that too many are noticed on the way."""
_REFUSED_SECONDS: Final = 60
"""For so long what is too large is not read once more, which would take seconds each time."""
_PATIENCE: Final = 500
"""Reads that may fail, while sessions that can be read are told from those that cannot."""
_PART: Final = struct.Struct("<4I")
_PART_TEXT: Final = re.compile(r"([0-9A-Za-z-]{1,64})\.([0-9]{1,9})\.([0-9]{1,9})")
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


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Captures of one session, by their places in the order in which they came.

    Attributes:
        session: The session's name.
        first: The first capture's place.
        end: The place after the last one's.
    """

    session: str
    first: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """From ``<session>.<first>.<end>``.

        Raises:
            RequestError: It is something else.
        """
        match = _PART_TEXT.fullmatch(text)
        if match is None:
            raise RequestError(f"part must be <session>.<first>.<end>, and is {text[:80]!r}")
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
        """The sessions of one tag of one run: gzipped JSON, see ``http_api.md``.

        Raises:
            UnknownSeriesError: There is no such run or tag.
            TooLargeError: It holds too many records.
            UnavailableError: TensorBoard's data server does not answer.
        """
        with self._opened(scope, run, tag) as series:
            series.refresh(scope)
            return series.answer()

    def records(self, scope: Scope, run: str, tag: str, parts: Sequence[Part]) -> list[bytes]:
        """The records of some captures of one tag of one run, as rows: see ``http_api.md``.

        Returns:
            Pieces of the answer. They are not joined: most of them are kept here for all who ask.

        Raises:
            UnknownSeriesError: There is no such run or tag.
            TooLargeError: It holds too many records.
            UnavailableError: TensorBoard's data server does not answer.
        """
        with self._opened(scope, run, tag) as series:
            captures = [series.captures(scope, part) for part in parts]
        answer = _answer_records(parts, captures)
        with self._opened(scope, run, tag) as series:
            series.measure()
        return answer

    def payloads(
        self, scope: Scope, run: str, tag: str, addresses: Sequence[Address]
    ) -> tuple[list[bytes], bool]:
        """The payloads of samples, in their order: see ``http_api.md``.

        Returns:
            Pieces of the answer, and whether every status in it is 0.

        Raises:
            UnknownSeriesError: There is no such run or tag.
            TooLargeError: It holds too many records.
            UnavailableError: TensorBoard's data server does not answer.
        """
        with self._opened(scope, run, tag) as series:
            found = series.locate(scope, addresses)
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
        pieces: list[bytes] = []
        complete = True
        for read in reads:
            status, payload = (read, b"") if isinstance(read, int) else read.result()
            complete &= status == OK
            pieces += _STATUS.pack(status, len(payload)), payload
        return pieces, complete

    @contextlib.contextmanager
    def _opened(self, scope: Scope, run: str, tag: str) -> Iterator[_Series]:
        """What is known of a series, for one request at a time: many who come at once read it once.

        On leaving, the least recently used ones are forgotten until the rest fit.
        """
        key = (scope.experiment, run, tag)
        with self._lock:
            series = self._series.setdefault(key, _Series(self._source, run, tag))
            self._series.move_to_end(key)
        try:
            with series.lock:
                yield series
        finally:
            with self._lock:
                if not series.known:
                    self._series.pop(key, None)
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


class _Capture:
    """One capture: its records as stored, and once somebody asked, as rows.

    Nothing in it ever changes, so that it needs parsing only once.

    Attributes:
        number: The session's counter of captures.
        wall_time: Seconds since the epoch.
        records: How many were stored, readable or not.
        size: Bytes that it takes in memory, about.
    """

    __slots__ = ("_content", "number", "records", "size", "wall_time")

    def __init__(self, number: int, wall_time: float, values: Sequence[object]) -> None:
        self.number = number
        self.wall_time = finite_time(wall_time)
        self.records = len(values)
        self.size = self._beside() + sum(len(v) for v in values if isinstance(v, bytes))
        self._content: Sequence[object] | CaptureRows = values

    def read(self) -> CaptureRows:
        """As rows. Two threads may do this at once: either's rows serve."""
        content = self._content
        if not isinstance(content, CaptureRows):
            content = encode_capture(self.number, self.wall_time, content)
            self._content = content
            self.size = self._beside() + len(content.rows)
        return content

    def _beside(self) -> int:
        return _CAPTURE_BYTES + _RECORD_BYTES * self.records


def _values_of(datum: TensorDatum) -> Sequence[object]:
    """A capture's records as stored; too many are one that cannot be read.

    A tensor's shape may repeat one value as often as it likes.
    """
    stored = np.asarray(datum.numpy)
    return stored.reshape(-1).tolist() if stored.size <= MAX_RECORDS_A_CAPTURE else [None]


class _Session:
    """What one session recorded under one tag.

    Attributes:
        captures: In the order in which they came.
        by_number: The same.
        span: When it recorded.
        damaged: Whether TensorBoard could not read its series.
    """

    def __init__(
        self,
        name: str,
        info: SessionInfo,
        data: Iterable[TensorDatum] | None,
        known: _Session | None,
    ) -> None:
        kept = known.by_number if known else {}
        self.by_number: dict[int, _Capture] = {}
        for datum in data or ():
            capture = kept.get(datum.step)
            if capture is None or capture.wall_time != finite_time(datum.wall_time):
                capture = _Capture(datum.step, datum.wall_time, _values_of(datum))
            self.by_number.setdefault(datum.step, capture)
        self.captures = list(self.by_number.values())
        self.damaged = data is None
        times = [capture.wall_time for capture in self.captures]
        self.span = span_of(name, info, times, self._first_step())

    def _first_step(self) -> float | None:
        numbered = sorted(self.by_number.items())
        steps = (least_step(capture.read()) for _, capture in numbered)
        return next((step for step in steps if step is not None), None)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        names = self.span.info.class_names or ()
        return (
            _SESSION_BYTES
            + sum(map(sys.getsizeof, names))
            + sum(capture.size for capture in self.captures)
        )

    def to_json(self, superseded_from: float) -> dict[str, Any]:
        """As the index tells of it."""
        return {
            "session": self.span.name,
            **self.span.info.to_json(),
            "captures": len(self.captures),
            "damaged": self.damaged,
            "superseded_from": None if math.isinf(superseded_from) else superseded_from,
        }


class _Series:
    """What is known of one tag of one run. Who calls it holds ``lock`` meanwhile."""

    def __init__(self, source: _Source, run: str, tag: str) -> None:
        self.lock = threading.Lock()
        self.run = run
        self.tag = tag
        self._source = source
        self._refusal: tuple[float, str] | None = None
        self._clear()

    def _clear(self) -> None:
        self.size = 0
        self._states: dict[str, _State] = {}
        self._sessions: dict[str, _Session] = {}
        self._blob_keys: dict[str, dict[int, tuple[str, ...]]] = {}
        self._answer: bytes | None = None

    @property
    def known(self) -> bool:
        """Whether there is anything worth remembering, be it that it is too large."""
        return bool(self._states or self._refusal)

    def refresh(self, scope: Scope) -> None:
        """Reads the records of the sessions that TensorBoard has more of than the last time."""
        if self._refusal and time.monotonic() < self._refusal[0]:
            raise TooLargeError(self._refusal[1])
        # Listed before the records are read: at worst these are newer than the state says, and
        # are read once more.
        states = self._source.list_series(scope, self.run).get(self.run, {}).get(self.tag)
        if states is None:
            raise UnknownSeriesError(
                f"run {self.run[:80]!r} has no tag {self.tag[:80]!r}; ask for one that runs lists"
            )
        self._refuse_beyond(MAX_SERIES_BYTES, len(states) * _SESSION_BYTES)
        try:
            self._load(scope, states)
        except TooLargeError as error:
            self._refuse(str(error))

    def _load(self, scope: Scope, states: dict[str, _State]) -> None:
        changed = {name for name, state in states.items() if state != self._states.get(name)}
        if not changed and len(states) == len(self._states):
            return
        sessions = {name: self._sessions[name] for name in states if name not in changed}
        size = sum(session.size for session in sessions.values())
        for name, data in self._source.read_records(scope, self.run, self.tag, sorted(changed)):
            info = SessionInfo.decode(states[name].info)
            sessions[name] = _Session(name, info, data, self._sessions.get(name))
            size += sessions[name].size
            self._refuse_beyond(MAX_SERIES_BYTES, size)
        self._states, self._sessions, self._answer, self.size = states, sessions, None, size

    def measure(self) -> None:
        """Brings ``size`` up to date, after captures were read."""
        self.size = sum(session.size for session in self._sessions.values())
        self._refuse_beyond(MAX_SERIES_BYTES, self.size)

    def _refuse_beyond(self, most: int, size: int) -> None:
        if size > most:
            self._refuse(
                f"run {self.run[:80]!r} has more records under the tag {self.tag[:80]!r} than "
                f"the {most >> 20} MiB that a page is sent; read_samples reads them"
            )

    def _refuse(self, why: str) -> NoReturn:
        """Forgets what is too large, and does not look at it again for a while."""
        self._clear()
        self._refusal = time.monotonic() + _REFUSED_SECONDS, why
        raise TooLargeError(why)

    def answer(self) -> bytes:
        """The index as gzipped JSON."""
        if self._answer is None:
            sessions = sorted(self._sessions.values(), key=lambda session: order_of(session.span))
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

    def captures(self, scope: Scope, part: Part) -> Sequence[_Capture]:
        """All captures of a part's session; none where there is no such session."""
        known = self._sessions.get(part.session)
        if known is None or len(known.captures) < part.end:
            self.refresh(scope)
            known = self._sessions.get(part.session)
        return known.captures if known else ()

    def locate(self, scope: Scope, addresses: Sequence[Address]) -> list[_Located | None]:
        """Where samples' payloads are; ``None`` for those of which a half is not there."""
        if any(self._payload(address) is None for address in addresses):
            self.refresh(scope)
        missing = {address.session for address in addresses if self._blob_key(address) is None}
        for session in missing & self._sessions.keys():
            self._blob_keys[session] = self._source.read_blob_keys(
                scope, self.run, self.tag, session
            )
        return [self._locate(address) for address in addresses]

    def _locate(self, address: Address) -> _Located | None:
        payload, key = self._payload(address), self._blob_key(address)
        return None if payload is None or key is None else _Located(payload, key)

    def _payload(self, address: Address) -> PayloadInfo | None:
        session = self._sessions.get(address.session)
        capture = session.by_number.get(address.capture) if session else None
        return find_payload(capture.read(), address.index) if capture else None

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
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="gradascent-reader")

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
        starts = range(0, len(sessions), _SESSIONS_AT_ONCE)
        waiting = [sessions[start : start + _SESSIONS_AT_ONCE] for start in reversed(starts)]
        failed = 0
        while waiting:
            some = waiting.pop()
            try:
                with _answering():
                    read = self._read_records(scope, run, tag, some)
            except UnavailableError:
                raise
            except Exception as error:
                if isinstance(error, TooLargeError) and len(some) == 1:
                    raise
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
        read = self._read(
            self._provider.read_tensors,
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
            read = self._read(
                self._provider.read_blob_sequences,
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

    def _read(self, read: Callable[..., T], *args: object, **kwargs: object) -> T:
        """A whole series, one at a time.

        TensorBoard takes many times the memory of what it hands over, and each thread that asked
        would keep what the allocator has got for it.
        """
        return self._reader.submit(read, *args, **kwargs).result()

    def read_payload(self, scope: Scope, located: _Located) -> tuple[int, bytes]:
        """``(status, payload)``, the payload empty unless the status is 0."""
        try:
            with _answering():
                payload = self._provider.read_blob(scope.context, blob_key=located.key)
        except errors.NotFoundError:
            return MISSING, b""
        except errors.InvalidArgumentError:
            return REFUSED, b""
        except (LookupError, TypeError, ValueError):
            return DAMAGED, b""
        try:
            check_payload(located.payload, payload if isinstance(payload, bytes) else b"")
        except RecordError:
            return DAMAGED, b""
        return OK, payload


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Says in a sentence that TensorBoard's data server does not answer, where it does not.

    Raises:
        UnavailableError: So it is.
        TooLargeError: Its answer was longer than TensorBoard takes.
    """
    try:
        yield
    except grpc.RpcError as error:
        if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise TooLargeError(
                "one session has more records than TensorBoard takes from its data server at once "
                "(256 MiB); start TensorBoard with --load_fast=false, or use read_samples"
            ) from error
        reason = error.code().name if isinstance(error, grpc.Call) else type(error).__name__
        raise UnavailableError(
            f"TensorBoard's data server does not answer ({reason}); if it stays so, restart "
            "TensorBoard"
        ) from error


def _answer_records(parts: Sequence[Part], captures: Sequence[Sequence[_Capture]]) -> list[bytes]:
    """Each part's captures from its last backwards, as far as the answer's limits allow."""
    answer: list[bytes] = []
    records = size = 0
    full = False
    for part, sequence in zip(parts, captures, strict=True):
        first = end = min(part.end, len(sequence))
        rows: list[bytes] = []
        unreadable = 0
        while first > part.first and not full:
            capture = sequence[first - 1]
            full = records > 0 and (
                records + capture.records > MAX_RECORDS or size + capture.size > MAX_ANSWER_BYTES
            )
            if not full:
                first -= 1
                read = capture.read()
                rows.append(read.rows)
                unreadable += read.unreadable
                records += capture.records
                size += len(read.rows)
        rows.append(_PART.pack(first, end, unreadable, sum(map(len, rows))))
        answer += reversed(rows)
    return answer
