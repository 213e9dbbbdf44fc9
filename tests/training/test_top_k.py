"""``TopK`` against a sort of everything, and a scan that waits for no device."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tb_gradascent import GradAscentHook, Loss, ProbabilityMargin, read_samples
from tb_gradascent.training import top_k as top_k_module
from tb_gradascent.training.batch import Batch
from tb_gradascent.training.top_k import Candidate, TopK
from testing.networks import convolutional, digits

SHAPE = (1, 3, 4)


def batches_of_any_kind(seed: int) -> Iterator[tuple[Batch, Tensor, list[int]]]:
    """Batches with ties, NaN, infinite scores, and labels and ids that come and go."""
    draw = random.Random(seed)  # noqa: S311
    generator = torch.Generator().manual_seed(seed)
    numbers = list(range(200))
    if seed % 2:
        draw.shuffle(numbers)
    values = [-torch.inf, torch.nan, torch.inf, 0.0, 0.25, 0.25, 0.5, 0.5, -3.0]
    while numbers:
        size = min(len(numbers), draw.choice([1, 2, 7, 20]))
        positions, numbers = numbers[:size], numbers[size:]
        shape = draw.choice([SHAPE, SHAPE, SHAPE, (1, 2, 2)]) if seed % 3 == 0 else SHAPE
        inputs = torch.rand(size, *shape, generator=generator)
        labels: Any = draw.choice(
            [None, torch.arange(size) - 1, [None if row % 3 else row for row in range(size)]]
        )
        ids: Any = draw.choice([None, range(size), [f"{number} of it" for number in positions]])
        scores = torch.tensor([draw.choice(values) for _ in range(size)])
        if seed % 5 == 0:
            scores = scores > 0
        yield Batch(inputs, labels, ids), scores, positions


def by_hand(offered: list[tuple[Batch, Tensor, list[int]]], count: int) -> list[list[Any]]:
    found: list[list[Any]] = []
    for batch, scores, positions in offered:
        for row, (score, position) in enumerate(zip(scores.tolist(), positions, strict=True)):
            taken = score if isinstance(score, bool) else score > -np.inf
            if not taken:
                continue
            label = -1 if batch.labels is None else batch.labels[row]
            label = -1 if label is None else int(label)
            found.append(
                [
                    0.0 if isinstance(score, bool) else score,
                    position,
                    label if label >= 0 else None,
                    None if batch.ids is None else batch.ids[row],
                    batch.inputs[row].tolist(),
                ]
            )
    return sorted(found, key=lambda sample: (-sample[0], sample[1]))[:count]


def told(candidates: list[Candidate]) -> list[list[Any]]:
    return [[c.score, -c.order, c.label, c.id, c.inputs.tolist()] for c in candidates]


@pytest.mark.parametrize("way", ["on the device", "read in each batch", "ids are read often"])
@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=[] if n < 6 else pytest.mark.slow) for n in range(12)]
)
def test_the_best_of_all_batches_are_kept(
    seed: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of equal scores the earlier position wins, also within a batch and between batches."""
    if way == "read in each batch":
        monkeypatch.setattr(top_k_module, "_POOL_BYTES", 0)
    if way == "ids are read often":
        monkeypatch.setattr(top_k_module, "_IDS", 5)
    offered = list(batches_of_any_kind(seed))
    for count in (1, 4, 30, 300):
        best = TopK(count)
        for batch, scores, positions in offered:
            best.offer(batch, scores, positions)
        assert told(best.candidates()) == by_hand(offered, count)
        assert told(best.candidates()) == by_hand(offered, count), "reading changes nothing"


def test_samples_may_come_after_a_reading() -> None:
    offered = list(batches_of_any_kind(1))
    best = TopK(10)
    for batch, scores, positions in offered:
        best.offer(batch, scores, positions)
        best.candidates()
    assert told(best.candidates()) == by_hand(offered, 10)


def test_later_writes_to_a_batch_change_no_kept_sample() -> None:
    batch = Batch(torch.ones(3, *SHAPE), torch.tensor([1, 2, 3]), ["a", "b", "c"])
    best = TopK(2)
    best.offer(batch, torch.tensor([1.0, 3.0, 2.0]), range(3))
    batch.inputs.zero_()
    assert isinstance(batch.labels, Tensor)
    batch.labels.zero_()
    assert [(c.id, c.label, c.inputs.min().item()) for c in best.candidates()] == [
        ("b", 2, 1),
        ("c", 3, 1),
    ]


def test_ids_of_samples_that_are_not_kept_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_k_module, "_IDS", 100)
    best = TopK(3)
    for first in range(0, 10_000, 20):
        ids = [f"id {number}" for number in range(first, first + 20)]
        best.offer(
            Batch(torch.rand(20, *SHAPE), None, ids), torch.rand(20), range(first, first + 20)
        )
        assert sum(len(part) for _, part in best._ids) <= 120
        assert len(best._known_ids) <= 3


class Reads(TorchDispatchMode):
    """Counts the operations for which the computer would wait for a GPU, by batch."""

    WAITS = frozenset({"_local_scalar_dense", "nonzero", "equal", "is_nonzero", "masked_select"})

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.batch = 0
        self.found: list[tuple[int, str]] = []

    def note(self, name: str) -> None:
        self.found.append((self.batch, name))

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        if name in self.WAITS:
            self.note(name)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("criterion", [ProbabilityMargin(1), Loss()])
def test_a_scan_reads_nothing_back_between_its_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, criterion: Any
) -> None:
    """Seen on a CPU: it calls no function that would wait for a GPU."""
    images, labels = digits("test")
    pairs = list(zip(images[:400].split(20), labels[:400].split(20), strict=True))
    reads = Reads()
    for name in ("tolist", "cpu", "numpy"):
        original = getattr(Tensor, name)

        def noted(own: Tensor, *args: Any, name: str = name, original: Any = original) -> Any:
            reads.note(name)
            return original(own, *args)

        monkeypatch.setattr(Tensor, name, noted)
    # On a CPU the range is looked at, because this costs no wait there.
    monkeypatch.setattr(Tensor, "is_cpu", property(lambda _: False))

    def stream() -> Iterator[Any]:
        for reads.batch in itertools.count(1):
            if reads.batch > len(pairs):
                return
            yield pairs[reads.batch - 1]

    with GradAscentHook(
        convolutional(), tmp_path, criterion=criterion, ascent=None, strict=True
    ) as hook:
        with reads:
            assert hook.scan(stream(), top_k=5) == 5
    checked = {1, 2, 4, 8, 16}
    during = [read for read in reads.found if read[0] <= len(pairs)]
    assert {batch for batch, _ in during} <= checked, during
    assert {name for batch, name in reads.found if batch > len(pairs)} >= {"tolist", "cpu"}
    assert len(list(read_samples(tmp_path))) == 5
