"""The most confused samples of a stream, in bounded memory."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from tb_gradascent.batch import Batch
from tb_gradascent.confusion import most_confused


class _Found(NamedTuple):
    """Ordered by score; of equal scores the later one is the lesser."""

    score: float
    order: int
    inputs: Tensor
    label: int | None
    id: object


class Best:
    """The samples with the highest scores of all that were offered.

    Args:
        top_k: How many are held, in the computer's own memory.
    """

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k
        self._heap: list[_Found] = []
        self._orders = itertools.count(0, -1)

    def offer(self, batch: Batch, scores: Tensor) -> None:
        """Holds those of a batch that are among the best; ``-inf`` and NaN never are.

        Args:
            batch: N inputs, with labels and ids where these are known.
            scores: Shape (N,).
        """
        rows = most_confused(scores, self._top_k)
        values = scores[rows].float().tolist()
        labels = batch.label_list(rows) or [None] * len(rows)
        for row, score, label in zip(rows, values, labels, strict=True):
            if len(self._heap) == self._top_k and score <= self._heap[0].score:
                break
            inputs = batch.inputs[row].detach().cpu().clone()
            name = None if batch.ids is None else batch.ids[row]
            found = _Found(score, next(self._orders), inputs, label, name)
            if len(self._heap) < self._top_k:
                heapq.heappush(self._heap, found)
            else:
                heapq.heapreplace(self._heap, found)

    def batches(self) -> Iterator[Batch]:
        """What is held, the highest score first; neighbours of one shape make a batch."""
        ordered = sorted(self._heap, reverse=True)
        for _, group in itertools.groupby(ordered, key=lambda found: found.inputs.shape):
            alike = list(group)
            yield Batch(
                torch.stack([found.inputs for found in alike]),
                [found.label for found in alike],
                [found.id for found in alike],
            )
