"""Read TensorBoard's tensors without making an array of each, which takes most of its time.

Both of TensorBoard's data providers are read through attributes that are not public. If these are
missing or fail, the documented ``read_tensors`` is asked. It gives the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import grpc  # type: ignore[import-untyped]
import numpy as np
from tensorboard.compat.proto import types_pb2
from tensorboard.data.provider import DataProvider, RunTagFilter
from tensorboard.util import tensor_util

from tb_gradascent.format.metadata import MAX_RECORDS_A_CAPTURE

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


Read = dict[str, dict[str, list[Datum]]]
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
    answer = provider._stub.ReadTensors(request)
    return {
        run.run_name: {
            tag.tag_name: [
                Datum(step, wall_time, _values(tensor))
                for step, wall_time, tensor in zip(
                    tag.data.step, tag.data.wall_time, tag.data.value, strict=True
                )
            ]
            for tag in run.tags
        }
        for run in answer.runs
    }


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


def _values(tensor: Any) -> Sequence[object]:
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


def _elements(array: Any) -> Sequence[object]:
    """Return an array's elements.

    The shape of a hostile tensor can repeat one value any number of times.
    """
    stored = np.asarray(array)
    return stored.reshape(-1).tolist() if stored.size <= MAX_RECORDS_A_CAPTURE else [None]
