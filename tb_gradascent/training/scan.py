"""Find the most confused samples of a data loader in bounded memory, also across ranks."""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import google_crc32c
import torch
from torch import Tensor
from torch.utils.data.distributed import DistributedSampler

from tb_gradascent.functional.criteria import most_confused
from tb_gradascent.functional.validation import describe
from tb_gradascent.model.forward_args import ForwardArgs
from tb_gradascent.model.isolation import generators_kept
from tb_gradascent.training.batch import Batch, InputKind, id_text
from tb_gradascent.training.distributed import ProcessRank, gather, is_connected, share

Unpack = Callable[[Any], Mapping[str, Any]]
"""Maps an item of a loader to the arguments of ``GradAscentHook.__call__``, by name: ``inputs``,
and if the item has them, ``labels``, ``ids`` and ``additional_forward_args``."""

ScoreBatch = Callable[[Batch], Tensor]
"""Returns a score for each sample of a batch, shape (N,). Higher means more confused."""

_UNPACKED_NAMES: Final = frozenset({"inputs", "labels", "ids", "additional_forward_args"})


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


class Numbering(NamedTuple):
    """The positions and default ids of a loader's samples.

    Attributes:
        positions: Each sample's position in the whole data set, in the loader's order.
        ids: Each sample's id if the user gives none.
    """

    positions: Iterator[int]
    ids: Iterator[object]


def number_samples(loader: object, process_rank: ProcessRank | None) -> Numbering:
    """Number the samples of a loader, which may load one rank's part of a data set.

    A ``DistributedSampler`` knows the positions of its samples in the data set. For any other part
    the id is ``"<rank>/<position in the part>"``.
    """
    if process_rank is None:
        return Numbering(itertools.count(), itertools.count())
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, DistributedSampler):
        own = list(sampler)
        return Numbering(iter(own), iter(own))
    return Numbering(
        itertools.count(process_rank.rank, process_rank.world_size),
        (f"{process_rank.rank}/{number}" for number in itertools.count()),
    )


class ScanResult(NamedTuple):
    """The result of a search.

    Attributes:
        batches: The most confused samples, the highest score first.
        last_batch: The last batch of the loader; ``None`` without a batch.
        fault: The error or interrupt that ended the search early; ``None`` if none did.
    """

    batches: Sequence[Batch]
    last_batch: Batch | None
    fault: Exception | KeyboardInterrupt | None


def search(
    loader: Iterable[Any],
    top_k: int,
    open_scoring: Callable[[], contextlib.AbstractContextManager[ScoreBatch | None]],
    *,
    ids: Iterable[object] | None,
    unpack: Unpack | None,
    kind: InputKind,
    process_rank: ProcessRank | None,
    title: str,
) -> ScanResult:
    """Find the most confused of all samples of a loader, with a progress bar on the first rank.

    Args:
        loader: Yields the items; on each rank those of its own part.
        top_k: The largest number of samples.
        open_scoring: Returns a context with the function that scores a batch, or with ``None`` if
            this process does not search.
        ids: One per sample, in the loader's order, or ``None`` for those of
            :func:`number_samples`.
        unpack: See :data:`Unpack`; ``None`` for items of ``inputs`` or ``(inputs, labels, …)``.
        kind: What the inputs are.
        process_rank: This process's rank if all ranks search together; otherwise ``None``. Rank 0
            then gets the samples that all ranks found.
        title: The progress bar's title.

    Raises:
        RuntimeError: The ranks have no process group, or the search failed on another rank.
        Exception: The search failed on this rank of several. A fault of a single process is part
            of the result instead.
        KeyboardInterrupt: This rank of several was interrupted.
    """
    if process_rank is not None and not is_connected():
        raise RuntimeError(
            "a scan by several processes needs torch.distributed.init_process_group(), because "
            'the processes exchange their samples: call it first, or give ranks="zero"'
        )
    best = TopK(top_k)
    last_batch: Batch | None = None
    fault: Exception | None = None
    interrupt: KeyboardInterrupt | None = None
    try:
        with generators_kept(_holders_of_generators(loader)), open_scoring() as score_batch:
            if score_batch is not None:
                for last_batch, positions in _numbered(
                    loader, ids, unpack, kind, process_rank, title
                ):
                    best.offer(last_batch, score_batch(last_batch), positions)
    except Exception as error:
        fault = error
    except KeyboardInterrupt as error:
        interrupt = error
        if process_rank is not None:  # the other ranks cannot be told now
            raise
    if process_rank is not None:
        best = best.of_all_ranks(process_rank, fault)
    return ScanResult(list(batches_of(best.candidates())), last_batch, interrupt or fault)


