"""Captures of one block of a session: their records as they were stored or, once read, as rows."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from tb_gradascent.format.metadata import MAX_CAPTURES
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
    """The captures of one block of a session, by their numbers.

    They stand in columns. With an object for each, Python's garbage collector would look through
    all objects of TensorBoard once more while a long session is read.

    Attributes:
        numbers: The captures' numbers, ascending.
        wall_times: Seconds since the epoch, in the order of arrival.
        damaged: Whether any capture could not be read: TensorBoard could not read the block, or no
            address can hold the capture's number.
    """

    def __init__(self, data: Iterable[Datum] | None, known: Captures | None = None) -> None:
        """Take captures that were read. Of two with the same number, the first counts.

        Args:
            data: The captures; ``None`` if TensorBoard could not read them.
            known: What was known before. A capture that it has is taken from it, because it may be
                parsed already.
        """
        self.damaged = data is None
        self.wall_times: list[float] = []
        self._positions: dict[int, int] = {}
        self._records: list[int] = []
        self._sizes: list[int] = []
        self._contents: list[_Content] = []
        for number, time, values in data or ():
            if not 0 <= number < MAX_CAPTURES:
                self.damaged = True
            elif number not in self._positions:
                self._add(number, finite_time(time), values, known)
        self.numbers = sorted(self._positions)

    def _add(
        self, number: int, wall_time: float, values: Sequence[object], known: Captures | None
    ) -> None:
        at = known._positions.get(number) if known else None
        content: _Content
        if known is not None and at is not None and known.wall_times[at] == wall_time:
            count, size, content = known._records[at], known._sizes[at], known._contents[at]
        else:
            count = len(values)
            # Few captures of a known block are new. They do not keep a whole answer.
            if isinstance(values, Texts) and known is None:
                content, size = values.parts, values.size
            else:
                content = [*values]
                size = sum(len(value) for value in content if isinstance(value, bytes))
            size += _overhead(count)
        self._positions[number] = len(self._positions)
        self.wall_times.append(wall_time)
        self._records.append(count)
        self._sizes.append(size)
        self._contents.append(content)

    @property
    def size(self) -> int:
        """About how many bytes of memory they take."""
        return sum(self._sizes)

    def numbers_in(self, first: int, end: int) -> list[int]:
        """Return the numbers of the captures from ``first`` up to, but not including, ``end``."""
        low, high = bisect.bisect_left(self.numbers, first), bisect.bisect_left(self.numbers, end)
        return self.numbers[low:high]

    def count_records(self, number: int) -> int:
        """Return how many records of a capture were stored, readable or not."""
        return self._records[self._positions[number]]

    def size_of(self, number: int) -> int:
        """Return about how many bytes of memory a capture takes."""
        return self._sizes[self._positions[number]]

    def find(self, number: int) -> CaptureRows | None:
        """Return the rows of the capture with this number, or ``None``."""
        return self.read(number) if number in self._positions else None

    def read(self, number: int) -> CaptureRows:
        """Return the rows of a capture. If two threads parse it at once, both get equal rows."""
        position = self._positions[number]
        content = self._contents[position]
        if not isinstance(content, CaptureRows):
            values = Texts(*content) if isinstance(content, tuple) else content
            content = encode_capture(number, self.wall_times[position], values)
            self._contents[position] = content
            self._sizes[position] = _overhead(self._records[position]) + len(content.rows)
        return content


def _overhead(records: int) -> int:
    return _CAPTURE_BYTES + _RECORD_BYTES * records
