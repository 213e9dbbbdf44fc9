"""A capture that waits to be written."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.format.samples import CapturedSample, flip_distances
from tb_gradascent.functional.capture import PendingSamples
from tb_gradascent.functional.host_copy import HostCopy
from tb_gradascent.functional.margins import probability_margin


class BatchScalars:
    """How confused a batch is as a whole.

    Args:
        scores: The criterion's, shape (N,).
        logits: Shape (N, C).
    """

    def __init__(self, scores: Tensor, logits: Tensor) -> None:
        # Copies, since the loop may go on to write where these are.
        self._copies = HostCopy((scores.float().clone(), logits.float().clone()))

    @functools.cached_property
    def _margins(self) -> Tensor:
        _, logits = self._copies.arrays()
        return probability_margin(torch.from_numpy(logits))

    def compute(self) -> dict[str, float]:
        """Return ``confused_fraction`` and the mean ``margin``, both from 0 to 1."""
        scores, _ = self._copies.arrays()
        return {
            "confused_fraction": (torch.from_numpy(scores) > -torch.inf).float().mean().item(),
            "margin": self._margins.mean().item(),
        }

    def least_margin(self) -> float:
        """Return the least margin, from 0 to 1; infinity if no sample has one."""
        known = self._margins[self._margins.isfinite()]
        return known.min().item() if len(known) else math.inf


@dataclasses.dataclass(frozen=True)
class PendingCapture:
    """What one call of the hook leaves to be written.

    The methods wait for the device, so the writing thread calls them, not the loop.

    Attributes:
        tag: The samples' tag.
        step: The training step.
        parts: The samples, in their order.
        batch: The numbers of the batch as a whole, if there was one.
        every: Steps between captures, if ``budget_mb`` or ``max_overhead`` made captures rarer.
        info: The session's constants as they are known now; ``None`` for those that it began with.
        wall_time: Seconds since the epoch.
    """

    tag: str
    step: int
    parts: Sequence[PendingSamples]
    batch: BatchScalars | None = None
    every: int | None = None
    info: SessionInfo | None = None
    wall_time: float = dataclasses.field(default_factory=time.time)

    @property
    def size(self) -> int:
        """How many samples there are."""
        return sum(len(part) for part in self.parts)

    def samples(self) -> list[CapturedSample]:
        """Return the samples, once they are there."""
        return [sample for part in self.parts for sample in part.samples()]

    def scalars(self, samples: Sequence[CapturedSample]) -> dict[str, float]:
        """Return numbers for the Scalars tab, by their tag there.

        Args:
            samples: What :meth:`samples` returned.
        """
        group = "gradascent" if self.tag == "confused" else f"gradascent/{self.tag}"
        numbers = self.batch.compute() if self.batch else {}
        numbers |= flip_distances(samples)
        return {f"{group}/{name}": value for name, value in numbers.items()}
