"""The recorded samples, read from TensorBoard, cached, and packed into the routes' answers.

The fast loader needs 40 ms for a single blob, whatever its size. So payloads are read by many
threads at once.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from tensorboard.data.provider import DataProvider

from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.captures import Captures
from tb_gradascent.plugin.data_source import (
    LEFT_OUT,
    MISSING,
    OK,
    DataSource,
    ListedSeries,
    PayloadLocation,
    Scope,
    SessionState,
)
from tb_gradascent.plugin.errors import AnswerError
from tb_gradascent.plugin.report_page import ReportRow, ReportSession
from tb_gradascent.plugin.rows import pack_ranges, pack_run
from tb_gradascent.plugin.series import Series
from tb_gradascent.plugin.session import StoredRange

MAX_PAYLOADS: Final = 256
"""The most samples in one request for payloads."""
MAX_RUNS: Final = 64
"""The most runs in one request."""
MAX_RANGES: Final = 256
"""The most ranges of captures in one request for records."""
MAX_RECORDS: Final = 4096
"""The most records in one answer. A single capture may have more."""
MAX_ANSWER_BYTES: Final = 32 << 20
CACHE_BYTES: Final = 128 << 20
"""How many bytes of records are kept for later requests."""

_THREADS: Final = 32
"""The threads mostly wait. With 50 viewers, 8 threads took three times as long."""
_STATUS: Final = struct.Struct("<II")


class SampleStore:
    """Runs, indexes, records and payloads for the plugin's routes.

    Several threads may use it at once.
    """

    def __init__(self, data_provider: DataProvider) -> None:
        self._source = DataSource(data_provider)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gradascent")
        self._series: OrderedDict[tuple[str, str, str], Series] = OrderedDict()
        self._lock = threading.Lock()

    def runs(self, scope: Scope) -> list[dict[str, Any]]:
        """Return the runs and their tags, both sorted: see ``http_api.md``.

        Raises:
            UnavailableError: TensorBoard's data server does not answer.
        """
        return _list_runs(self._source.list_series(scope))

    def opening(
        self, scope: Scope, most: int, records: int
    ) -> tuple[list[dict[str, Any]], Iterator[list[bytes]]]:
        """Return the runs, and the answers for those that a fresh page shows.

        A fresh page shows the first tag that has captures, or the first tag of all, and the first
        runs that have it.

        Args:
            scope: TensorBoard's context.
            most: How many runs a fresh page shows at most.
            records: About how many records of all these runs together.

        Raises:
            UnavailableError: TensorBoard's data server does not answer.
        """
        listed = self._source.list_series(scope)
        runs = _list_runs(listed)
        tags = sorted({tag for run in runs for tag in run["tags"]})
        filled = {tag for run in runs for tag in {*run["tags"]} - {*run["empty_tags"]}}
        tag = next((tag for tag in tags if tag in filled), next(iter(tags), ""))
        shown = [run["run"] for run in runs if tag in run["tags"]][:most]
        share = -(-records // max(1, len(shown)))
        return runs, (self._newest_or_error(scope, run, tag, share, listed) for run in shown)

    def newest(
        self, scope: Scope, runs: Sequence[str], tag: str, records: int
    ) -> Iterator[list[bytes]]:
        """Yield the sessions and the newest records of each run: see ``http_api.md``.

        Each run is read only when it is its turn. An error of one run takes the place of its
        answer, and the others follow.

        Args:
            scope: TensorBoard's context.
            runs: The runs, in the order of the answer.
            tag: The tag of all.
            records: About how many records of all runs together, in equal shares.
        """
        share = -(-records // len(runs))
        try:
            # One call for all runs, because TensorBoard's data server takes 40 ms for each.
            listed = self._source.list_series(scope)
        except AnswerError as error:
            problem = str(error)
            yield from (pack_run({"run": run, "tag": tag, "error": problem}, []) for run in runs)
            return
        for run in runs:
            yield self._newest_or_error(scope, run, tag, share, listed)

    def _newest_or_error(
        self, scope: Scope, run: str, tag: str, records: int, listed: ListedSeries
    ) -> list[bytes]:
        try:
            return self._newest_of(scope, run, tag, records, listed)
        except AnswerError as error:
            return pack_run({"run": run, "tag": tag, "error": str(error)}, [])

    def _newest_of(
        self, scope: Scope, run: str, tag: str, records: int, listed: ListedSeries
    ) -> list[bytes]:
        with self._open(scope, run, tag) as series:
            series.refresh(scope, listed)
            ranges = series.newest(scope, records)
            index = json.loads(gzip.decompress(series.answer()))
            captures = series.captures(scope, ranges)
        rows = _answer_records(captures)
        with self._open(scope, run, tag) as series:
            series.measure()
        return pack_run({**index, "parts": [str(wanted) for wanted in ranges]}, rows)

    def index(self, scope: Scope, run: str, tag: str) -> bytes:
        """Return the sessions of one tag of one run as gzipped JSON: see ``http_api.md``.

        Raises:
            UnknownSeriesError: The run or the tag does not exist.
            TooLargeError: It has too many records.
            UnavailableError: TensorBoard's data server does not answer.
        """
        with self._open(scope, run, tag) as series:
            series.refresh(scope)
            return series.answer()

    def records(
        self, scope: Scope, run: str, tag: str, ranges: Sequence[CaptureRange]
    ) -> list[bytes]:
        """Return the records of ranges of captures, as rows: see ``http_api.md``.

        Returns:
            Pieces of the answer. They are not joined, because most of them are shared with the
            cache.

        Raises:
            UnknownSeriesError: The run or the tag does not exist.
            TooLargeError: It has too many records.
            UnavailableError: TensorBoard's data server does not answer.
        """
        with self._open(scope, run, tag) as series:
            captures = series.captures(scope, ranges)
        answer = _answer_records(captures)
        with self._open(scope, run, tag) as series:
            series.measure()
        return answer

    def payloads(
        self, scope: Scope, tag: str, samples: Sequence[tuple[str, Address]]
    ) -> tuple[list[bytes], bool]:
        """Return the payloads of samples, in their order: see ``http_api.md``.

        Args:
            scope: TensorBoard's context.
            tag: The tag of all.
            samples: The run and the address of each.

        Returns:
            Pieces of the answer, and whether every status in it is ``OK``.

        Raises:
            UnknownSeriesError: The run or the tag does not exist.
            TooLargeError: It has too many records.
            UnavailableError: TensorBoard's data server does not answer.
        """
        locations: list[PayloadLocation | None] = [None] * len(samples)
        for run in dict.fromkeys(run for run, _ in samples):
            positions = [at for at, (of, _) in enumerate(samples) if of == run]
            with self._open(scope, run, tag) as series:
                found = series.locate(scope, [samples[at][1] for at in positions])
            for at, location in zip(positions, found, strict=True):
                locations[at] = location
        size = 0
        reads: list[Future[tuple[int, bytes]] | int] = []
        for location in locations:
            if location is None:
                reads.append(MISSING)
            elif size and size + location.info["bytes"] > MAX_ANSWER_BYTES:
                reads.append(LEFT_OUT)
            else:
                size += location.info["bytes"]
                reads.append(self._pool.submit(self._source.read_payload, scope, location))
        pieces: list[bytes] = []
        complete = True
        for read in reads:
            status, payload = (read, b"") if isinstance(read, int) else read.result()
            complete &= status == OK
            pieces += _STATUS.pack(status, len(payload)), payload
        return pieces, complete

    def report_sessions(
        self, scope: Scope, tag: str, samples: Sequence[tuple[str, Address]]
    ) -> list[ReportSession]:
        """Return samples for a report, by their sessions. Samples that do not exist are left out.

        The arguments and the errors are those of :meth:`payloads`. Arrays that cannot be read, or
        that would make the report too long, are left out.
        """
        pieces, _ = self.payloads(scope, tag, samples)
        arrays = dict(zip(samples, pieces[1::2], strict=True))
        sessions: list[ReportSession] = []
        for run in dict.fromkeys(run for run, _ in samples):
            addresses = {address for of, address in samples if of == run}
            with self._open(scope, run, tag) as series:
                for listed, stored in series.select(addresses):
                    rows = [
                        ReportRow(address.capture, address.index, row, arrays[run, address])
                        for address, row in stored
                    ]
                    sessions.append(ReportSession(run, tag, listed, rows))
        return sessions

    @contextlib.contextmanager
    def _open(self, scope: Scope, run: str, tag: str) -> Iterator[Series]:
        """Lock a series for one request, so that simultaneous requests read it once.

        At the end, the least recently used series are forgotten until the rest fit into the cache.
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


