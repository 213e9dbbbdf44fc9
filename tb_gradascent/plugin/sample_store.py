"""Samples as the routes answer them, from TensorBoard's data provider.

What is costly is asked once. A lone blob takes 40 ms from the fast loader, whatever its size, so
payloads are read side by side.
"""

from __future__ import annotations

import contextlib
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from tensorboard.data.provider import DataProvider

from tb_gradascent.plugin.addresses import Address, Part
from tb_gradascent.plugin.data_source import LEFT_OUT, MISSING, OK, Scope, Source
from tb_gradascent.plugin.series import Series, StoredCapture

MAX_PAYLOADS: Final = 256
"""Samples that one answer may hold."""
MAX_PARTS: Final = 256
"""Stretches of captures that one request may ask for."""
MAX_RECORDS: Final = 4096
"""Records that one answer holds, unless a single capture has more."""
MAX_ANSWER_BYTES: Final = 32 << 20
CACHE_BYTES: Final = 128 << 20
"""Parsed records that are kept for the next request; the least recently used go first."""

_THREADS: Final = 32
"""They wait rather than work: for 50 viewers at once, 8 took three times as long."""
_PART: Final = struct.Struct("<4I")
_STATUS: Final = struct.Struct("<II")


class SampleProvider:
    """Runs, indexes and payloads for the plugin's routes. Several threads may use it at once."""

    def __init__(self, data_provider: DataProvider) -> None:
        self._source = Source(data_provider)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gradascent")
        self._series: OrderedDict[tuple[str, str, str], Series] = OrderedDict()
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
    def _opened(self, scope: Scope, run: str, tag: str) -> Iterator[Series]:
        """What is known of a series, for one request at a time: many who come at once read it once.

        On leaving, the least recently used ones are forgotten until the rest fit.
        """
        key = (scope.experiment, run, tag)
        with self._lock:
            series = self._series.setdefault(key, Series(self._source, run, tag))
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


def _answer_records(
    parts: Sequence[Part], captures: Sequence[Sequence[StoredCapture]]
) -> list[bytes]:
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
