"""Parts of event files, for tests that damage them or read old ones."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from tb_gradascent.format.event_file import locate_events
from testing.paths import ROOT

VERSION1: Final = ROOT / "tests" / "format" / "version1.tfevents"
"""An event file that was written by the last release that wrote records of version 1."""


def frame_ends(data: bytes) -> list[int]:
    """Return the offset of each record's end, computed from the format's definition."""
    ends, offset = [], 0
    while offset < len(data):
        (length,) = struct.unpack_from("<Q", data, offset)
        offset += 8 + 4 + length + 4
        ends.append(offset)
    return ends


def version1_records() -> Iterator[bytes]:
    """Yield the JSON of the two samples in ``VERSION1``."""
    for _, event in locate_events(VERSION1):
        assert event is not None
        for value in event.summary.value:
            if value.tag == "confused/index/version1":
                yield from value.tensor.string_val
