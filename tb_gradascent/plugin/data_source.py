"""TensorBoard's data provider, wrapped for this plugin. It works in both of its loading modes."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import grpc  # type: ignore[import-untyped]
from tensorboard import errors
from tensorboard.data.provider import DataProvider, RunTagFilter

from tb_gradascent.format.metadata import (
    MAX_RECORDS_A_CAPTURE,
    PLUGIN_NAME,
    split_series_tag,
)
from tb_gradascent.format.payload import check_payload
from tb_gradascent.format.record import PayloadInfo, RecordError
from tb_gradascent.plugin.errors import TooLargeError, UnavailableError
from tb_gradascent.plugin.tensor_reads import ALL, Datum, read_tensors

OK, MISSING, DAMAGED, LEFT_OUT, REFUSED = range(5)
"""The status of a requested payload; ``http_api.md`` documents each."""

_SERIES_AT_ONCE: Final = 4096
"""How many series are read in one call. Between calls the caller can stop at its limit."""
_MAX_FAILED_READS: Final = 500
"""How many reads may fail while readable series are separated from unreadable ones."""

_WAITS: Final = (0.0, 0.001, 0.01, 0.1, 1.0)
"""Seconds before each attempt to list the series."""

_Key = TypeVar("_Key")


class Scope(NamedTuple):
    """TensorBoard's request context and experiment."""

    context: Any
    experiment: str


class SeriesState(NamedTuple):
    """What TensorBoard has loaded of a series. It changes when the series has new events.

    Attributes:
        series: TensorBoard's tag of the series.
        last_step: The largest step of its events.
        last_wall_time: The latest wall time of its events.
        info: The session's constants, encoded; empty for all blocks but the first.
    """

    series: str
    last_step: int | None
    last_wall_time: float | None
    info: bytes


class SessionState(NamedTuple):
    """What TensorBoard has loaded of a session.

    Attributes:
        captures: The states of its index series by the number of the block, ascending; empty if it
            has no captures.
        status: The state of its status series, which another tag may hold; ``None`` if an older
            version recorded the session.
    """

    captures: dict[int, SeriesState]
    status: SeriesState | None


ListedSeries: TypeAlias = dict[str, dict[str, dict[str, SessionState]]]
"""The state of each session by run, tag and the session's name."""


class PayloadLocation(NamedTuple):
    """A payload's length and checksum, and TensorBoard's key for it."""

    info: PayloadInfo
    blob_key: str


