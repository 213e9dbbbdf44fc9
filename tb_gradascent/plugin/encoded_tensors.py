"""Find tensors in an answer of TensorBoard's data server without copying them.

The records of a long session are 200 MB. Protobuf's own parser copies all of them, and at first
only the newest are needed. The encoding is described at
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from tensorboard.compat.proto import tensor_pb2, types_pb2

from tb_gradascent.format.metadata import MAX_RECORDS_A_CAPTURE

Span: TypeAlias = tuple[int, int]
"""The first byte of a message, and the byte after its last."""

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_MAX_VARINT_BITS: Final = 64
_DTYPE_AND_SHAPE: Final = 4
"""How many bytes of a tensor come before its dimensions: its dtype, and the length of its shape."""
_TEXT: Final = tensor_pb2.TensorProto.STRING_VAL_FIELD_NUMBER << 3 | _LENGTH


def take_out(encoded: bytes, span: Span, field: int) -> tuple[bytes, list[Span]]:
    """Return a message without one of its fields, and where the values of that field are.

    Args:
        encoded: The message is a part of this.
        span: Where the message is.
        field: The number of a field that holds messages.

    Raises:
        ValueError: The message is damaged.
        IndexError: The message is cut off.
    """
    wanted = field << 3 | _LENGTH
    rest: list[bytes] = []
    found: list[Span] = []
    at, end = span
    while at < end:
        start = at
        key, at = _read_varint(encoded, at)
        kind = key & 7
        if kind == _LENGTH:
            size, at = _read_varint(encoded, at)
            if key == wanted:
                found.append((at, at + size))
            at += size
        elif kind == _VARINT:
            _, at = _read_varint(encoded, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field's wire type must be 0, 1, 2 or 5, got {kind}")
        if key != wanted:
            rest.append(encoded[start:at])
    if at != end:
        raise ValueError(f"the message must end at byte {end}, got {at}")
    return b"".join(rest), found


Parts: TypeAlias = tuple[bytes, int, int, int]
"""The arguments of :class:`Texts`. Python's garbage collector need not look at such a tuple."""


class Texts(Sequence[bytes]):
    """The texts of a tensor, which are copied only when they are read.

    Attributes:
        parts: The arguments. They keep the whole answer in memory.
        size: About how many bytes the texts have.
    """

    __slots__ = ("parts", "size")

    def __init__(self, encoded: bytes, first: int, end: int, count: int) -> None:
        """Take what :func:`find_texts` found.

        Args:
            encoded: The texts are a part of this.
            first: Where the first text starts.
            end: Where the last one ends.
            count: How many there are.
        """
        self.parts: Parts = (encoded, first, end, count)
        self.size = end - first

    def __len__(self) -> int:
        return self.parts[-1]

    def __getitem__(self, index: Any) -> Any:
        return [*self][index]

    def __iter__(self) -> Iterator[bytes]:
        encoded, at, end, _ = self.parts
        while at < end:
            size, at = _read_varint(encoded, at + 1)
            yield encoded[at : at + size]
            at += size


def find_texts(encoded: bytes, span: Span) -> Parts | None:
    """Find the texts of a tensor that is a vector of as many texts as it says.

    Args:
        encoded: The tensor is a part of this.
        span: Where the tensor is.

    Returns:
        The arguments of :class:`Texts`; ``None`` for any other tensor.

    Raises:
        ValueError: The tensor is damaged. Not every damage is noticed here.
        IndexError: The tensor is cut off.
    """
    start, end = span
    if end - start < _DTYPE_AND_SHAPE:
        return None
    at = first = start + _DTYPE_AND_SHAPE + encoded[start + _DTYPE_AND_SHAPE - 1]
    count = 0
    while at < end and encoded[at] == _TEXT:
        size = encoded[at + 1]
        if size < 0x80:
            at += 2 + size
        elif encoded[at + 2] < 0x80:  # nearly every record: this branch saves time
            at += 3 + (size & 0x7F | encoded[at + 2] << 7)
        else:
            size, at = _read_varint(encoded, at + 1)
            at += size
        count += 1
    if at != end or count > MAX_RECORDS_A_CAPTURE or encoded[start:first] != _head(count):
        return None
    return encoded, first, end, count


@lru_cache(maxsize=64)
def _head(count: int) -> bytes:
    """Return what comes before the texts in a vector of so many texts."""
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING)
    tensor.tensor_shape.dim.add(size=count)
    return bytes(tensor.SerializeToString())


def _read_varint(encoded: bytes, at: int) -> tuple[int, int]:
    """Return the number at ``at``, and where it ends."""
    byte = encoded[at]
    value = byte & 0x7F
    shift = 7
    while byte >= 0x80:
        if shift >= _MAX_VARINT_BITS:
            raise ValueError(f"a number must have at most {_MAX_VARINT_BITS} bits")
        at += 1
        byte = encoded[at]
        value |= (byte & 0x7F) << shift
        shift += 7
    return value, at + 1
