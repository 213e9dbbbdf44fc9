"""TensorBoard's data provider, in either of its loading modes, asked in the plugin's terms."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import grpc  # type: ignore[import-untyped]
from tensorboard import errors
from tensorboard.data.provider import DataProvider, RunTagFilter, TensorDatum

from tb_gradascent.format.metadata import (
    MAX_RECORDS_A_CAPTURE,
    PLUGIN_NAME,
    series_tag,
    split_series_tag,
)
from tb_gradascent.format.payload import check_payload
from tb_gradascent.format.record import PayloadInfo, RecordError
from tb_gradascent.plugin.errors import TooLargeError, UnavailableError

OK, MISSING, DAMAGED, LEFT_OUT, REFUSED = range(5)
"""What becomes of a payload that is asked for."""

_ALL: Final = 1_000_000_000
"""Points of a series to read: TensorBoard wants a number, and never holds as many."""
_SESSIONS_AT_ONCE: Final = 4096
"""Sessions that TensorBoard is asked for at a time, so that too many are noticed on the way."""
_PATIENCE: Final = 500
"""Reads that may fail, while sessions that can be read are told from those that cannot."""


class Scope(NamedTuple):
    """Whose data a request is about: TensorBoard's request context and experiment."""

    context: Any
    experiment: str


class SessionState(NamedTuple):
    """What tells whether TensorBoard has read more of a session, and what it says of it."""

    last_capture: int | None
    last_wall_time: float | None
    info: bytes


class Located(NamedTuple):
    """How to recognise a sample's payload, and where TensorBoard keeps it."""

    payload: PayloadInfo
    key: str


class Source:
    """TensorBoard's data provider, asked in the plugin's terms.

    The multiplexer of ``--load_fast=false`` hands over whatever an event file holds, and its
    conversions raise on what does not make sense: that is damage to one session, not a failure.
    """

    def __init__(self, data_provider: DataProvider) -> None:
        self._provider = data_provider
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="gradascent-reader")

    def list_series(
        self, scope: Scope, run: str | None = None
    ) -> dict[str, dict[str, dict[str, SessionState]]]:
        """Each session's state, by run, tag and session's name; of one run only, if given."""
        only = RunTagFilter(runs=None if run is None else [run])
        try:
            with _answering():
                listed = self._ask(self._provider.list_tensors, scope, only)
        except errors.NotFoundError:
            return {}
        found: dict[str, dict[str, dict[str, SessionState]]] = {}
        for name, series in listed.items():
            for text, of in series.items():
                parts = split_series_tag(text)
                if parts is not None and parts[1] == "index":
                    state = SessionState(of.max_step, of.max_wall_time, bytes(of.plugin_content))
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
        read = self._read(self._provider.read_tensors, scope, run, tags)
        return {session: read.get(text, []) for text, session in tags.items()}

    def read_blob_keys(
        self, scope: Scope, run: str, tag: str, session: str
    ) -> dict[int, tuple[str, ...]]:
        """The keys of each capture's payloads, by the capture's number.

        None where a capture declares more than it may have: TensorBoard makes a key for each.
        """
        text = series_tag(tag, "payload", session)
        with _answering():
            only = RunTagFilter(runs=[run], tags=[text])
            listed = self._ask(self._provider.list_blob_sequences, scope, only)
            series = listed.get(run, {}).get(text)
            if series is None or series.max_length > MAX_RECORDS_A_CAPTURE:
                return {}
            read = self._read(self._provider.read_blob_sequences, scope, run, [text])
        return {
            datum.step: tuple(reference.blob_key for reference in datum.values)
            for datum in read.get(text, [])
        }

    def _read(
        self, read: Callable[..., Any], scope: Scope, run: str, tags: Iterable[str]
    ) -> dict[str, Any]:
        """Whole series of one run, by tag, for one caller at a time.

        TensorBoard takes many times the memory of what it hands over, and each thread that asked
        would keep what the allocator has got for it.
        """
        only = RunTagFilter(runs=[run], tags=list(tags))
        answer = self._reader.submit(self._ask, read, scope, only, downsample=_ALL).result()
        series: dict[str, Any] = answer.get(run, {})
        return series

    def _ask(
        self, ask: Callable[..., Any], scope: Scope, only: RunTagFilter, **more: object
    ) -> dict[str, dict[str, Any]]:
        """What a method of the provider's answers of the plugin's own data, by run and tag."""
        answer = ask(
            scope.context,
            experiment_id=scope.experiment,
            plugin_name=PLUGIN_NAME,
            run_tag_filter=only,
            **more,
        )
        return answer or {}

    def read_payload(self, scope: Scope, located: Located) -> tuple[int, bytes]:
        """``(status, payload)``, the payload empty unless the status is 0."""
        try:
            with _answering():
                payload = self._provider.read_blob(scope.context, blob_key=located.key)
        except errors.NotFoundError:
            return MISSING, b""
        except errors.InvalidArgumentError:
            return REFUSED, b""
        except UnavailableError:
            raise
        except Exception:  # what does not convert: see the class
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
