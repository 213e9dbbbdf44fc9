"""Both of TensorBoard's data providers, read past their conversion to arrays."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING
from tensorboard.data import server_ingester
from tensorboard.data.provider import RunTagFilter
from tensorboard.util import grpc_util

from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.metadata import MAX_RECORDS_A_CAPTURE, series_tag
from tb_gradascent.plugin import tensor_reads
from tb_gradascent.plugin.tensor_reads import ALL, Datum, Read, read_tensors
from testing.sample_store import SCOPE
from testing.synthetic import DIGITS, make_event, string_tensor
from testing.tensorboard_process import wait_until

TAGS = [series_tag("confused", "index", session) for session in ("a", "b", "nowhere")]
CAPTURES = 5


def strings(values: list[bytes], *sizes: int) -> TensorProto:
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])
    return TensorProto(dtype=DT_STRING, string_val=values, tensor_shape=shape)


ODD = {
    "one of many": strings([b"a"], 3),
    "a number without a dimension": strings([b"a"]),
    "two dimensions": strings([b"a", b"b", b"c", b"d"], 2, 2),
    "nothing": strings([], 0),
    "too many": strings([b"a"], MAX_RECORDS_A_CAPTURE + 1),
    "numbers": TensorProto(
        dtype=DT_FLOAT,
        float_val=[1, 2],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=2)]),
    ),
}


def write(logdir: Path, tensors: list[TensorProto]) -> None:
    """Two sessions: one of ordinary captures, and one of these tensors."""
    for session in ("a", "b"):
        file = EventFile(logdir / "run" / file_name(session))
        given = tensors if session == "b" else [string_tensor([b"x", b"y"])] * CAPTURES
        for number, tensor in enumerate(given):
            encoded = [(b"record %d" % number, b"payload")] * 2
            event = make_event("confused", session, number, encoded, DIGITS, 1000.0 + number)
            if session == "b":
                event.summary.value[1].tensor.CopyFrom(tensor)
            file.append(event)
        file.close()


@contextlib.contextmanager
def slow(logdir: Path) -> Iterator[Any]:
    multiplexer = EventMultiplexer(tensor_size_guidance={"gradascent": 0})
    multiplexer.AddRunsFromDirectory(str(logdir))
    multiplexer.Reload()
    yield MultiplexerDataProvider(multiplexer, str(logdir))


@contextlib.contextmanager
def fast(logdir: Path) -> Iterator[Any]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(*args, **kwargs))
        return started[-1]

    ingester = server_ingester.SubprocessServerDataIngester(
        server_binary=server_ingester.get_server_binary(),
        logdir=str(logdir),
        reload_interval=1,
        channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
        samples_per_plugin={"gradascent": 0},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_ingester, "subprocess", SimpleNamespace(Popen=start, PIPE=-1))
        ours = SimpleNamespace(TemporaryDirectory=lambda **_: SimpleNamespace(name=str(logdir)))
        patch.setattr(server_ingester, "tempfile", ours)
        ingester.start()
    provider = ingester.data_provider

    def is_loaded() -> bool:
        tags = read(provider).get("run", {})
        return len(tags.get(TAGS[0], ())) == CAPTURES and len(tags.get(TAGS[1], ())) == len(ODD)

    try:
        wait_until(is_loaded)
        yield provider
    finally:
        (server,) = started
        assert server.stdin is not None
        server.stdin.close()  # the data server then ends
        server.wait()


def read(provider: Any, downsample: int = ALL, tags: list[str] | None = None) -> Read:
    found = read_tensors(
        provider,
        SCOPE.context,
        experiment_id="",
        plugin_name="gradascent",
        run_tag_filter=RunTagFilter(runs=["run"], tags=tags or TAGS),
        downsample=downsample,
    )
    return {
        run: {
            tag: [Datum(datum.step, datum.wall_time, [*datum.values]) for datum in data]
            for tag, data in tags.items()
        }
        for run, tags in found.items()
    }


@pytest.fixture
def publicly(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Read]:
    """Reads by the documented method alone."""

    def ask(provider: Any, *args: Any) -> Read:
        with monkeypatch.context() as patch:
            patch.setattr(tensor_reads, "_DIRECT", {})
            return read(provider, *args)

    return ask


@pytest.fixture(params=[slow, pytest.param(fast, marks=pytest.mark.process)])
def provider(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    write(tmp_path, list(ODD.values()))
    with request.param(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("downsample", [ALL, 1])
def test_the_values_are_those_of_the_documented_method(
    provider: Any, publicly: Callable[..., Read], downsample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = publicly(provider, downsample)
    assert len(expected["run"][TAGS[0]]) == (CAPTURES if downsample == ALL else 1)

    def fails(*_: Any, **__: Any) -> None:
        raise AssertionError("it was asked")

    monkeypatch.setattr(provider, "read_tensors", fails)
    found = read(provider, downsample)
    assert found == expected
    for data in found["run"].values():
        for datum in data:
            assert all(type(value) in (bytes, float, type(None)) for value in datum.values)
    if downsample == ALL:
        told = dict(zip(ODD, (datum.values for datum in found["run"][TAGS[1]]), strict=True))
        assert told["one of many"] == [b"a"] * 3
        assert told["too many"] == [None]


def test_what_is_not_loaded_is_left_out(provider: Any, publicly: Callable[..., Read]) -> None:
    assert read(provider, ALL, TAGS[2:]).get("run", {}) == {}
    assert publicly(provider, ALL, TAGS[2:]).get("run", {}) == {}


@pytest.mark.parametrize("lost", ["_multiplexer", "_stub"])
def test_without_the_private_attribute_the_documented_method_is_asked(lost: str) -> None:
    asked: list[dict[str, Any]] = []

    class Other:
        def read_tensors(self, context: Any, **given: Any) -> Any:
            asked.append(given)

    Other.__name__, Other.__module__ = {
        "_multiplexer": (
            "MultiplexerDataProvider",
            "tensorboard.backend.event_processing.data_provider",
        ),
        "_stub": ("GrpcDataProvider", "tensorboard.data.grpc_provider"),
    }[lost]
    assert read(Other()) == {}
    assert [given["downsample"] for given in asked] == [ALL]


def test_nonsense_raises_what_the_documented_method_raises(
    tmp_path: Path, publicly: Callable[..., Read]
) -> None:
    write(tmp_path, [TensorProto(dtype=99)])
    with slow(tmp_path) as provider:
        with pytest.raises(TypeError) as expected:
            publicly(provider, 1, TAGS[1:2])
        with pytest.raises(TypeError) as found:
            read(provider, 1, TAGS[1:2])
    assert str(found.value) == str(expected.value)


class Refusal(grpc.RpcError, grpc.Call):  # type: ignore[misc]  # not typed
    """An error of the data server."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code


Refusal.__abstractmethods__ = frozenset()


@pytest.mark.parametrize(
    ("code", "asks_again"),
    [
        (grpc.StatusCode.UNAVAILABLE, False),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, False),
        (grpc.StatusCode.NOT_FOUND, True),
    ],
)
def test_a_data_server_that_does_not_answer_is_not_asked_twice(
    code: grpc.StatusCode, asks_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Read:
        raise Refusal(code)

    class Provider:
        def read_tensors(self, *_: Any, **__: Any) -> None:
            raise LookupError("the documented method")

    name = f"{Provider.__module__}.{Provider.__name__}"
    monkeypatch.setattr(tensor_reads, "_DIRECT", {name: refuse})
    with pytest.raises(LookupError if asks_again else grpc.RpcError):
        read(Provider())
