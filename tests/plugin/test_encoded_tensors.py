"""Tensors in an encoded answer of the data server, against Protobuf's own parser."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING
from tensorboard.data.proto.data_provider_pb2 import ReadTensorsResponse
from tensorboard.util import tensor_util

from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.plugin import tensor_reads
from tb_gradascent.plugin.captures import Captures
from tb_gradascent.plugin.encoded_tensors import Texts
from tb_gradascent.plugin.tensor_reads import Datum
from testing.synthetic import make_captures, string_tensor

Points = dict[tuple[str, str], list[tuple[int, float, list[object]]]]


def strings(values: list[bytes], *sizes: int, **more: Any) -> TensorProto:
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])
    return TensorProto(dtype=DT_STRING, string_val=values, tensor_shape=shape, **more)


ORDINARY = [
    string_tensor([]),
    string_tensor([b"", b"B", b"BB"]),
    string_tensor([b"x" * size for size in (127, 128, 16_383, 16_384, 70_000)]),
    string_tensor([b"y"] * 300),
]
ODD = [
    strings([b"a"], 3),
    strings([b"a"]),
    strings([b"a", b"b", b"c", b"d"], 2, 2),
    strings([b"a", b"b"], 2, version_number=1),
    TensorProto(
        dtype=DT_FLOAT,
        float_val=[1, 2],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=2)]),
    ),
]
NONSENSE = [TensorProto(dtype=99), strings([b"a", b"b"], 3), strings([b"a", b"b"], 1)]


def encode(*sessions: Sequence[TensorProto], runs: int = 1) -> bytes:
    """Each session is a tag of each run."""
    answer = ReadTensorsResponse()
    for run in range(runs):
        entry = answer.runs.add(run_name=f"run {run}")
        for number, tensors in enumerate(sessions):
            tag = entry.tags.add(tag_name=f"tag {number}")
            tag.data.SetInParent()
            for step, tensor in enumerate(tensors):
                tag.data.step.append(step * 1000)
                tag.data.wall_time.append(1e9 + step)
                tag.data.value.append(tensor)
    return bytes(answer.SerializeToString())


def ours(answer: bytes) -> Points:
    return {
        (run, tag): [(datum.step, datum.wall_time, [*datum.values]) for datum in data]
        for run, tags in tensor_reads._parse_answer(answer).items()
        for tag, data in tags.items()
    }


def protobufs(answer: bytes) -> Points:
    """The points as Protobuf and TensorBoard read them."""
    return {
        (run.run_name, tag.tag_name): [
            (step, wall_time, tensor_util.make_ndarray(tensor).reshape(-1).tolist())
            for step, wall_time, tensor in zip(
                tag.data.step, tag.data.wall_time, tag.data.value, strict=True
            )
        ]
        for run in ReadTensorsResponse.FromString(answer).runs
        for tag in run.tags
    }


@pytest.mark.parametrize(
    "answer",
    [
        encode(),
        encode([]),
        encode(ORDINARY),
        encode(ORDINARY + ODD + ORDINARY),
        encode(ODD, [], ORDINARY),
        encode(ORDINARY, ODD, runs=2),
    ],
)
def test_the_points_are_those_that_protobuf_reads(answer: bytes) -> None:
    assert ours(answer) == protobufs(answer)


@pytest.mark.parametrize("tensor", NONSENSE)
def test_nonsense_among_good_tensors_raises_as_tensorboard_does(tensor: TensorProto) -> None:
    answer = encode([*ORDINARY, tensor])
    with pytest.raises((TypeError, ValueError)) as expected:
        protobufs(answer)
    with pytest.raises(expected.type):
        ours(answer)


def test_damage_never_gives_other_points() -> None:
    """What Protobuf refuses after a byte changed is refused. The rest reads as Protobuf reads."""
    answer = encode([string_tensor([b"BB", b"x" * 130]), *ODD[:1]], [string_tensor([b"y"])])
    damaged = [answer[:size] for size in range(len(answer))]
    for position in range(len(answer)):
        for bit in range(8):
            changed = bytearray(answer)
            changed[position] ^= 1 << bit
            damaged.append(bytes(changed))
    refused = 0
    for case in damaged:
        try:
            found = ours(case)
        except Exception:  # noqa: PERF203  # each case may be refused
            refused += 1
        else:
            assert found == protobufs(case)
    assert 0 < refused < len(damaged)


def test_a_number_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 64 bits"):
        ours(b"\xff" * 1000)


def test_texts_are_a_sequence() -> None:
    ((datum,),) = tensor_reads._parse_answer(encode([string_tensor([b"a", b"bc"])]))[
        "run 0"
    ].values()
    assert isinstance(datum.values, Texts)
    assert len(datum.values) == 2
    assert datum.values[0] == b"a"
    assert datum.values[-1] == b"bc"


def captures(count: int) -> list[TensorProto]:
    return [
        string_tensor([encode_sample(sample)[0] for sample in samples])
        for samples in make_captures(count, 2, shape=(1, 4, 4))
    ]


def read(answer: bytes, known: Captures | None = None) -> Captures:
    (data,) = tensor_reads._parse_answer(answer)["run 0"].values()
    return Captures(data, known)


def test_an_answer_is_kept_until_its_captures_are_read() -> None:
    answer = encode(captures(4))
    unused = sys.getrefcount(answer)
    stored = read(answer)
    assert sys.getrefcount(answer) > unused
    for number in stored.numbers:
        assert stored.read(number).unreadable == 0
    assert sys.getrefcount(answer) == unused
    assert [stored.count_records(number) for number in stored.numbers] == [2] * 4


def test_a_grown_block_does_not_keep_the_whole_new_answer() -> None:
    tensors = captures(5)
    known = read(encode(tensors[:-2]))
    answer = encode(tensors)
    unused = sys.getrefcount(answer)
    assert len(read(answer, known).numbers) == 5
    assert sys.getrefcount(answer) == unused


def test_sizes_count_the_texts() -> None:
    texts = [b"x" * 1000, b"y" * 50_000]
    (data,) = tensor_reads._parse_answer(encode([string_tensor(texts)]))["run 0"].values()
    lazy, plain = Captures(data), Captures([Datum(0, 1e9, texts)])
    assert plain.size < lazy.size < plain.size + 10
    assert lazy.read(0) == plain.read(0)
    assert lazy.size == plain.size