def _list_runs(listed: ListedSeries) -> list[dict[str, Any]]:
    """Return the runs as the route ``runs`` answers them."""
    return [
        {
            "run": run,
            "tags": sorted(tags),
            "empty_tags": sorted(tag for tag, sessions in tags.items() if _is_empty(sessions)),
        }
        for run, tags in sorted(listed.items())
    ]


def _is_empty(sessions: Mapping[str, SessionState]) -> bool:
    return all(not state.captures for state in sessions.values())


def _answer_records(ranges: Sequence[StoredRange]) -> list[bytes]:
    """Return the captures of each range, the last ones first, until the answer is full."""
    answer: list[bytes] = []
    records = size = 0
    full = False
    for stored in ranges:
        first = stored.end
        rows: list[bytes] = []
        unreadable = 0
        for captures, number in _newest_first(stored):
            count = captures.count_records(number)
            beyond = records + count > MAX_RECORDS
            beyond |= size + captures.size_of(number) > MAX_ANSWER_BYTES
            full |= records > 0 and beyond
            if full:
                break
            first = number
            read = captures.read(number)
            rows.append(read.rows)
            unreadable += read.unreadable
            records += count
            size += len(read.rows)
        if not full:
            first = stored.first
        answer += pack_ranges(first, stored.end, unreadable, rows[::-1])
    return answer


def _newest_first(stored: StoredRange) -> Iterator[tuple[Captures, int]]:
    """Yield the captures of a range: their block, and the number of each."""
    for captures, numbers in stored.blocks:
        for number in reversed(numbers):
            yield captures, number
