"""The checks of ``tests/training/test_ddp.py``, which each DDP rank runs."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import tqdm.auto
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from tb_gradascent import Ascent, GradAscentHook, Misclassified, ProbabilityMargin, read_samples
from testing import zoo
from testing.networks import Scaled, aged, convolutional, digits
from testing.paths import ROOT
from testing.torchrun import run
from testing.traces import (
    State,
    contents,
    differences,
    flat,
    modes,
    random_states,
    untouched,
)

STEPS = 6


def train(directory: Path | None, **options: Any) -> list[State]:
    """Run a seeded training on this rank's own data, and return the state after each step."""
    rank = dist.get_rank()
    random.seed(rank)
    np.random.seed(rank)  # noqa: NPY002
    torch.manual_seed(0)
    model = DistributedDataParallel(zoo.batch_norm())
    torch.manual_seed(rank)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    hook = GradAscentHook(model, directory, every=1, strict=True, **options) if directory else None
    if hook:
        hook.probe(torch.rand(2, *zoo.SHAPE, generator=torch.Generator().manual_seed(1)))
    states: list[State] = []
    for step in range(STEPS):
        inputs = torch.randn(8, *zoo.SHAPE) + random.gauss(0, 1) + np.random.rand()  # noqa: NPY002
        labels = inputs.flatten(1)[:, : zoo.CLASSES].argmax(1)
        logits = model(inputs)
        loss = nn.functional.cross_entropy(logits, labels)
        if hook and step % 2:
            captures(hook, model, inputs, logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if hook and not step % 2:
            captures(hook, model, inputs, logits, labels)
        states.append(
            {
                "model": contents(model),
                "optimizer": flat(optimizer.state_dict()),
                "loss": flat(loss),
                "modes": modes(),
                "random": random_states(),
            }
        )
    if hook:
        hook.close()
    return states


def captures(hook: GradAscentHook, model: nn.Module, *batch: Tensor) -> None:
    before = untouched(model), collectives()
    hook(*batch)
    assert differences(before[0], untouched(model)) == []
    assert collectives() == before[1]


def collectives() -> int:
    """Return the number of collective operations of the process group so far."""
    group = dist.distributed_c10d._get_default_group()
    return int(group._get_sequence_number_for_group())  # type: ignore[attr-defined]  # no stub


def collectives_are_counted(_: Path) -> None:
    model = DistributedDataParallel(zoo.batch_norm())
    counts = [collectives()]
    dist.all_reduce(torch.zeros(1))
    counts.append(collectives())
    logits = model(torch.rand(4, *zoo.SHAPE))  # broadcasts the buffers
    counts.append(collectives())
    logits.sum().backward()
    counts.append(collectives())
    assert counts == sorted(set(counts)), counts


def training_is_bit_for_bit_the_same_and_no_collective_is_added(directory: Path) -> None:
    without = train(None)
    hooked = train(directory)
    for step, (expected, actual) in enumerate(zip(without, hooked, strict=True)):
        assert differences(expected, actual) == [], f"after step {step}"
    assert differences(hooked[0]["model"], hooked[-1]["model"]), "the weights must change"


def a_hook_on_one_rank_alone_waits_for_no_other(directory: Path) -> None:
    without = train(None)
    hooked = train(directory if dist.get_rank() == 1 else None)
    assert differences(dict(enumerate(without)), dict(enumerate(hooked))) == []


def each_rank_captures_from_its_own_batch(directory: Path) -> None:
    rank = dist.get_rank()
    images, labels = digits()
    rows = slice(64 * rank, 64 * rank + 64)
    model = DistributedDataParallel(convolutional())
    with GradAscentHook(model, directory, strict=True) as hook:
        logits = model(images[rows])
        ids = range(rows.start, rows.stop)
        assert hook(images[rows], logits, labels[rows], ids=ids) == 4


def rank_zero_alone(directory: Path) -> None:
    model = DistributedDataParallel(convolutional())
    images, labels = digits()
    with GradAscentHook(model, directory, every=1, ranks="zero", strict=True) as hook:
        hook.probe(images[:1])
        assert hook.is_due() == (dist.get_rank() == 0)
        captured = [hook(images[:8], model(images[:8]), labels[:8]) for _ in range(2)]
        handle = hook.attach(torch.optim.SGD(model.parameters(), 0.1))
        handle.remove()
        # Rank 0 scans all images, and the other rank does not wait.
        captured.append(hook.scan(images[:64].split(16), top_k=3))
        assert captured == ([5, 5, 3] if dist.get_rank() == 0 else [0, 0, 0])
        assert hook.stats.captured == sum(captured)


def the_progress_of_a_scan_is_shown_once(directory: Path) -> None:
    shown: list[object] = []

    class Bar(tqdm.auto.tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            shown.append(kwargs["disable"])
            super().__init__(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tqdm.auto, "tqdm", Bar)
        with GradAscentHook(convolutional(), directory, strict=True) as hook:
            hook.scan([torch.rand(4, 1, 8, 8)])
    # None is tqdm's own choice: a bar on a terminal.
    assert shown == ([None] if dist.get_rank() == 0 else [True])


def the_budget_is_shared(directory: Path) -> None:
    model = convolutional()
    images, _ = digits()
    with GradAscentHook(model, directory, every=1, budget_mb=0.2) as hook:
        for _ in range(40):
            hook(images[:8], torch.zeros(8, 10))
    assert 50_000 < hook.stats.bytes <= 100_000


def scanned(model: nn.Module, directory: Path, images: Tensor, labels: Tensor) -> int:
    """Scan this rank's part. The sampler gives the last samples to both ranks."""
    data = TensorDataset(images, labels)
    loader = DataLoader(data, batch_size=50, sampler=DistributedSampler(data, shuffle=False))
    with GradAscentHook(model, directory, strict=True, criterion=Misclassified()) as hook:
        return hook.scan(loader, step=3, top_k=20)


def a_scan_finds_the_most_confused_of_the_whole(directory: Path) -> None:
    images, labels = digits("test")
    model = DistributedDataParallel(convolutional())
    captured = scanned(model, directory, images[:301], labels[:301])
    assert captured == (20 if dist.get_rank() == 0 else 0)


def a_scan_keeps_no_sample_twice(directory: Path) -> None:
    images, labels = digits("test")
    model = DistributedDataParallel(convolutional())
    scanned(model, directory, images[:11], (labels[:11] + 1) % 10)


def a_scan_of_parts_that_the_user_made(directory: Path) -> None:
    """The parts differ in length, and one has no batch."""
    images, _ = digits("test")
    part: Sequence[Tensor] = [images[:30], images[30:60]] if dist.get_rank() == 0 else []
    with GradAscentHook(convolutional(), directory, strict=True) as hook:
        hook.scan(part, top_k=4)


def a_scan_of_a_model_of_two_inputs(directory: Path) -> None:
    images, ages = aged(11)
    data = TensorDataset(images, ages)
    sampler: DistributedSampler[Any] = DistributedSampler(data, shuffle=False)
    model = DistributedDataParallel(Scaled())
    options: Any = {"criterion": ProbabilityMargin(1), "targets": "all", "ascent": None}
    with GradAscentHook(model, directory, strict=True, **options) as hook:
        captured = hook.scan(
            DataLoader(data, batch_size=4, sampler=sampler),
            unpack=lambda item: {"inputs": item[0], "additional_forward_args": {"age": item[1]}},
            top_k=5,
        )
    assert captured == (5 if dist.get_rank() == 0 else 0)


def a_scan_that_fails_on_one_rank_fails_on_all(directory: Path) -> None:
    images, _ = digits("test")
    part = [images[:30], images[:1].long() if dist.get_rank() == 1 else images[:1]]
    message = "the scan failed on rank 1: ValueError: inputs must be"
    with GradAscentHook(convolutional(), directory, strict=True) as hook:
        with pytest.raises((RuntimeError, ValueError), match="inputs must be") as caught:
            hook.scan(part)
        assert (message in str(caught.value)) == (dist.get_rank() == 0)


def a_rank_whose_captures_fail_does_not_hold_up_the_others(directory: Path) -> None:
    def criterion(logits: Tensor, labels: Tensor | None) -> Tensor:
        return torch.zeros(len(logits)) if dist.get_rank() else logits[:1, 0]

    model = DistributedDataParallel(convolutional())
    images, _ = digits()
    with GradAscentHook(
        model, directory, every=1, criterion=criterion, ascent=Ascent(max_steps=1)
    ) as hook:
        captured = [hook(images[:8], model(images[:8])) for _ in range(12)]
    assert captured == [4 * dist.get_rank()] * 12


def the_page_of_the_docs_runs(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    page = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 5
    images, labels = digits()
    rows = slice(64 * dist.get_rank(), 64 * dist.get_rank() + 64)
    own = TensorDataset(images[rows], labels[rows])
    test_set = TensorDataset(images[:200], labels[:200])
    known: list[Any] = [DataLoader, DistributedDataParallel, DistributedSampler, GradAscentHook]
    known += [fully_shard, read_samples]
    for number, block in enumerate(blocks):
        # Each block starts with a new model.
        scope: dict[str, Any] = {thing.__name__: thing for thing in known}
        scope |= {"test_set": test_set}
        scope |= {"model": convolutional(), "loader": DataLoader(own, batch_size=32)}
        scope |= {"inputs": images[rows], "labels": labels[rows], "logits": torch.zeros(64, 10)}
        if "hook =" not in block:
            scope["hook"] = GradAscentHook(scope["model"], directory / "scan", strict=True)
        store = f"{directory.as_uri()}/store/{dist.get_rank()}/"
        code = block.replace("s3://bucket/", store).replace('"runs/', f'"{directory}/{number}/')
        exec(code, scope)  # noqa: S102
        scope["hook"].close()
        assert scope["hook"].stats.failed == 0
        assert len(scope.get("samples", [4] * 4)) == 4


CHECKS = (
    collectives_are_counted,
    training_is_bit_for_bit_the_same_and_no_collective_is_added,
    a_hook_on_one_rank_alone_waits_for_no_other,
    each_rank_captures_from_its_own_batch,
    rank_zero_alone,
    the_progress_of_a_scan_is_shown_once,
    the_budget_is_shared,
    a_scan_finds_the_most_confused_of_the_whole,
    a_scan_keeps_no_sample_twice,
    a_scan_of_parts_that_the_user_made,
    a_scan_of_a_model_of_two_inputs,
    a_scan_that_fails_on_one_rank_fails_on_all,
    a_rank_whose_captures_fail_does_not_hold_up_the_others,
    the_page_of_the_docs_runs,
)

if __name__ == "__main__":
    run(CHECKS)
