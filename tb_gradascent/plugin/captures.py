"""The captures of a session: their records as they were stored or, once read, as rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from tb_gradascent.format.sessions import finite_time
from tb_gradascent.plugin.encoded_tensors import Parts, Texts
from tb_gradascent.plugin.rows import CaptureRows, encode_capture
from tb_gradascent.plugin.tensor_reads import Datum

_CAPTURE_BYTES: Final = 400
"""About the memory of a capture without its records."""
_RECORD_BYTES: Final = 200
"""About the memory of a record and its payload's key, without the record's bytes."""

_Content: TypeAlias = Parts | list[object] | CaptureRows


class Captures:
    """The captures of one session under one tag, in their order of arrival.

    They stand in columns. With an object for each, Python's garbage collector would look through
    all objects of TensorBoard once more while a long session is read.

    Attributes:
        positions: The position of each capture, by the capture's number.
        wall_times: Seconds since the epoch.
        records: How many records were stored, readable or not.
        sizes: About how many bytes of memory each takes.
    """

    def __init__(self, before: Captures | None = None) -> None:
        """Start with the captures of ``before``."""
        self.positions: dict[int, int] = {**before.positions} if before else {}
        self.wall_times: list[float] = [*before.wall_times] if before else []
        self.records: list[int] = [*before.records] if before else []
        self.sizes: list[int] = [*before.sizes] if before else []
        self._numbers = [*self.positions]
        self._contents: list[_Content] = [*before._contents] if before else []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, data: Iterable[Datum], known: Captures) -> None:
        """Add captures that were read. Of two with the same number, the first counts.

        Args:
            data: The captures.
            known: What was known before. A capture that it has is taken from it, because it may be
                parsed already.
        """
        for number, time, values in data:
            if number in self.positions:
                continue
            wall_time = finite_time(time)
            at = known.positions.get(number)
            content: _Content
            if at is not None and known.wall_times[at] == wall_time:
                count, size, content = known.records[at], known.sizes[at], known._contents[at]
            else:
                count = len(values)
                # Few captures of a known session are new. They do not keep a whole answer.
                if isinstance(values, Texts) and not known.positions:
                    content, size = values.parts, values.size
                else:
                    content = [*values]
                    size = sum(len(value) for value in content if isinstance(value, bytes))
                size += _overhead(count)
            self.positions[number] = len(self._numbers)
            self._numbers.append(number)
            self.wall_times.append(wall_time)
            self.records.append(count)
            self.sizes.append(size)
            self._contents.append(content)

    def find(self, number: int) -> CaptureRows | None:
        """Return the rows of the capture with this number, or ``None``."""
        position = self.positions.get(number)
        return None if position is None else self.read(position)

    def read(self, position: int) -> CaptureRows:
        """Return the rows of a capture. If two threads parse it at once, both get equal rows."""
        content = self._contents[position]
        if not isinstance(content, CaptureRows):
            values = Texts(*content) if isinstance(content, tuple) else content
            content = encode_capture(self._numbers[position], self.wall_times[position], values)
            self._contents[position] = content
            self.sizes[position] = _overhead(self.records[position]) + len(content.rows)
        return content


def _overhead(records: int) -> int:
    return _CAPTURE_BYTES + _RECORD_BYTES * records