class DataSource:
    """Reads sessions, records and payloads through TensorBoard's data provider.

    With ``--load_fast=false`` TensorBoard passes on whatever an event file holds, and its own
    conversions raise on nonsense. Such an error counts as damage to one series.
    """

    def __init__(self, data_provider: DataProvider) -> None:
        self._provider = data_provider
        self._read_tensors = functools.partial(read_tensors, data_provider)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="gradascent-reader")

    def list_series(self, scope: Scope, run: str | None = None) -> ListedSeries:
        """Return each session's state by run, tag and session name. ``run`` limits it to one run.

        A session is listed under each tag with captures of it, and under the tag of its status.

        Raises:
            UnavailableError: TensorBoard's data server does not answer.
        """
        only = RunTagFilter(runs=None if run is None else [run])
        try:
            with _translated_errors():
                listed = self._list(scope, only)
        except errors.NotFoundError:
            return {}
        runs = {name: _sessions_of(series) for name, series in listed.items()}
        return {name: tags for name, tags in runs.items() if tags}

    def _list(self, scope: Scope, only: RunTagFilter) -> dict[str, dict[str, Any]]:
        # TensorBoard's Python loader makes a series before it adds the first event to it. In
        # between it can list no series.
        for wait in _WAITS:
            time.sleep(wait)
            with contextlib.suppress(KeyError):
                return self._ask(self._provider.list_tensors, scope, only)
        raise UnavailableError("TensorBoard has just begun to read this run; reload")

    def read_events(
        self, scope: Scope, run: str, series: Mapping[str, _Key], *, only_last: bool = False
    ) -> Iterator[tuple[_Key, Sequence[Datum] | None]]:
        """Yield the events of series of tensors, each with its key; ``None`` if it is unreadable.

        If a read fails, it is repeated in two halves.

        Args:
            scope: TensorBoard's context.
            run: The run.
            series: A key for each series, by TensorBoard's tag.
            only_last: Whether the last event of each series suffices.

        Raises:
            TooLargeError: One series has more records than TensorBoard can return.
            UnavailableError: TensorBoard's data server does not answer.
        """
        # TensorBoard keeps the last event of a series when it thins it out.
        most = 1 if only_last else ALL
        tags = list(series)
        starts = range(0, len(tags), _SERIES_AT_ONCE)
        waiting = [tags[start : start + _SERIES_AT_ONCE] for start in reversed(starts)]
        failed = 0
        while waiting:
            group = waiting.pop()
            try:
                with _translated_errors():
                    read = self._read(self._read_tensors, scope, run, group, most)
            except UnavailableError:
                raise
            except Exception as error:
                if isinstance(error, TooLargeError) and len(group) == 1:
                    raise
                failed += 1
                if len(group) > 1 and failed < _MAX_FAILED_READS:
                    middle = len(group) // 2
                    waiting += group[middle:], group[:middle]
                else:
                    yield from ((series[tag], None) for tag in group)
            else:
                yield from ((series[tag], read.get(tag, [])) for tag in group)

    def read_blob_keys(
        self, scope: Scope, run: str, series: Mapping[str, _Key]
    ) -> dict[_Key, dict[int, tuple[str, ...]]]:
        """Return the keys of each capture's payloads, by the key of its series and its number.

        A series with a capture that declares more samples than allowed is left out. TensorBoard
        would create a key for each.

        Args:
            scope: TensorBoard's context.
            run: The run.
            series: A key for each series of payloads, by TensorBoard's tag.

        Raises:
            UnavailableError: TensorBoard's data server does not answer.
        """
        with _translated_errors():
            only = RunTagFilter(runs=[run], tags=list(series))
            listed = self._ask(self._provider.list_blob_sequences, scope, only).get(run, {})
            tags = [tag for tag, of in listed.items() if of.max_length <= MAX_RECORDS_A_CAPTURE]
            if not tags:
                return {}
            read = self._read(self._provider.read_blob_sequences, scope, run, tags)
        return {
            series[tag]: {
                datum.step: tuple(reference.blob_key for reference in datum.values)
                for datum in data
            }
            for tag, data in read.items()
        }

    def _read(
        self,
        read: Callable[..., Any],
        scope: Scope,
        run: str,
        tags: Iterable[str],
        downsample: int = ALL,
    ) -> dict[str, Any]:
        """Return series of one run, by tag, each with at most so many events.

        Only one thread reads at a time.

        TensorBoard needs many times the memory of what it returns, and the allocator keeps that
        memory for each thread that ever asked.
        """
        only = RunTagFilter(runs=[run], tags=list(tags))
        answer = self._reader.submit(self._ask, read, scope, only, downsample=downsample).result()
        series: dict[str, Any] = answer.get(run, {})
        return series

    def _ask(
        self, ask: Callable[..., Any], scope: Scope, only: RunTagFilter, **more: object
    ) -> dict[str, dict[str, Any]]:
        """Ask the provider for this plugin's data. Return its answer by run and tag."""
        answer = ask(
            scope.context,
            experiment_id=scope.experiment,
            plugin_name=PLUGIN_NAME,
            run_tag_filter=only,
            **more,
        )
        return answer or {}

    def read_payload(self, scope: Scope, location: PayloadLocation) -> tuple[int, bytes]:
        """Return ``(status, payload)``. The payload is empty unless the status is ``OK``.

        Raises:
            UnavailableError: TensorBoard's data server does not answer.
        """
        try:
            with _translated_errors():
                payload = self._provider.read_blob(scope.context, blob_key=location.blob_key)
        except errors.NotFoundError:
            return MISSING, b""
        except errors.InvalidArgumentError:
            return REFUSED, b""
        except UnavailableError:
            raise
        except Exception:  # a failed conversion: see the class
            return DAMAGED, b""
        try:
            check_payload(location.info, payload if isinstance(payload, bytes) else b"")
        except RecordError:
            return DAMAGED, b""
        return OK, payload


def _sessions_of(listed: Mapping[str, Any]) -> dict[str, dict[str, SessionState]]:
    """Return the sessions of one run by tag and name.

    Args:
        listed: What TensorBoard says of each series of this plugin in the run.
    """
    captures: dict[str, dict[str, dict[int, SeriesState]]] = {}
    statuses: dict[str, dict[str, SeriesState]] = {}
    for text, of in listed.items():
        name = split_series_tag(text)
        if name is None or name.kind == "payload":
            continue
        state = SeriesState(text, of.max_step, of.max_wall_time, bytes(of.plugin_content))
        if name.kind == "status":
            statuses.setdefault(name.tag, {})[name.session] = state
        else:
            blocks = captures.setdefault(name.tag, {}).setdefault(name.session, {})
            blocks[name.block] = state
    anywhere = {
        session: state for _, of in sorted(statuses.items()) for session, state in of.items()
    }
    found = {}
    for tag in sorted(captures.keys() | statuses.keys()):
        recorded, told = captures.get(tag, {}), statuses.get(tag, {})
        found[tag] = {
            session: SessionState(
                dict(sorted(recorded.get(session, {}).items())),
                told.get(session, anywhere.get(session)),
            )
            for session in recorded.keys() | told.keys()
        }
    return found


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    """Turn errors of TensorBoard's data server into errors with a message for the user.

    Raises:
        UnavailableError: The data server does not answer.
        TooLargeError: Its answer is longer than TensorBoard accepts.
    """
    try:
        yield
    except grpc.RpcError as error:
        if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise TooLargeError(
                "256 captures of one session (all of them, if an older version recorded it) have "
                "more than 256 MiB of records, the most that TensorBoard accepts from its data "
                "server; start TensorBoard with --load_fast=false, or use read_samples"
            ) from error
        reason = error.code().name if isinstance(error, grpc.Call) else type(error).__name__
        raise UnavailableError(
            f"TensorBoard's data server does not answer ({reason}); if this persists, restart "
            "TensorBoard"
        ) from error
