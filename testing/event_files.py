"""Where the records of an event file end, for tests that damage one of them."""

from __future__ import annotations

import struct


def frame_ends(data: bytes) -> list[int]:
    """Return the offset of each record's end, computed from the format's definition."""
    ends, offset = [], 0
    while offset < len(data):
        (length,) = struct.unpack_from("<Q", data, offset)
        offset += 8 + 4 + length + 4
        ends.append(offset)
    return ends
