"""The most confused samples that a loader gives, in bounded memory; it may be one rank's part."""

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
from tb_gradascent.training.batch import Batch, id_text
from tb_gradascent.training.distributed import Place, gather, is_connected, share

Unpack = Callable[[Any], Mapping[str, Any]]
"""What an item of a loader holds, by the names of what ``GradAscentHook.__call__`` is given:
``inputs``, and if there are any, ``labels``, ``ids`` and ``additional_forward_args``."""

Look = Callable[[Batch], Tensor]
"""Scores each sample of a batch, shape (N,), the higher the more confused."""

_NAMES: Final = frozenset({"inputs", "labels", "ids", "additional_forward_args"})


@dataclasses.dataclass(frozen=True, order=True)
class _Held:
    """Ordered by score; of equal scores the later one is the lesser."""

    score: float
    order: int
    inputs: Tensor = dataclasses.field(compare=False)
    label: int | None = dataclasses.field(compare=False)
    id: object = dataclasses.field(compare=False)
    forward_args: ForwardArgs = dataclasses.field(compare=False)


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


class Found(NamedTuple):
    """What a search came upon.

    Attributes:
        batches: The most confused samples, the highest score first.
        last: The last batch of all, if there was any.
        fault: What ended it before the loader did, an interrupt perhaps.
    """

    batches: Sequence[Batch]
    last: Batch | None
    fault: Exception | KeyboardInterrupt | None


def search(
    loader: Iterable[Any],
    top_k: int,
    looking: Callable[[], contextlib.AbstractContextManager[Look | None]],
    *,
    ids: Iterable[object] | None,
    unpack: Unpack | None,
    place: Place | None,
    title: str,
) -> Found:
    """The most confused of all samples that a loader gives, with a progress bar on the first rank.

    Args:
        loader: Gives the items, on each rank those of its part.
        top_k: Samples at the most.
        looking: A context that gives what scores a batch, or ``None`` where nobody is to look.
        ids: One a sample, in the loader's order, or ``None`` for :func:`number`'s.
        unpack: What an item holds; ``None`` for ``inputs`` or ``(inputs, labels, …)``.
        place: This process's, where several search, which all of them then have to. The samples
            found are on rank 0 then.
        title: The bar's.

    Raises:
        RuntimeError: Several search, and they are not connected, or another one failed.
        Exception: One of several failed. Of one alone it is among what is returned.
        KeyboardInterrupt: One of several was interrupted.
    """
    if place is not None and not is_connected():
        raise RuntimeError(
            "a scan by several processes needs torch.distributed.init_process_group(), since "
            'they tell each other what they found: call it first, or give ranks="zero"'
        )
    best = Best(top_k)
    last: Batch | None = None
    fault: Exception | None = None
    interrupt: KeyboardInterrupt | None = None
    try:
        with generators_kept(_parts(loader)), looking() as look:
            if look is not None:
                for last, places in _numbered(loader, ids, unpack, place, title):
                    best.offer(last, look(last), places)
    except Exception as error:
        fault = error
    except KeyboardInterrupt as error:
        interrupt = error
        if place is not None:  # the other ranks may be anywhere
            raise
    if place is not None:
        best = best.of_all_ranks(place, fault)
    return Found(list(best.batches()), last, interrupt or fault)


def _parts(loader: object, depth: int = 3) -> Iterator[object]:
    """A loader and what it loads by, any of which may hold a random generator."""
    yield loader
    for name in ("dataset", "sampler", "batch_sampler"):
        part = getattr(loader, name, None)
        # Bounded, since a data set may well hold itself.
        if depth and part is not None:
            yield from _parts(part, depth - 1)


def _numbered(
    loader: Iterable[Any],
    ids: Iterable[object] | None,
    unpack: Unpack | None,
    place: Place | None,
    title: str,
) -> Iterator[tuple[Batch, Iterator[int]]]:
    """Each batch of a loader, and each of its samples' place in the whole."""
    from tqdm.auto import tqdm

    numbering = number(loader, place)
    names = numbering.ids if ids is None else iter(ids)
    hidden = True if place and place.rank else None
    for item in tqdm(loader, desc=title, unit="batch", disable=hidden):
        given = {"labels": None, **(_plain(item) if unpack is None else _checked(unpack(item)))}
        if "ids" not in given:
            inputs = given["inputs"]
            size = len(inputs) if isinstance(inputs, Tensor) and inputs.dim() else 0
            given["ids"] = list(itertools.islice(names, size))
        elif ids is not None:
            raise ValueError("ids must be given once, and both scan and what unpack returns do")
        batch = Batch.of(**given)
        yield batch, itertools.islice(numbering.places, len(batch.inputs))


def _plain(item: object) -> Mapping[str, Any]:
    """What an item holds that nobody unpacks."""
    if isinstance(item, Mapping):
        raise ValueError(
            f"the loader gives mappings, with {', '.join(map(repr, item))}: say what they hold, "
            'unpack=lambda item: {"inputs": item[…], "labels": item[…]}'
        )
    if isinstance(item, (tuple, list)) and item:
        return dict(zip(("inputs", "labels"), item, strict=False))
    return {"inputs": item}


def _checked(given: object) -> Mapping[str, Any]:
    """What ``unpack`` has made of an item."""
    if not isinstance(given, Mapping) or not {"inputs"} <= given.keys() <= _NAMES:
        found = f"keys {', '.join(map(repr, given))}" if isinstance(given, Mapping) else ""
        raise ValueError(
            'unpack must return a mapping with "inputs" and, if there are any, "labels", "ids" and '
            f'"additional_forward_args", and returned {found or describe(given)}'
        )
    return given


class Best:
    """The samples with the highest scores of all that were offered.

    Args:
        top_k: How many are held, in the computer's own memory.
    """

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k
        self._heap: list[_Held] = []

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
            beside = batch.forward_args.alone(row)
            self._hold(_Held(score, -numbered[row], inputs, label, name, beside))

    def batches(self) -> Iterator[Batch]:
        """What is held, the highest score first.

        Neighbours of one shape make a batch, unless the model is given more than these.
        """
        for _, group in itertools.groupby(self._ordered(), key=_kind):
            alike = list(group)
            yield Batch(
                torch.stack([found.inputs for found in alike]),
                [found.label for found in alike],
                [found.id for found in alike],
                alike[0].forward_args,
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

    def _hold(self, found: _Held) -> None:
        if len(self._heap) < self._top_k:
            heapq.heappush(self._heap, found)
        else:
            heapq.heappushpop(self._heap, found)

    def _ordered(self) -> list[_Held]:
        return sorted(self._heap, reverse=True)


def _kind(found: _Held) -> object:
    """What those have in common that make one batch."""
    return found.inputs.shape if found.forward_args.none else found.order


def _identity(found: _Held) -> tuple[str | None, int]:
    """What two ranks' copies of one sample have in common."""
    pixels = found.inputs.float().contiguous().numpy()
    return id_text(found.id), google_crc32c.value(pixels.tobytes())
