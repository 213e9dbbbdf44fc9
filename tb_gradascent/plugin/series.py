"""What is known of one tag of one run: read once, and later only what is new.

A capture's records never change, so they are parsed once, and not before somebody asks for them: a
hundred thousand take seconds.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn

import numpy as np
from tensorboard.data.provider import TensorDatum

from tb_gradascent.format.metadata import MAX_RECORDS_A_CAPTURE, SessionInfo
from tb_gradascent.format.record import PayloadInfo
from tb_gradascent.format.sessions import finite_time, order_of, span_of, superseded_from
from tb_gradascent.plugin.addresses import Address, Part
from tb_gradascent.plugin.data_source import Located, Scope, SessionState, Source
from tb_gradascent.plugin.errors import TooLargeError, UnknownSeriesError
from tb_gradascent.plugin.rows import CaptureRows, encode_capture, find_payload, least_step

MAX_SERIES_BYTES: Final = 512 << 20
"""What the records of one tag of one run may take in memory, as ``Series.size`` counts."""
MAX_INDEX_BYTES: Final = 64 << 20
"""What the sessions of one tag of one run may take as JSON."""

_CAPTURE_BYTES: Final = 400
"""What a capture takes in memory beside its records, about."""
_RECORD_BYTES: Final = 200
"""What a record takes beside its own bytes, its payload's key included."""
_SESSION_BYTES: Final = 8000
"""What a session takes beside its captures and class names."""
_REFUSED_SECONDS: Final = 60
"""For so long what is too large is not read once more, which would take seconds each time."""


class StoredCapture:
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
        self.by_number: dict[int, StoredCapture] = {}
        for datum in data or ():
            capture = kept.get(datum.step)
            if capture is None or capture.wall_time != finite_time(datum.wall_time):
                capture = StoredCapture(datum.step, datum.wall_time, _values_of(datum))
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


class Series:
    """What is known of one tag of one run. Who calls it holds ``lock`` meanwhile."""

    def __init__(self, source: Source, run: str, tag: str) -> None:
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

    def _load(self, scope: Scope, states: dict[str, SessionState]) -> None:
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

    def captures(self, scope: Scope, part: Part) -> Sequence[StoredCapture]:
        """All captures of a part's session; none where there is no such session."""
        known = self._sessions.get(part.session)
        if known is None or len(known.captures) < part.end:
            self.refresh(scope)
            known = self._sessions.get(part.session)
        return known.captures if known else ()

    def locate(self, scope: Scope, addresses: Sequence[Address]) -> list[Located | None]:
        """Where samples' payloads are; ``None`` for those of which a half is not there."""
        if any(self._payload(address) is None for address in addresses):
            self.refresh(scope)
        missing = {address.session for address in addresses if self._blob_key(address) is None}
        for session in missing & self._sessions.keys():
            self._blob_keys[session] = self._source.read_blob_keys(
                scope, self.run, self.tag, session
            )
        return [self._locate(address) for address in addresses]

    def _locate(self, address: Address) -> Located | None:
        payload, key = self._payload(address), self._blob_key(address)
        return None if payload is None or key is None else Located(payload, key)

    def _payload(self, address: Address) -> PayloadInfo | None:
        session = self._sessions.get(address.session)
        capture = session.by_number.get(address.capture) if session else None
        return find_payload(capture.read(), address.index) if capture else None

    def _blob_key(self, address: Address) -> str | None:
        keys = self._blob_keys.get(address.session, {}).get(address.capture, ())
        return keys[address.index] if address.index < len(keys) else None
