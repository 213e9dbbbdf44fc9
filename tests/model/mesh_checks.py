"""The checks of ``tests/model/test_mesh.py``: four ranks in a mesh of two dimensions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin
from testing import zoo
from testing.networks import convolutional, digits
from testing.torchrun import run
from testing.traces import State, flat
from tests.model.fsdp_checks import contents, local, the_same

STEPS = 3


def mesh() -> DeviceMesh:
    """Two groups of two ranks."""
    return init_device_mesh("cpu", (2, 2), mesh_dim_names=("outer", "inner"))


def copied_and_sharded(model: nn.Module) -> nn.Module:
    """Copy the model to both groups, and shard each copy within its group (HSDP)."""
    for layer in model.children():
        if list(layer.parameters()):
            fully_shard(layer, mesh=mesh())
    fully_shard(model, mesh=mesh())
    return model


def it_captures_what_the_whole_model_would(directory: Path) -> None:
    images, labels = digits()
    rows = slice(8 * dist.get_rank(), 8 * dist.get_rank() + 8)
    for name, model in (
        ("whole", convolutional()),
        ("sharded", copied_and_sharded(convolutional())),
    ):
        criterion = ProbabilityMargin(1)
        with GradAscentHook(model, directory / name, criterion=criterion, strict=True) as hook:
            generator = torch.Generator().manual_seed(dist.get_rank())
            logits = torch.randn(8, 10, generator=generator)
            assert hook(images[rows], logits, labels[rows], ids=range(rows.start, rows.stop)) == 4


def train(directory: Path | None) -> list[State]:
    torch.manual_seed(0)
    model = copied_and_sharded(zoo.batch_norm())
    torch.manual_seed(dist.get_rank())
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    hook = None
    if directory:
        options = {"criterion": ProbabilityMargin(1), "ascent": Ascent(max_steps=2)}
        hook = GradAscentHook(model, directory, every=1, strict=True, **options)  # type: ignore[arg-type]
    states: list[State] = []
    for step in range(STEPS):
        inputs = torch.randn(8, *zoo.SHAPE)
        logits = model(inputs)
        loss = logits.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # Ranks that record different numbers of samples stay in step.
        rows = 1 + (step + dist.get_rank()) % 4
        if hook:
            assert hook(inputs[:rows], logits[:rows]) == rows
        state = flat(local(optimizer.state_dict()["state"]))
        states.append({"model": contents(model), "optimizer": state, "loss": flat(loss)})
    if hook:
        hook.close()
    return states


def training_is_bit_for_bit_the_same(directory: Path) -> None:
    the_same(train(None), train(directory))


class Parallel(nn.Module):
    """Two layers, whose weights ``parallelize_module`` deals out."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(zoo.SHAPE[0] * zoo.SHAPE[1] * zoo.SHAPE[2], 8)
        self.two = nn.Linear(8, zoo.CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.two(self.one(x.flatten(1)).relu())
        return logits


def tensor_parallel_models_are_refused(directory: Path) -> None:
    plan = {"one": ColwiseParallel(), "two": RowwiseParallel()}
    model = Parallel()
    late = GradAscentHook(model, directory / "late", strict=True)
    parallelize_module(model, mesh()["inner"], plan)
    with pytest.raises(ValueError, match="must not be tensor-parallel"):
        GradAscentHook(model, directory)
    with pytest.raises(ValueError, match="must not be tensor-parallel"):
        late(torch.rand(4, *zoo.SHAPE), torch.zeros(4, zoo.CLASSES))
    late.close()
    fully_shard(model, mesh=mesh()["outer"])
    with pytest.raises(ValueError, match="must not be tensor-parallel"):
        GradAscentHook(model, directory)


CHECKS = (
    it_captures_what_the_whole_model_would,
    training_is_bit_for_bit_the_same,
    tensor_parallel_models_are_refused,
)

if __name__ == "__main__":
    run(CHECKS)
