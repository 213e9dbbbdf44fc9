"""The captures of one session under one tag that were read so far."""

from __future__ import annotations

import bisect
import math
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from tb_gradascent.format.metadata import CAPTURES_A_BLOCK, MAX_CAPTURES, SessionInfo
from tb_gradascent.format.sessions import Span, finite_time, span_of
from tb_gradascent.format.status import Status
from tb_gradascent.plugin.captures import Captures
from tb_gradascent.plugin.data_source import SeriesState, SessionState
from tb_gradascent.plugin.rows import CaptureRows, least_step
from tb_gradascent.plugin.tensor_reads import Datum

SESSION_BYTES: Final = 8000
"""About the memory of a session without its captures and class names."""


class ToldStatus:
    """A status that a session told.

    Attributes:
        size: About how many bytes of memory it takes.
    """

    def __init__(self, datum: Datum) -> None:
        stored = datum.values[0] if len(datum.values) == 1 else None
        self._status = Status.decode(stored)
        self._wall_time = finite_time(datum.wall_time)
        self.size = 2 * len(stored) if isinstance(stored, bytes) else 0

    def to_json(self) -> dict[str, Any]:
        """Return the status as the route ``index`` answers it."""
        return {"wall_time": self._wall_time, **self._status.to_json()}


class _ReadBlock(NamedTuple):
    """What was read of one block of a session.

    Attributes:
        state: What TensorBoard had loaded of the block before it was read.
        captures: The block's captures.
    """

    state: SeriesState
    captures: Captures


class StoredRange(NamedTuple):
    """The captures of a range that were read.

    Attributes:
        first: The range was read from this number on.
        end: The number after the range.
        blocks: The captures of each block of the session that the range touches, and their
            ascending numbers in the range, the last block first.
    """

    first: int
    end: int
    blocks: Sequence[tuple[Captures, Sequence[int]]]


class Session:
    """The captures of one session under one tag.

    Attributes:
        name: The session's name.
        state: What TensorBoard has loaded of it.
        info: The session's constants.
        status: The last status that the session told, if it told any.
    """

    status: ToldStatus | None

    def __init__(self, name: str, state: SessionState, known: Session | None) -> None:
        """Describe a session, and keep what was read of it before.

        Args:
            name: The session's name.
            state: What TensorBoard has loaded of it.
            known: What was known of it before.
        """
        self.name = name
        self.state = state
        self.status = known.status if known else None
        self._blocks = [*state.captures]
        self._read: dict[int, _ReadBlock] = {
            block: read
            for block, read in (known._read.items() if known else ())
            if block in state.captures
        }
        self._span: Span | None = None
        described = next(iter(state.captures.values()), state.status)
        # The status series lacks the class names.
        self.info = SessionInfo.decode(described.info if described else b"")

    @property
    def end(self) -> int:
        """The number after the last capture; 0 if all blocks were read and no capture was."""
        is_whole = len(self._read) == len(self._blocks)
        if is_whole and not any(read.captures.numbers for read in self._read.values()):
            return 0
        last = max(state.last_step or 0 for state in self.state.captures.values())
        return max(0, min(last + 1, MAX_CAPTURES))

    @property
    def ends(self) -> list[int]:
        """The first block and the last one."""
        return [*dict.fromkeys((*self._blocks[:1], *self._blocks[-1:]))]

    def block_of(self, number: int) -> int:
        """Return the block that holds a capture. The last block holds all that come later."""
        at = bisect.bisect_right(self._blocks, number // CAPTURES_A_BLOCK)
        return self._blocks[max(0, at - 1)] if self._blocks else 0

    def blocks_of(self, first: int, end: int) -> list[int]:
        """Return the blocks that hold the captures of a range, the last block first."""
        low, high = self.block_of(first), self.block_of(end - 1)
        return [block for block in reversed(self._blocks) if low <= block <= high]

    def is_read(self, block: int) -> bool:
        """Return whether nothing was added to a block since it was read."""
        return block in self._read and self._read[block].state == self.state.captures[block]

    def take(self, block: int, data: Iterable[Datum] | None) -> int:
        """Take the captures of a block; ``None`` if TensorBoard could not read them.

        Returns:
            About how many more bytes of memory the session takes.
        """
        known = self._read[block].captures if block in self._read else None
        captures = Captures(data, known)
        self._read[block] = _ReadBlock(self.state.captures[block], captures)
        self._span = None
        return captures.size - (known.size if known else 0)

    def keep(self, blocks: Collection[int]) -> None:
        """Forget what was read of all other blocks."""
        self._read = {block: read for block, read in self._read.items() if block in blocks}

    def captures(self, block: int) -> Captures:
        """Return the captures of a block as it was read last."""
        return self._read[block].captures

    def numbers(self, block: int, first: int, end: int) -> list[int]:
        """Return the numbers of the captures of a range in a block that was read.

        A capture that stands in another block than :meth:`block_of` says is left out.
        """
        at = bisect.bisect_left(self._blocks, block)
        low = block * CAPTURES_A_BLOCK if at else 0
        after = self._blocks[at + 1 : at + 2]
        high = after[0] * CAPTURES_A_BLOCK if after else MAX_CAPTURES
        return self._read[block].captures.numbers_in(max(first, low), min(end, high))

    def find(self, number: int) -> CaptureRows | None:
        """Return the rows of a capture; ``None`` if it does not exist or its block was not read."""
        read = self._read.get(self.block_of(number))
        return read.captures.find(number) if read else None

    @property
    def span(self) -> Span:
        """When the session recorded. Its first block must have been read."""
        if self._span is None:
            first = self._read[self._blocks[0]].captures if self._blocks else Captures(())
            steps = (least_step(first.read(number)) for number in first.numbers)
            latest = (state.last_wall_time or 0.0 for state in self.state.captures.values())
            times = [*first.wall_times, *map(finite_time, latest)]
            step = next((step for step in steps if step is not None), None)
            self._span = span_of(self.name, self.info, times, step)
        return self._span

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        names = self.info.class_names or ()
        return (
            SESSION_BYTES
            + (self.status.size if self.status else 0)
            + sum(map(sys.getsizeof, names))
            + sum(read.captures.size for read in self._read.values())
        )

    def to_json(self, superseded_from: float) -> dict[str, Any]:
        """Return the session as the route ``index`` answers it."""
        return {
            "session": self.name,
            **self.info.to_json(),
            "captures": self.end,
            "damaged": any(read.captures.damaged for read in self._read.values()),
            "superseded_from": None if math.isinf(superseded_from) else superseded_from,
            "status": self.status and self.status.to_json(),
        }
