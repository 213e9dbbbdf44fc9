"""The arrays of a sample as bytes.

A payload is a zlib stream of three sections:

1. The image or signal, exact to the bit: see ``image_codec``.
2. A quantum for each further array, as a little-endian float32. The arrays come target by target:
   the gradient, and then the delta of each morph.
3. Each of these arrays, in the same order, as 16-bit integers: see ``folding``. The array's codec
   says how to read them:

   - ``levels``: its levels, see ``quantization``. Records of version 1 have only these.
   - ``coarse_levels``: the same, of a large gradient with fewer levels.
   - ``predicted_levels``: the residuals of its levels, see ``prediction``. They take a third to a
     half of the bytes if the array is smooth, as the delta of a visible morph is.

A training that may not keep its images has empty payloads. Then the codec of every array is
``not_stored``.
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
from tb_gradascent.format.folding import about_deflated, fold, unfold
from tb_gradascent.format.prediction import can_predict, residuals_of, restore
from tb_gradascent.format.quantization import (
    DELTA_LEVELS,
    GRADIENT_LEVELS,
    dequantize,
    gradient_levels,
    quantize,
)
from tb_gradascent.format.record import (
    Codec,
    PayloadInfo,
    PayloadRecord,
    Record,
    RecordError,
    TargetRecord,
)
from tb_gradascent.format.samples import Array, Target

ARRAY_CODECS: Final[tuple[Codec, ...]] = ("levels", "coarse_levels", "predicted_levels")
PREDICTED: Final[tuple[Codec, ...]] = ("predicted_palette", "predicted_levels")
"""The codecs that only an image may have whose sides are not too large."""

_INT16: Final = np.iinfo(np.int16)
_SEARCHED: Final = 1 << 18
"""The most bytes of a sample that are searched for repeated ones."""


def pack_payload(
    image: Array, targets: Sequence[Target], *, stored: bool
) -> tuple[bytes, PayloadRecord]:
    """Pack an image and its targets' arrays.

    Return the payload, and what the record says of it. Nothing is packed unless ``stored``.
    """
    if not stored:
        count = 1 + sum(1 + len(target.morphs) for target in targets)
        return b"", {**payload_info(b""), "codecs": ["not_stored"] * count}
    pixels, image_as = image_codec.encode_image(image)
    codecs, quanta, bodies = [image_as], [], []
    for target in targets:
        count = gradient_levels(target.gradient)
        as_levels: Codec = "levels" if count == GRADIENT_LEVELS else "coarse_levels"
        arrays = [(target.gradient, count, as_levels)]
        arrays += [(morph.delta, DELTA_LEVELS, "levels") for morph in target.morphs.values()]
        for array, levels, codec in arrays:
            quantum, level = quantize(array, levels)
            quanta.append(quantum)
            body, stored_as = _encode_levels(level, codec)
            bodies.append(body)
            codecs.append(stored_as)
    planes = [body[at : at + image.size] for body in bodies for at in (0, image.size)]
    payload = _deflate([pixels + np.array(quanta, "<f4").tobytes(), *planes])
    return payload, {**payload_info(payload), "codecs": codecs}


def _encode_levels(level: npt.NDArray[np.int16], codec: Codec) -> tuple[bytes, Codec]:
    """Return the levels as bytes, and their codec: ``codec``, or that which takes fewer bytes."""
    plain = fold(level)
    if codec == "levels" and can_predict(level.shape):
        residuals = residuals_of(level.astype(np.int32))
        if _INT16.min <= residuals.min() and residuals.max() <= _INT16.max:
            predicted = fold(residuals.astype(np.int16))
            if about_deflated(predicted) < about_deflated(plain):
                return predicted, "predicted_levels"
    return plain, codec


def _deflate(pieces: Sequence[bytes]) -> bytes:
    """Return a zlib stream of all pieces: the shorter of two, if the pieces are small.

    If the data is like noise, a search for repeated bytes finds only short and rare ones, and they
    take more bytes than they save. Large samples are mostly noise, and the search takes six times
    as long as the rest of deflating. Each piece starts a block, because a block has one code for
    all its bytes. This saves 6 % of a digit's bytes.
    """
    streams = []
    small = sum(map(len, pieces)) <= _SEARCHED
    for strategy in (zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY)[: 1 + small]:
        deflate = zlib.compressobj(strategy=strategy)
        blocks = [deflate.compress(piece) + deflate.flush(zlib.Z_BLOCK) for piece in pieces]
        streams.append(b"".join((*blocks, deflate.flush())))
    return min(streams, key=len)


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
    image_as = record["payload"]["codecs"][0]
    if image_as == "not_stored":
        return 0
    return image_codec.largest_size(tuple(record["shape"]), image_as) + _levels_size(record)


def unpack_payload(record: Record, payload: bytes) -> list[Array]:
    """Return the image, and then for each target its gradient and the delta of each morph.

    Each array has the record's shape. Arrays that are not stored are NaN.

    Raises:
        RecordError: The payload was damaged, or it inflates to another size than the record's
            shape and targets take.
    """
    check_payload(record["payload"], payload)
    if record["payload"]["codecs"][0] == "not_stored":
        shape = tuple(record["shape"])
        return [np.full(shape, np.nan, np.float32) for _ in record["payload"]["codecs"]]
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(payload, largest_payload(record))
    except zlib.error as error:
        raise RecordError(f"the payload cannot be inflated: {error}") from None
    shape = tuple(record["shape"])
    image_as, *codecs = record["payload"]["codecs"]
    try:
        image, start = image_codec.decode_image(data, shape, image_as)
    except ValueError as error:
        raise RecordError(f"the payload cannot be read: {error}") from None
    if len(data) - start != _levels_size(record) or not inflate.eof:
        raise RecordError("the payload must inflate to the bytes that its record's shape takes")
    quanta = np.frombuffer(data, "<f4", len(codecs), start)
    start += quanta.nbytes
    size = 2 * math.prod(shape)
    arrays = [image]
    for quantum, codec in zip(quanta, codecs, strict=True):
        level = unfold(data[start : start + size]).reshape(shape)
        start += size
        if codec in PREDICTED:
            restored = restore(level.astype(np.int32))
            if not (_INT16.min <= restored.min() and restored.max() <= _INT16.max):
                raise RecordError("the payload cannot be read: a level is out of range")
            level = restored.astype(np.int16)
        arrays.append(dequantize(quantum, level))
    return arrays


def count_arrays(targets: Sequence[TargetRecord]) -> int:
    """Return the number of arrays beside the image."""
    return sum(1 + len(target["morphs"]) for target in targets)


def _levels_size(record: Record) -> int:
    return count_arrays(record["targets"]) * (4 + 2 * math.prod(record["shape"]))