def _holders_of_generators(loader: object, depth: int = 3) -> Iterator[object]:
    """Yield a loader, its data set and its samplers. Each may hold a random generator."""
    yield loader
    for name in ("dataset", "sampler", "batch_sampler"):
        inner = getattr(loader, name, None)
        # The depth is limited, because a data set may contain itself.
        if depth and inner is not None:
            yield from _holders_of_generators(inner, depth - 1)


def _numbered(
    loader: Iterable[Any],
    ids: Iterable[object] | None,
    unpack: Unpack | None,
    kind: InputKind,
    process_rank: ProcessRank | None,
    title: str,
) -> Iterator[tuple[Batch, Iterator[int]]]:
    """Yield each batch of a loader with its samples' positions in the data set."""
    from tqdm.auto import tqdm

    numbering = number_samples(loader, process_rank)
    names = numbering.ids if ids is None else iter(ids)
    # None is tqdm's own choice: a bar on a terminal.
    hidden = True if process_rank and process_rank.rank else None
    for item in tqdm(loader, desc=title, unit="batch", disable=hidden):
        unpacked = _default_unpack(item) if unpack is None else _check_unpacked(unpack(item))
        given = {"labels": None, **unpacked}
        if "ids" not in given:
            inputs = given["inputs"]
            size = len(inputs) if isinstance(inputs, Tensor) and inputs.dim() else 0
            given["ids"] = list(itertools.islice(names, size))
        elif ids is not None:
            raise ValueError(
                "ids must be given once, got them from scan(ids=…) and from unpack: leave one out"
            )
        batch = Batch.of(**given, kind=kind)
        yield batch, itertools.islice(numbering.positions, len(batch.inputs))


def _default_unpack(item: object) -> Mapping[str, Any]:
    """Unpack an item of a loader without a user's ``unpack``."""
    if isinstance(item, Mapping):
        raise ValueError(
            "the loader must yield inputs or (inputs, labels, …), got a mapping with "
            f"{', '.join(map(repr, item))}: name its values by "
            'unpack=lambda item: {"inputs": item[…], "labels": item[…]}'
        )
    if isinstance(item, (tuple, list)) and item:
        return dict(zip(("inputs", "labels"), item, strict=False))
    return {"inputs": item}


def _check_unpacked(given: object) -> Mapping[str, Any]:
    """Check what a user's ``unpack`` returned."""
    if not isinstance(given, Mapping) or not {"inputs"} <= given.keys() <= _UNPACKED_NAMES:
        found = f"keys {', '.join(map(repr, given))}" if isinstance(given, Mapping) else ""
        raise ValueError(
            'unpack must return a mapping with "inputs" and optionally "labels", "ids" and '
            f'"additional_forward_args", got {found or describe(given)}'
        )
    return given


class TopK:
    """Keeps the samples with the highest scores, in CPU memory.

    Args:
        top_k: The largest number of samples.
    """

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k
        self._heap: list[Candidate] = []

    def offer(self, batch: Batch, scores: Tensor, positions: Iterable[int]) -> None:
        """Keep the samples of a batch that are among the best. ``-inf`` and NaN are never kept.

        Args:
            batch: N inputs, with labels and ids if they are known.
            scores: Shape (N,).
            positions: Each sample's position in the data set. It orders equal scores.
        """
        rows = most_confused(scores, self._top_k)
        values = scores[rows].float().tolist()
        labels = batch.label_list(rows) or [None] * len(rows)
        numbers = list(positions)
        for row, score, label in zip(rows, values, labels, strict=True):
            if len(self._heap) == self._top_k and score < self._heap[0].score:
                break
            self._keep(
                Candidate(
                    score,
                    -numbers[row],
                    batch.inputs[row].detach().cpu().clone(),
                    label,
                    None if batch.ids is None else batch.ids[row],
                    batch.forward_args.only_row(row),
                )
            )

    def candidates(self) -> list[Candidate]:
        """Return the kept samples, the highest score first."""
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
        for candidates in gather(
            [own[row] for rank, row in chosen.values() if rank == process_rank.rank]
        ):
            for candidate in candidates:
                result._keep(candidate)
        return result

    def _keep(self, candidate: Candidate) -> None:
        if len(self._heap) < self._top_k:
            heapq.heappush(self._heap, candidate)
        else:
            heapq.heappushpop(self._heap, candidate)


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
