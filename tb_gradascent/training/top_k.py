"""The samples with the highest scores of all batches, in bounded memory, also across ranks."""

from __future__ import annotations

import bisect
import dataclasses
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import google_crc32c
import torch
from torch import Tensor

from tb_gradascent.functional.criteria import comparable
from tb_gradascent.model.forward_args import ForwardArgs
from tb_gradascent.training.batch import Batch, Ids, id_text
from tb_gradascent.training.distributed import ProcessRank, gather, share

#: Candidates for each sample that is recorded. The model is asked about each once more.
CANDIDATES: Final = 3

#: After so many samples the ids of all but the best are forgotten.
_IDS: Final = 1 << 16

#: The most memory on the device for the best samples. More are read to the host in each batch.
_POOL_BYTES: Final = 128 << 20


@dataclasses.dataclass(frozen=True, order=True)
class Candidate:
    """One of the best samples so far.

    Candidates are ordered by score. Of equal scores the earlier sample is the better one.

    Attributes:
        score: The criterion's score.
        order: The negative position of the sample in the data set.
        inputs: Shape (channels, …), on the CPU.
        label: Class index, or ``None``.
        id: As the loader or the user gave it.
        forward_args: The model's arguments besides the inputs.
    """

    score: float
    order: int
    inputs: Tensor = dataclasses.field(compare=False)
    label: int | None = dataclasses.field(compare=False)
    id: object = dataclasses.field(compare=False)
    forward_args: ForwardArgs = dataclasses.field(compare=False)


class Pool(NamedTuple):
    """Samples on the device that scored them.

    Attributes:
        scores: float32, shape (N,). ``-inf`` marks a sample that is not taken.
        positions: Each sample's position in the data set, int64, shape (N,).
        arrivals: How many samples were offered before each, int64, shape (N,).
        labels: int64, shape (N,), negative if unknown.
        inputs: Shape (N, channels, …).
    """

    scores: Tensor
    positions: Tensor
    arrivals: Tensor
    labels: Tensor
    inputs: Tensor

    def best(self, top_k: int) -> Pool:
        """Return the best samples, the highest score first; of equal scores the earlier position.

        Nothing waits for the device.
        """
        order = self.positions.argsort(stable=True)
        ranked = self.scores.index_select(0, order).argsort(descending=True, stable=True)
        order = order.index_select(0, ranked[:top_k])
        return Pool(*(values.index_select(0, order) for values in self))

    def joined(self, other: Pool) -> Pool:
        """Return the samples of both."""
        return Pool(*map(torch.cat, zip(self, other, strict=True)))

    def is_like(self, inputs: Tensor) -> bool:
        """Return whether other inputs (N, channels, …) can be joined."""
        own = self.inputs
        return (own.shape[1:], own.dtype, own.device) == (
            inputs.shape[1:],
            inputs.dtype,
            inputs.device,
        )


