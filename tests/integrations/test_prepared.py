"""The hook with models that Accelerate or Fabric has prepared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from lightning.fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tb_gradascent import GradAscentHook, read_samples
from testing.brief import BRIEF
from testing.networks import convolutional, digits

BATCH, STEPS = 16, 6

pytestmark = [
    # These are Lightning's own warnings.
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated"),
]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Clear the settings that Accelerate keeps in classes."""

    def clear() -> None:
        for state in (AcceleratorState, GradientState, PartialState):
            state._shared_state.clear()

    clear()
    yield
    clear()


def accelerated(precision: str) -> tuple[Any, Any, Any, Any]:
    accelerator = Accelerator(cpu=True, mixed_precision=precision)
    return accelerator.backward, *accelerator.prepare(*parts())


def fabricated(precision: str) -> tuple[Any, Any, Any, Any]:
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)  # type: ignore[arg-type]
    model, optimizer, loader = parts()
    model, optimizer = fabric.setup(model, optimizer)
    return fabric.backward, model, optimizer, fabric.setup_dataloaders(loader)


def parts() -> tuple[Any, Any, Any]:
    images, labels = digits()
    rows = slice(BATCH * STEPS)
    model = convolutional()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    return model, optimizer, DataLoader(TensorDataset(images[rows], labels[rows]), BATCH)


def train(prepared: tuple[Any, Any, Any, Any], folder: Path | None, *, attached: bool) -> Any:
    """Train in an ordinary loop, and return the model."""
    backward, model, optimizer, loader = prepared
    torch.manual_seed(1)
    hook = GradAscentHook(model, folder, every=2, strict=True, ascent=BRIEF) if folder else None
    if hook and attached:
        hook.attach(optimizer)
    for images, labels in loader:
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        backward(loss)
        optimizer.step()
        if hook and not attached:
            hook(images, logits, labels)
    if hook:
        hook.close()
    return model


@pytest.mark.parametrize("attached", [False, True], ids=["", "attached"])
@pytest.mark.parametrize(
    ("prepare", "precision"),
    [
        (accelerated, "no"),
        pytest.param(accelerated, "bf16", marks=pytest.mark.slow),
        (fabricated, "32-true"),
        pytest.param(fabricated, "bf16-mixed", marks=pytest.mark.slow),
        pytest.param(fabricated, "bf16-true", marks=pytest.mark.slow),
    ],
)
def test_a_prepared_model_trains_the_same_with_the_hook(
    tmp_path: Path, prepare: Any, precision: str, attached: bool
) -> None:
    hooked = train(prepare(precision), tmp_path, attached=attached)
    plain = train(prepare(precision), None, attached=attached)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, hooked.state_dict()[name]), name
    samples = list(read_samples(tmp_path))
    assert sorted({sample.step for sample in samples}) == [0, 2, 4]
    images, labels = digits()
    for sample in samples:
        rows = range(BATCH * sample.step, BATCH * (sample.step + 1))
        # Images are stored as the loop has them, in its own precision.
        (row,) = (r for r in rows if np.allclose(images[r].numpy(), sample.image, atol=0.01))
        assert sample.label == (None if attached else labels[row])
        assert all(np.abs(target.gradient).max() > 0 for target in sample.targets)
