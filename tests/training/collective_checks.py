"""The checks of ``tests/training/test_collectives.py``, which each rank runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tb_gradascent import GradAscentHook, ProbabilityMargin, read_samples
from testing.networks import digits
from testing.torchrun import run


class Sharing(nn.Module):
    """It normalises by a mean over all ranks, in eval mode too."""

    def __init__(self, gathers: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(784, 10)
        self.gathers = gathers
        self.hook: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if self.hook is None or not self.hook.capturing:
            mean = x.detach().mean()
            if self.gathers:
                means = [torch.empty_like(mean) for _ in range(dist.get_world_size())]
                dist.all_gather(means, mean)
                mean = torch.stack(means).mean()
            else:
                dist.all_reduce(mean)
            x = x - mean
        logits: Tensor = self.linear(x.flatten(1))
        return logits


def step(model: nn.Module, hook: GradAscentHook, number: int) -> int:
    images, labels = digits()
    start = 32 * number + 16 * dist.get_rank()
    x, y = images[start : start + 16], labels[start : start + 16]
    logits = model(x)
    nn.functional.cross_entropy(logits, y).backward()
    return hook(x, logits, y)


def refused(directory: Path) -> None:
    for gathers in (False, True):
        model = DistributedDataParallel(Sharing(gathers))
        with GradAscentHook(model, directory, every=1) as hook:
            for number in range(3):
                # The ranks are not in step: only one of them captures at all.
                if dist.get_rank() == 0:
                    assert step(model, hook, number) == 0
                else:
                    model(digits()[0][:16]).sum().backward()
            failed = [notice.message for notice in hook.health if "failed" in notice.code]
            assert len(failed) == (dist.get_rank() == 0), failed
            assert all("wait for other processes" in message for message in failed)


def captured_without_the_operation(directory: Path) -> None:
    model = DistributedDataParallel(Sharing())
    criterion = ProbabilityMargin(1)
    with GradAscentHook(model, directory, every=1, criterion=criterion, strict=True) as hook:
        model.module.hook = hook
        for number in range(2):
            assert step(model, hook, number) == 4
    dist.barrier()
    assert {sample.rank for sample in read_samples(directory)} == {0, 1}


def strict(directory: Path) -> None:
    model = DistributedDataParallel(Sharing())
    with GradAscentHook(model, directory, strict=True) as hook:
        with pytest.raises(RuntimeError, match="must not wait for other processes"):
            step(model, hook, 0)


CHECKS = (refused, captured_without_the_operation, strict)

if __name__ == "__main__":
    run(CHECKS)