class TopK:
    """Keeps the samples with the highest scores.

    The samples stay on the device that scored them, and nothing waits for the device until they are
    read. Samples are read in each batch if the model takes further arguments, or if they need more
    than 128 MiB. They are also read when their shape, dtype or device changes.

    Args:
        top_k: The largest number of samples.
    """

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k
        self._heap: list[Candidate] = []
        self._pool: Pool | None = None
        self._offered = 0
        # The ids of the latest batches, with the number of the samples before each batch.
        self._ids: list[tuple[int, Ids]] = []
        self._known_ids: dict[int, object] = {}

    def offer(self, batch: Batch, scores: Tensor, positions: Sequence[int]) -> None:
        """Keep the samples of a batch that are among the best. ``-inf`` and NaN are never kept.

        Args:
            batch: N inputs, with labels and ids if they are known.
            scores: Shape (N,).
            positions: Each sample's position in the data set. It orders equal scores.
        """
        inputs = batch.inputs.detach()
        if self._pool is not None and not self._pool.is_like(inputs):
            self._read()
        first, self._offered = self._offered, self._offered + len(inputs)
        new = Pool(
            comparable(scores).to(inputs.device),
            _on_device(positions, inputs.device),
            torch.arange(first, self._offered, device=inputs.device),
            _labels_of(batch, inputs.device),
            inputs,
        ).best(self._top_k)
        row_bytes = inputs[:1].numel() * inputs.element_size()
        if not batch.forward_args.is_empty or row_bytes * self._top_k > _POOL_BYTES:
            ids = batch.ids
            self._keep_all(
                new,
                lambda arrival: None if ids is None else ids[arrival - first],
                lambda arrival: batch.forward_args.only_row(arrival - first),
            )
            return
        if batch.ids is not None:
            self._ids.append((first, _copied(batch.ids)))
        self._pool = new if self._pool is None else self._pool.joined(new).best(self._top_k)
        if self._ids and self._offered - self._ids[0][0] > _IDS:
            self._find_ids()

    def _find_ids(self) -> None:
        """Find the ids of the pool's samples, and forget all others."""
        found = {}
        for arrival in [] if self._pool is None else self._pool.arrivals.tolist():
            place = bisect.bisect_right(self._ids, arrival, key=lambda part: part[0]) - 1
            if arrival in self._known_ids:
                found[arrival] = self._known_ids[arrival]
            elif place >= 0:
                first, ids = self._ids[place]
                # The batch of this sample may have had no ids.
                found[arrival] = ids[arrival - first] if arrival - first < len(ids) else None
        self._known_ids = found
        self._ids.clear()

    def _read(self) -> None:
        """Move the pool's samples to the host."""
        if self._pool is not None:
            self._find_ids()
            self._keep_all(self._pool, self._known_ids.get, lambda _: ForwardArgs(1))
            self._pool = None

    def _keep_all(
        self,
        pool: Pool,
        id_of: Callable[[int], object],
        args_of: Callable[[int], ForwardArgs],
    ) -> None:
        """Keep the best of a pool's samples on the host.

        Args:
            pool: The samples, the best first.
            id_of, args_of: Return the id and the further arguments of a sample, by its arrival.
        """
        scores: list[float] = pool.scores.tolist()
        least = self._heap[0].score if len(self._heap) == self._top_k else -torch.inf
        count = sum(score > -torch.inf and score >= least for score in scores)
        columns = (pool.positions, pool.arrivals, pool.labels)
        positions, arrivals, labels = (values[:count].tolist() for values in columns)
        inputs = pool.inputs[:count].cpu()
        for row, arrival in enumerate(arrivals):
            candidate = Candidate(
                scores[row],
                -positions[row],
                inputs[row].clone(),
                None if labels[row] < 0 else labels[row],
                id_of(arrival),
                args_of(arrival),
            )
            if len(self._heap) < self._top_k:
                heapq.heappush(self._heap, candidate)
            else:
                heapq.heappushpop(self._heap, candidate)

    def candidates(self) -> list[Candidate]:
        """Return the kept samples, the highest score first."""
        self._read()
        return sorted(self._heap, reverse=True)

    def of_all_ranks(self, process_rank: ProcessRank, fault: Exception | None) -> TopK:
        """Return the best samples of all ranks on rank 0, and an empty ``TopK`` on other ranks.

        This is a collective operation. A sampler may give a sample to several ranks, so that each
        has as many. Such a sample counts once, because its id and its image are the same.

        Args:
            process_rank: This process's rank.
            fault: The error that ended this rank's search; ``None`` without an error.

        Raises:
            Exception: ``fault``.
            RuntimeError: The search failed on another rank.
        """
        own = self.candidates()
        reports = share(
            (
                None if fault is None else f"{type(fault).__name__}: {fault}",
                [(candidate.score, candidate.order, *_identity(candidate)) for candidate in own],
            )
        )
        if fault is not None:
            raise fault
        for rank, (failure, _) in enumerate(reports):
            if failure is not None:
                raise RuntimeError(f"the scan failed on rank {rank}: {failure}")
        entries = [
            (score, order, rank, row, identity)
            for rank, (_, listed) in enumerate(reports)
            for row, (score, order, *identity) in enumerate(listed)
        ]
        chosen: dict[tuple[object, ...], tuple[int, int]] = {}
        for _, _, rank, row, identity in sorted(entries, key=lambda e: e[:2], reverse=True):
            if len(chosen) < self._top_k:
                chosen.setdefault(tuple(identity), (rank, row))
        result = TopK(self._top_k)
        gathered = gather([own[row] for rank, row in chosen.values() if rank == process_rank.rank])
        result._heap = sorted(itertools.chain(*gathered))  # a sorted list is a heap
        return result


def batches_of(candidates: Iterable[Candidate]) -> Iterator[Batch]:
    """Yield samples in batches, in their order.

    Neighbours of one shape form a batch. If the model takes further arguments, each sample is a
    batch of its own.
    """
    for _, group in itertools.groupby(candidates, key=_batch_key):
        alike = list(group)
        yield Batch(
            torch.stack([candidate.inputs for candidate in alike]),
            [candidate.label for candidate in alike],
            [candidate.id for candidate in alike],
            alike[0].forward_args,
        )


def _batch_key(candidate: Candidate) -> object:
    """Neighbours with the same key form one batch."""
    return candidate.inputs.shape if candidate.forward_args.is_empty else candidate.order


def _identity(candidate: Candidate) -> tuple[str | None, int]:
    """A key that is the same for two ranks' copies of one sample: its id and a checksum."""
    pixels = candidate.inputs.float().contiguous().numpy()
    return id_text(candidate.id), google_crc32c.value(pixels.tobytes())


def _copied(ids: Ids) -> Ids:
    """The ids of a batch, which the loop may overwrite with those of the next one."""
    if isinstance(ids, Tensor):
        return ids.clone()
    return ids if isinstance(ids, range) else list(ids)


def _on_device(numbers: Sequence[int], device: torch.device) -> Tensor:
    """Return whole numbers as int64 on a device. Nothing waits for the device."""
    if isinstance(numbers, range):
        return torch.arange(numbers.start, numbers.stop, numbers.step, device=device)
    values = torch.tensor(numbers, dtype=torch.int64, device="cpu")
    return values.to(device, non_blocking=True)


def _labels_of(batch: Batch, device: torch.device) -> Tensor:
    """Return a batch's labels, int64, shape (N,), negative if unknown."""
    labels = batch.labels
    if labels is None:
        return torch.full((len(batch.inputs),), -1, device=device)
    if isinstance(labels, Tensor):
        return labels.detach().to(device, torch.int64, non_blocking=True)
    return _on_device([-1 if label is None else label for label in labels], device)
