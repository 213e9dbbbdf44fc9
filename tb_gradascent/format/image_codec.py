"""An image or a signal, exact to the bit, in few bytes.

Inputs are stored without any loss: to round one by a thousandth already changes its gradient by
more than a thousandth in every third digit of MNIST, since a rounded pixel wins a max pooling that
it had tied. They stay small because most come from 8 bits a channel, and hold few different values.
A signal's value counts as a pixel. For each channel:

1. a little-endian uint16, how many entries its palette has: 0 for none, else up to 256;
2. with a palette: its entries, float32 as four planes of bytes (all lowest bytes first), and then a
   byte a pixel, its place in the palette; without one: the pixels, float32 as four planes of bytes.
"""

from __future__ import annotations

import math
import struct
from typing import Final

import numpy as np
import numpy.typing as npt

from tb_gradascent.format.samples import Array

_COUNT: Final = struct.Struct("<H")
_LARGEST: Final = 256


def encode_image(image: Array) -> bytes:
    """An image (channels, height, width) or a signal (channels, length) as bytes."""
    parts = []
    for channel in np.ascontiguousarray(image, "<f4"):
        # By their bits: NaN and both zeros are values like any other.
        entries, places = np.unique(channel.view("<u4"), return_inverse=True)
        if len(entries) <= _LARGEST:
            parts += [_COUNT.pack(len(entries)), _planes(entries), places.astype("u1").tobytes()]
        else:
            parts += [_COUNT.pack(0), _planes(channel.reshape(-1).view("<u4"))]
    return b"".join(parts)


def decode_image(data: bytes, shape: tuple[int, ...]) -> tuple[Array, int]:
    """The inverse of :func:`encode_image`: the image, and how many bytes of ``data`` it took.

    Raises:
        ValueError: ``data`` is too short, or refers to palette entries that are not there.
    """
    channels, pixels = shape[0], math.prod(shape[1:])
    image = np.empty((channels, pixels), "<u4")
    start = 0
    for channel in image:
        if len(data) < start + _COUNT.size:
            raise ValueError("the image ends early")
        (count,) = _COUNT.unpack_from(data, start)
        start += _COUNT.size
        entries = _from_planes(data, start, count or pixels)
        start += 4 * len(entries)
        if not count:
            channel[:] = entries
            continue
        places = np.frombuffer(data[start : start + pixels], "u1")
        start += pixels
        if len(places) < pixels or count > _LARGEST or places.max() >= count:
            raise ValueError("the image refers to palette entries that it does not have")
        channel[:] = entries[places]
    return image.view("<f4").astype(np.float32, copy=False).reshape(shape), start


def largest_size(shape: tuple[int, ...]) -> int:
    """The most bytes that :func:`encode_image` can make of an image."""
    channels, pixels = shape[0], math.prod(shape[1:])
    return channels * (_COUNT.size + max(4 * pixels, 4 * _LARGEST + pixels))


def _planes(values: npt.NDArray[np.uint32]) -> bytes:
    planes: npt.NDArray[np.uint8] = values.astype("<u4").reshape(-1, 1).view("u1").T
    return planes.tobytes()


def _from_planes(data: bytes, start: int, count: int) -> npt.NDArray[np.uint32]:
    planes = np.frombuffer(data[start : start + 4 * count], "u1")
    if len(planes) < 4 * count:
        raise ValueError("the image ends early")
    return np.ascontiguousarray(planes.reshape(4, count).T).view("<u4").reshape(-1)
