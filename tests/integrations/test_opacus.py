"""The hook in a differentially private training by Opacus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tb_gradascent import GradAscentHook, ProbabilityMargin, read_samples
from testing.networks import digits

opacus = pytest.importorskip("opacus", reason="opacus is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def train(folder: Path | None, *, before_step: bool = False, attached: bool = False) -> Any:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(676, 10))
    images, labels = digits()
    model, optimizer, loader = opacus.PrivacyEngine().make_private(
        module=network,
        optimizer=torch.optim.SGD(network.parameters(), 0.1),
        data_loader=DataLoader(TensorDataset(images[:64], labels[:64]), 16),
        noise_multiplier=1.0,
        max_grad_norm=1.0,
        poisson_sampling=False,
        noise_generator=torch.Generator().manual_seed(0),
    )
    hook = None
    if folder:
        criterion = ProbabilityMargin(1)
        hook = GradAscentHook(model, folder, every=1, criterion=criterion, strict=True)
        if attached:
            hook.attach(optimizer.original_optimizer)
    for x, y in loader:
        optimizer.zero_grad()
        logits = model(x)
        nn.functional.cross_entropy(logits, y).backward()
        if hook and before_step and not attached:
            hook(x, logits, y)
        optimizer.step()
        if hook and not (before_step or attached):
            hook(x, logits, y)
    if hook:
        hook.close()
    return network


@pytest.mark.parametrize(
    "options", [{}, {"before_step": True}, {"attached": True}], ids=["after", "before", "attached"]
)
def test_a_private_training_is_the_same_with_the_hook(
    tmp_path: Path, options: dict[str, bool]
) -> None:
    hooked, plain = train(tmp_path, **options), train(None)
    for one, other in zip(hooked.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, other)
    samples = list(read_samples(tmp_path))
    assert {sample.step for sample in samples} == {0, 1, 2, 3}
    if not options:
        last = [sample for sample in samples if sample.step == 3]
        for sample in last:
            logits = plain(torch.from_numpy(sample.image)[None])[0]
            chances = logits.softmax(0).detach()[list(sample.classes)]
            np.testing.assert_allclose(sample.probabilities, chances, atol=1e-5)
