"""Read TensorBoard's tensors without making an array of each, which takes most of its time.

The texts that the fast loader's data server sends are not even copied: see ``encoded_tensors``.

Both of TensorBoard's data providers are read through attributes that are not public. If these are
missing or fail, the documented ``read_tensors`` is asked. It gives the same values.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import grpc  # type: ignore[import-untyped]
import numpy as np
from tensorboard.compat.proto import tensor_pb2, types_pb2
from tensorboard.data.provider import DataProvider, RunTagFilter
from tensorboard.util import tensor_util

from tb_gradascent.format.metadata import MAX_RECORDS_A_CAPTURE
from tb_gradascent.plugin.encoded_tensors import Parts, Span, Texts, find_texts, take_out

ALL: Final = 1_000_000_000
"""How many points of a series to read. TensorBoard requires a number and never holds as many."""


class Datum(NamedTuple):
    """One point of a series.

    Attributes:
        step: The event's step.
        wall_time: Seconds since the epoch.
        values: The tensor's elements. Too many elements count as one unreadable element.
    """

    step: int
    wall_time: float
    values: Sequence[object]


Read = dict[str, dict[str, Sequence[Datum]]]
"""Points by run and tag."""


def read_tensors(
    provider: DataProvider, context: Any, *, run_tag_filter: RunTagFilter, **more: Any
) -> Read:
    """Read series of tensors, as ``DataProvider.read_tensors`` does.

    Args:
        provider: TensorBoard's.
        context: TensorBoard's request context.
        run_tag_filter: The runs and the tags.
        more: ``experiment_id``, ``plugin_name`` and ``downsample``, which is 1 or :data:`ALL`.

    Raises:
        grpc.RpcError: TensorBoard's data server does not answer, or the answer is too long.
    """
    kind = type(provider)
    read = _DIRECT.get(f"{kind.__module__}.{kind.__name__}")
    try:
        if read is not None:
            return read(provider, run_tag_filter=run_tag_filter, **more)
    except grpc.RpcError as error:
        if not isinstance(error, grpc.Call) or error.code() not in _REFUSALS:
            raise
    except Exception:  # noqa: S110  # another version of TensorBoard, or a tensor of nonsense
        pass
    answer = provider.read_tensors(context, run_tag_filter=run_tag_filter, **more) or {}
    return {
        run: {
            tag: [Datum(datum.step, datum.wall_time, _elements(datum.numpy)) for datum in data]
            for tag, data in tags.items()
        }
        for run, tags in answer.items()
    }


#: What the data server may answer to a request that TensorBoard itself then explains.
_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)


def _from_data_server(
    provider: Any,
    *,
    experiment_id: str,
    plugin_name: str,
    run_tag_filter: RunTagFilter,
    downsample: int,
) -> Read:
    """Ask the data server of the fast loader."""
    from tensorboard.data.proto import data_provider_pb2

    request = data_provider_pb2.ReadTensorsRequest()
    request.experiment_id = experiment_id
    request.plugin_filter.plugin_name = plugin_name
    request.run_tag_filter.runs.names[:] = _named(run_tag_filter.runs)
    request.run_tag_filter.tags.names[:] = _named(run_tag_filter.tags)
    request.downsample.num_points = downsample
    ask = copy.copy(provider._stub.ReadTensors)
    ask._response_deserializer = None  # the answer is then its bytes
    return _parse_answer(ask(request))


def _parse_answer(answer: bytes) -> Read:
    """Return the points in an encoded ``ReadTensorsResponse``.

    Each series keeps its own part of the answer in memory until all of its texts have been read.
    """
    from tensorboard.data.proto import data_provider_pb2

    response = data_provider_pb2.ReadTensorsResponse
    run_entry, tag_entry = response.RunEntry, response.TagEntry
    read: Read = {}
    encoded, runs = take_out(answer, (0, len(answer)), response.RUNS_FIELD_NUMBER)
    response.FromString(encoded)  # raises an error if it is damaged
    for run in runs:
        encoded, tags = take_out(answer, run, run_entry.TAGS_FIELD_NUMBER)
        series = read.setdefault(run_entry.FromString(encoded).run_name, {})
        for tag in tags:
            encoded, data = take_out(answer, tag, tag_entry.DATA_FIELD_NUMBER)
            ((start, end),) = data
            whole = len(runs) == len(tags) == 1
            points = (answer, (start, end)) if whole else (answer[start:end], (0, end - start))
            series[tag_entry.FromString(encoded).tag_name] = _EncodedSeries(*points)
    return read


class _EncodedSeries(Sequence[Datum]):
    """The points of a series, each made when it is asked for.

    So many objects at once would make Python's garbage collector look through all of TensorBoard's.
    """

    def __init__(self, answer: bytes, span: Span) -> None:
        """Find the points in an encoded ``TensorData``, which is a part of an answer."""
        from tensorboard.data.proto import data_provider_pb2

        kind = data_provider_pb2.TensorData
        encoded, tensors = take_out(answer, span, kind.VALUE_FIELD_NUMBER)
        data = kind.FromString(encoded)
        if not len(data.step) == len(data.wall_time) == len(tensors):
            raise ValueError("a series must have as many steps and times as tensors")
        self._steps = [*data.step]
        self._wall_times = [*data.wall_time]
        self._values: list[Parts | list[object]] = [
            find_texts(answer, tensor)
            or _values(tensor_pb2.TensorProto.FromString(answer[slice(*tensor)]))
            for tensor in tensors
        ]

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, index: Any) -> Any:
        return _datum(self._steps[index], self._wall_times[index], self._values[index])

    def __iter__(self) -> Iterator[Datum]:
        return map(_datum, self._steps, self._wall_times, self._values)


def _datum(step: int, wall_time: float, values: Parts | list[object]) -> Datum:
    return Datum(step, wall_time, Texts(*values) if isinstance(values, tuple) else values)


def _from_multiplexer(
    provider: Any, *, run_tag_filter: RunTagFilter, downsample: int, **_: str
) -> Read:
    """Look into the memory of the slow loader."""
    if downsample not in (1, ALL):
        raise ValueError(f"downsample must be 1 or ALL, got {downsample}")
    multiplexer = provider._multiplexer
    found: Read = {}
    for run in _named(run_tag_filter.runs):
        for tag in _named(run_tag_filter.tags):
            try:
                events = multiplexer.Tensors(run, tag)
            except KeyError:  # TensorBoard has not loaded this series
                continue
            found.setdefault(run, {})[tag] = [
                Datum(event.step, event.wall_time, _values(event.tensor_proto))
                for event in (events if downsample == ALL else events[-1:])
            ]
    return found


_DIRECT: Final[dict[str, Callable[..., Read]]] = {
    "tensorboard.data.grpc_provider.GrpcDataProvider": _from_data_server,
    "tensorboard.backend.event_processing.data_provider.MultiplexerDataProvider": _from_multiplexer,
}


def _named(names: Iterable[str] | None) -> list[str]:
    if names is None:
        raise ValueError("runs and tags must be named, got None")
    return sorted(names)


def _values(tensor: Any) -> list[object]:
    """Return a tensor's elements. A vector of as many texts as it says needs no conversion."""
    texts, dimensions = tensor.string_val, tensor.tensor_shape.dim
    if (
        len(dimensions) == 1
        and dimensions[0].size == len(texts) <= MAX_RECORDS_A_CAPTURE
        and tensor.dtype == types_pb2.DT_STRING
        and not tensor.tensor_content
    ):
        return list(texts)
    return _elements(tensor_util.make_ndarray(tensor))


def _elements(array: Any) -> list[object]:
    """Return an array's elements.

    The shape of a hostile tensor can repeat one value any number of times.
    """
    stored = np.asarray(array)
    return [*stored.reshape(-1).tolist()] if stored.size <= MAX_RECORDS_A_CAPTURE else [None]
