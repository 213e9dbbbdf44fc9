"""The most confused samples of a stream, in bounded memory; the stream may be spread over ranks."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import google_crc32c
import torch
from torch import Tensor
from torch.utils.data.distributed import DistributedSampler

from tb_gradascent.batch import Batch, id_text
from tb_gradascent.confusion import most_confused
from tb_gradascent.distributed import Place, gather, share


@dataclasses.dataclass(frozen=True, order=True)
class _Found:
    """Ordered by score; of equal scores the later one is the lesser."""

    score: float
    order: int
    inputs: Tensor = dataclasses.field(compare=False)
    label: int | None = dataclasses.field(compare=False)
    id: object = dataclasses.field(compare=False)


class Numbering(NamedTuple):
    """How the samples of a loader are told apart.

    Attributes:
        places: Each one's place in the whole, in the loader's order.
        ids: Each one's id, where the user gives none.
    """

    places: Iterator[int]
    ids: Iterator[object]


def number(loader: object, place: Place | None) -> Numbering:
    """Numbers the samples of one loader, which may be one rank's part of a data set.

    A ``DistributedSampler`` says which samples are its own, so that they are known by their place
    in the data set. Of any other part the id is ``"<rank>/<place in the loader>"``.
    """
    if place is None:
        return Numbering(itertools.count(), itertools.count())
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, DistributedSampler):
        own = list(sampler)
        return Numbering(iter(own), iter(own))
    return Numbering(
        itertools.count(place.rank, place.world_size),
        (f"{place.rank}/{number}" for number in itertools.count()),
    )


class Best:
    """The samples with the highest scores of all that were offered.

    Args:
        top_k: How many are held, in the computer's own memory.
    """

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k
        self._heap: list[_Found] = []

    def offer(self, batch: Batch, scores: Tensor, places: Iterable[int]) -> None:
        """Holds those of a batch that are among the best; ``-inf`` and NaN never are.

        Args:
            batch: N inputs, with labels and ids where these are known.
            scores: Shape (N,).
            places: Each one's place in the whole, by which equal scores are ordered.
        """
        rows = most_confused(scores, self._top_k)
        values = scores[rows].float().tolist()
        labels = batch.label_list(rows) or [None] * len(rows)
        numbered = list(places)
        for row, score, label in zip(rows, values, labels, strict=True):
            if len(self._heap) == self._top_k and score < self._heap[0].score:
                break
            inputs = batch.inputs[row].detach().cpu().clone()
            name = None if batch.ids is None else batch.ids[row]
            self._hold(_Found(score, -numbered[row], inputs, label, name))

    def batches(self) -> Iterator[Batch]:
        """What is held, the highest score first; neighbours of one shape make a batch."""
        for _, group in itertools.groupby(self._ordered(), key=lambda found: found.inputs.shape):
            alike = list(group)
            yield Batch(
                torch.stack([found.inputs for found in alike]),
                [found.label for found in alike],
                [found.id for found in alike],
            )

    def of_all_ranks(self, place: Place, fault: Exception | None) -> Best:
        """The best of what all ranks hold, on rank 0, and nothing on the others.

        Every rank has to call it. A sample that several ranks hold, as samplers deal some out twice
        to give each rank as many, counts once: it has one id and one image.

        Args:
            place: This process's.
            fault: Why its search failed, if it did.

        Raises:
            Exception: ``fault``.
            RuntimeError: Another rank's search failed.
        """
        held = self._ordered()
        told = share(
            (
                None if fault is None else f"{type(fault).__name__}: {fault}",
                [(found.score, found.order, *_identity(found)) for found in held],
            )
        )
        if fault is not None:
            raise fault
        for rank, (failure, _) in enumerate(told):
            if failure is not None:
                raise RuntimeError(f"the scan failed on rank {rank}: {failure}")
        entries = [
            (score, order, rank, row, identity)
            for rank, (_, listed) in enumerate(told)
            for row, (score, order, *identity) in enumerate(listed)
        ]
        chosen: dict[tuple[object, ...], tuple[int, int]] = {}
        for _, _, rank, row, identity in sorted(entries, key=lambda e: e[:2], reverse=True):
            if len(chosen) < self._top_k:
                chosen.setdefault(tuple(identity), (rank, row))
        own = [held[row] for rank, row in chosen.values() if rank == place.rank]
        result = Best(self._top_k)
        for part in gather(own):
            for found in part:
                result._hold(found)
        return result

    def _hold(self, found: _Found) -> None:
        if len(self._heap) < self._top_k:
            heapq.heappush(self._heap, found)
        else:
            heapq.heappushpop(self._heap, found)

    def _ordered(self) -> list[_Found]:
        return sorted(self._heap, reverse=True)


def _identity(found: _Found) -> tuple[str, int]:
    """What two ranks' copies of one sample have in common."""
    pixels = found.inputs.float().contiguous().numpy()
    return id_text(found.id), google_crc32c.value(pixels.tobytes())
