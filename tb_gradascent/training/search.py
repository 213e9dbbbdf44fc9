"""Find the most confused samples of a data loader in bounded memory, also across ranks."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from torch import Tensor
from torch.utils.data.distributed import DistributedSampler

from tb_gradascent.functional.validation import describe
from tb_gradascent.model.isolation import generators_kept
from tb_gradascent.training.batch import Batch, InputKind
from tb_gradascent.training.distributed import ProcessRank, is_connected
from tb_gradascent.training.top_k import TopK, batches_of

Unpack = Callable[[Any], Mapping[str, Any]]
"""Maps an item of a loader to the arguments of ``GradAscentHook.__call__``, by name: ``inputs``,
and if the item has them, ``labels``, ``ids`` and ``additional_forward_args``."""

ScoreBatch = Callable[[Batch], Tensor]
"""Returns a score for each sample of a batch, shape (N,). Higher means more confused."""

_UNPACKED_NAMES: Final = frozenset({"inputs", "labels", "ids", "additional_forward_args"})


class Numbering:
    """Number the samples of a loader, which may load one rank's part of a data set.

    A ``DistributedSampler`` knows the positions of its samples in the data set. For any other part
    the id is ``"<rank>/<position in the part>"``.
    """

    def __init__(self, loader: object, process_rank: ProcessRank | None) -> None:
        sampler = getattr(loader, "sampler", None)
        self._own: list[int] | None = None
        if process_rank is not None and isinstance(sampler, DistributedSampler):
            self._own = list(sampler)
        self._process_rank = process_rank
        self._taken = 0

    def take(self, count: int) -> tuple[Sequence[int], Sequence[object]]:
        """Return the positions of the next samples in the whole data set, and their default ids."""
        first, end = self._taken, self._taken + count
        self._taken = end
        if self._own is not None:
            own = self._own[first:end]
            return own, own
        if self._process_rank is None:
            return range(first, end), range(first, end)
        rank, world_size = self._process_rank
        positions = range(rank + first * world_size, rank + end * world_size, world_size)
        return positions, [f"{rank}/{number}" for number in range(first, end)]


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
            :class:`Numbering`.
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
) -> Iterator[tuple[Batch, Sequence[int]]]:
    """Yield each batch of a loader with its samples' positions in the data set."""
    from tqdm.auto import tqdm

    numbering = Numbering(loader, process_rank)
    names = None if ids is None else iter(ids)
    # None is tqdm's own choice: a bar on a terminal.
    hidden = True if process_rank and process_rank.rank else None
    for item in tqdm(loader, desc=title, unit="batch", disable=hidden):
        unpacked = _default_unpack(item) if unpack is None else _check_unpacked(unpack(item))
        given = {"labels": None, **unpacked}
        inputs = given["inputs"]
        size = len(inputs) if isinstance(inputs, Tensor) and inputs.dim() else 0
        positions, numbers = numbering.take(size)
        if "ids" not in given:
            given["ids"] = numbers if names is None else list(itertools.islice(names, size))
        elif ids is not None:
            raise ValueError(
                "ids must be given once, got them from scan(ids=…) and from unpack: leave one out"
            )
        yield Batch.of(**given, kind=kind), positions


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
