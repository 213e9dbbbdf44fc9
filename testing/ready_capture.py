"""A capture whose samples were made up, as the hook gives captures to the writer."""

from __future__ import annotations

from collections.abc import Sequence

from tb_gradascent.format.samples import CapturedSample
from tb_gradascent.training.pending import PendingCapture


class ReadyCapture(PendingCapture):
    """A capture whose samples were made up."""

    _samples: Sequence[CapturedSample]

    def __init__(self, samples: Sequence[CapturedSample], tag: str) -> None:
        super().__init__(tag, samples[0].step, ())
        object.__setattr__(self, "_samples", samples)

    @property
    def size(self) -> int:
        return len(self._samples)

    def samples(self) -> list[CapturedSample]:
        return list(self._samples)

    def scalars(self, samples: Sequence[CapturedSample]) -> dict[str, float]:
        return {}


def ready_capture(samples: Sequence[CapturedSample], tag: str = "confused") -> PendingCapture:
    """Return a capture with these samples."""
    return ReadyCapture(samples, tag)
