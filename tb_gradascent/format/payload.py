"""The arrays of a sample as bytes.

A payload is a zlib stream of three parts:

1. The image or signal, exact to the bit: see ``image_codec``.
2. A quantum for each further array, as a little-endian float32. The arrays come target by target:
   the gradient, and then the delta of each morph.
3. The levels of each of these arrays, in the same order: see ``quantization``. They are folded to
   uint16, so that small magnitudes become small numbers: 0, -1, 1, -2, … become 0, 1, 2, 3, ….
   All low bytes come first, then all high bytes. Folding and splitting save an eighth of a
   gradient's bytes and a fifth of a delta's.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Final

import google_crc32c
import numpy as np
import numpy.typing as npt

from tb_gradascent.format import image_codec
from tb_gradascent.format.quantization import dequantize, quantize
from tb_gradascent.format.record import (
    Codec,
    PayloadInfo,
    PayloadRecord,
    Record,
    RecordError,
    TargetRecord,
)
from tb_gradascent.format.samples import Array

IMAGE_CODECS: Final[tuple[Codec, ...]] = ("palette",)
ARRAY_CODECS: Final[tuple[Codec, ...]] = ("levels",)


def pack_payload(image: Array, arrays: Sequence[tuple[Array, int]]) -> tuple[bytes, PayloadRecord]:
    """Pack an image and ``(array, number of levels)`` of each further array.

    Return the payload, and what the record says of it.
    """
    quanta, planes = [], []
    for array, levels in arrays:
        quantum, level = quantize(array, levels)
        quanta.append(quantum)
        planes.append(_fold(level).reshape(-1, 1).view(np.uint8).T.tobytes())
    head = np.array(quanta, "<f4").tobytes()
    payload = zlib.compress(b"".join((image_codec.encode_image(image), head, *planes)))
    codecs = [*IMAGE_CODECS[:1], *ARRAY_CODECS[:1] * len(arrays)]
    return payload, {**payload_info(payload), "codecs": codecs}


def payload_info(payload: bytes) -> PayloadInfo:
    """Return the length and the checksum of a payload."""
    return {"bytes": len(payload), "crc32c": google_crc32c.value(payload)}


def check_payload(info: PayloadInfo, payload: bytes) -> None:
    """Check that a payload is the one that was written with a record.

    Raises:
        RecordError: The length or the checksum does not match.
    """
    if len(payload) != info["bytes"] or google_crc32c.value(payload) != info["crc32c"]:
        raise RecordError("the payload was damaged: its checksum does not match its record")


def largest_payload(record: Record) -> int:
    """Return the most bytes that a record's payload can inflate to."""
    return image_codec.largest_size(tuple(record["shape"])) + _levels_size(record)


def unpack_payload(record: Record, payload: bytes) -> list[Array]:
    """Return the image, and then for each target its gradient and the delta of each morph.

    Each array has the record's shape.

    Raises:
        RecordError: The payload was damaged, or it inflates to another size than the record's
            shape and targets take.
    """
    check_payload(record["payload"], payload)
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(payload, largest_payload(record))
    except zlib.error as error:
        raise RecordError(f"the payload cannot be inflated: {error}") from None
    try:
        image, start = image_codec.decode_image(data, tuple(record["shape"]))
    except ValueError as error:
        raise RecordError(f"the payload cannot be read: {error}") from None
    if len(data) - start != _levels_size(record) or not inflate.eof:
        raise RecordError("the payload must inflate to the bytes that its record's shape takes")
    count, elements = count_arrays(record["targets"]), math.prod(record["shape"])
    quanta = np.frombuffer(data, "<f4", count, start)
    planes = np.frombuffer(data, np.uint8, offset=start + 4 * count).reshape(count, 2, elements)
    levels = _unfold(np.ascontiguousarray(planes.transpose(0, 2, 1)).view("<u2"))
    return [
        image,
        *(
            dequantize(quantum, level.reshape(record["shape"]))
            for quantum, level in zip(quanta, levels, strict=True)
        ),
    ]


def count_arrays(targets: Sequence[TargetRecord]) -> int:
    """Return the number of arrays beside the image."""
    return sum(1 + len(target["morphs"]) for target in targets)


def _levels_size(record: Record) -> int:
    return count_arrays(record["targets"]) * (4 + 2 * math.prod(record["shape"]))


def _fold(level: npt.NDArray[np.int16]) -> npt.NDArray[np.uint16]:
    """Map the levels 0, -1, 1, -2, … to 0, 1, 2, 3, …."""
    return ((level << 1) ^ (level >> 15)).astype("<u2")


def _unfold(folded: npt.NDArray[np.uint16]) -> npt.NDArray[np.int16]:
    """Invert :func:`_fold`."""
    sign: npt.NDArray[np.int16] = -(folded & 1).astype("<i2")
    return (folded >> 1).astype("<i2") ^ sign
