"""The checks of ``tests/integrations/test_deepspeed.py``, which each of two ranks runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["DS_ACCELERATOR"] = "cpu"  # read when DeepSpeed is imported

import deepspeed
import pytest
import torch
import torch.distributed as dist
from torch import nn

from tb_gradascent import GradAscentHook, ProbabilityMargin
from testing.networks import convolutional, digits
from testing.torchrun import run
from testing.traces import differences, flat

BATCH, STEPS = 8, 4


def engine_of(stage: int) -> tuple[Any, Any]:
    """Return DeepSpeed's engine and optimizer."""
    deepspeed.ops.__compatible_ops__.clear()  # it would compile C++ for minutes
    deepspeed.init_distributed("gloo", verbose=False)
    torch.manual_seed(0)
    model = convolutional()
    engine, optimizer, *_ = deepspeed.initialize(
        model=model,
        optimizer=torch.optim.Adam(model.parameters(), 1e-3),
        config={
            "train_micro_batch_size_per_gpu": BATCH,
            "gradient_accumulation_steps": 2,
            "zero_optimization": {"stage": stage},
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,
        },
    )
    return engine, optimizer


def train(stage: int, directory: Path | None, *, attached: bool = False) -> object:
    engine, optimizer = engine_of(stage)
    hook = None
    if directory:
        criterion = ProbabilityMargin(1)
        hook = GradAscentHook(engine, directory, every=1, criterion=criterion, strict=True)
        if attached:
            hook.attach(optimizer)
    torch.manual_seed(dist.get_rank())
    images, labels = (tensor.chunk(2)[dist.get_rank()] for tensor in digits())
    for step in range(STEPS):
        rows = slice(BATCH * step, BATCH * (step + 1))
        logits = engine(images[rows])
        loss = nn.functional.cross_entropy(logits, labels[rows])
        engine.backward(loss)
        engine.step()
        # The ranks record different numbers of samples, and do not wait for each other.
        if hook and not attached:
            count = 1 + (step + dist.get_rank()) % 4
            assert hook(images[rows][:count], logits[:count], labels[rows][:count]) == count
    if hook:
        hook.close()
    if directory:  # with this rank's own averages of the batch norm
        torch.save(engine.module.state_dict(), directory / f"model{dist.get_rank()}.pt")
    return flat(engine.module.state_dict())


def zero_1_and_2_train_bit_for_bit_the_same(directory: Path) -> None:
    for stage in (1, 2):
        plain = train(stage, None)
        assert differences(plain, train(stage, directory / str(stage))) == []
        name = f"{stage} attached"
        assert differences(plain, train(stage, directory / name, attached=True)) == []


def zero_3_is_refused(directory: Path) -> None:
    engine, _ = engine_of(3)
    with pytest.raises(ValueError, match="must not be sharded by DeepSpeed's ZeRO-3"):
        GradAscentHook(engine, directory)


CHECKS = (zero_1_and_2_train_bit_for_bit_the_same, zero_3_is_refused)

if __name__ == "__main__":
    run(CHECKS)
