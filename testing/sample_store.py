"""The plugin's sample store on a log directory, and readers of its answers."""

from __future__ import annotations

import gzip
import json
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext

from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.data_source import OK, Scope
from tb_gradascent.plugin.sample_store import SampleStore
from testing import index_reader

SCOPE = Scope(RequestContext(), "")


class WatchedProvider:
    """TensorBoard's data provider for a log directory. It counts calls and can be made to fail.

    Attributes:
        asked: How often each method was called.
        instead: Functions that replace methods, by the method's name.
        original: TensorBoard's own provider.
    """

    def __init__(self, logdir: Path) -> None:
        self.asked: Counter[str] = Counter()
        self.instead: dict[str, Callable[..., Any]] = {}
        self._logdir = str(logdir)
        self._multiplexer = EventMultiplexer(tensor_size_guidance={"gradascent": 0})
        self.original = MultiplexerDataProvider(self._multiplexer, self._logdir)
        self.reload()

    def reload(self) -> None:
        """Read what was added to the log directory."""
        self._multiplexer.AddRunsFromDirectory(self._logdir)
        self._multiplexer.Reload()

    def fail(self, method: str, error: Exception | type[Exception]) -> None:
        """Make a method raise an error."""

        def raise_error(*args: object, **kwargs: object) -> None:
            raise error

        self.instead[method] = raise_error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*args: object, **kwargs: object) -> object:
            self.asked[name] += 1
            return self.instead.get(name, getattr(self.original, name))(*args, **kwargs)

        return ask


def read_index(store: SampleStore, run: str = ".", tag: str = "confused") -> dict[str, Any]:
    """Return the index with all samples: see :func:`testing.index_reader.read_index`."""
    index = json.loads(gzip.decompress(store.index(SCOPE, run, tag)))
    return index_reader.read_index(
        index, lambda part: b"".join(store.records(SCOPE, run, tag, [CaptureRange.parse(part)]))
    )


def read_payloads(store: SampleStore, *addresses: Address) -> list[tuple[int, bytes]]:
    """Return ``(status, payload)`` of each address."""
    pieces, complete = store.payloads(SCOPE, "confused", [(".", address) for address in addresses])
    answer = b"".join(pieces)
    found, offset = [], 0
    while offset < len(answer):
        status, length = struct.unpack_from("<II", answer, offset)
        offset += 8 + length
        found.append((status, answer[offset - length : offset]))
    assert offset == len(answer)
    assert complete == all(status == OK for status, _ in found)
    return found
