"""One-dimensional signals, from the training loop to the record."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import GradAscentHook, Sample, read_samples

LENGTH = 96
MEAN, STD = (0.0, 1.0, -3.0), (1.0, 2.0, 0.5)


def waves(samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noisy sines (N, 3, LENGTH), normalized. The label is the frequency's index."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (samples,), generator=generator)
    time = torch.linspace(0, 1, LENGTH)
    phase = torch.rand(samples, 3, 1, generator=generator)
    clean = (2 * torch.pi * ((3 + labels[:, None, None]) * time + phase)).sin()
    noise = 0.7 * torch.randn(samples, 3, LENGTH, generator=generator)
    return (clean + noise).clamp(-3, 3), labels


def classifier() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(3, 16, 9, stride=2, padding=4),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Conv1d(16, 16, 9, stride=2, padding=4),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(16 * 24, 4),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, list[Sample], Tensor]:
    """A classifier trained with the hook, what was recorded of its end, and the bounds (2, 3, 1).

    The last capture follows the last step, so that the network is still the one that was asked.
    """
    logdir = tmp_path_factory.mktemp("signals")
    model = classifier()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    inputs, labels = waves(512, 0)
    low, high = (tuple(side / std for std in STD) for side in (-3.0, 3.0))
    with GradAscentHook(
        model, logdir, every=20, mean=MEAN, std=STD, bounds=(low, high), strict=True
    ) as hook:
        hook.probe(inputs[:1], nn.functional.one_hot(labels[:1], 4), ids=["a wave"])
        for step in range(21):
            rows = torch.arange(64) + 64 * (step % 8)
            optimizer.zero_grad()
            logits = model(inputs[rows])
            nn.functional.cross_entropy(logits, labels[rows]).backward()
            optimizer.step()
            hook(inputs[rows], logits.detach(), labels[rows].numpy(), ids=rows)
    samples = list(read_samples(logdir, step=20))
    return model.eval(), samples, torch.tensor([low, high])[..., None]


def test_signals_are_recorded_and_read_back(
    trained: tuple[nn.Module, list[Sample], Tensor],
) -> None:
    _, samples, _ = trained
    inputs, labels = waves(512, 0)
    assert sorted(sample.probe for sample in samples) == [False] * 4 + [True]
    for sample in samples:
        row = 0 if sample.probe else int(sample.id or -1)
        assert sample.id == ("a wave" if sample.probe else str(row))
        assert sample.label == labels[row]
        assert (sample.mean, sample.std) == (MEAN, STD)
        np.testing.assert_array_equal(sample.image, inputs[row].numpy())
        for target in sample.targets[1:]:
            assert target.delta is not None
            assert target.gradient.shape == target.delta.shape == (3, LENGTH)


def test_a_signals_gradient_equals_torchs(
    trained: tuple[nn.Module, list[Sample], Tensor],
) -> None:
    model, samples, _ = trained
    for sample in samples:
        for target in sample.targets:
            x = torch.tensor(sample.image)[None].requires_grad_()
            (expected,) = torch.autograd.grad(model(x)[0, target.index], x)
            error = np.abs(target.gradient - expected[0].numpy()).max()
            assert error <= 1e-3 * expected.abs().max()


def test_a_signals_morph_gives_the_recorded_response(
    trained: tuple[nn.Module, list[Sample], Tensor],
) -> None:
    model, samples, _ = trained
    for sample in samples:
        for target in sample.targets[1:]:
            assert target.delta is not None
            morphs = sample.image + target.strengths[:, None, None] * target.delta
            with torch.no_grad():
                chances = model(torch.tensor(morphs)).softmax(1)
            np.testing.assert_array_equal(chances.argmax(1), target.predictions)
            np.testing.assert_allclose(chances[:, target.index], target.probabilities, atol=1e-4)


def test_a_signals_morph_stays_within_each_channels_bounds(
    trained: tuple[nn.Module, list[Sample], Tensor],
) -> None:
    _, samples, (low, high) = trained
    touched = torch.zeros(3, dtype=torch.bool)
    for sample in samples:
        image = torch.tensor(sample.image)
        for target in sample.targets[1:]:
            assert target.delta is not None
            delta = torch.tensor(target.delta)
            slack = delta.abs().max() / 250  # half a quantum of what is stored
            assert (image + delta >= torch.minimum(low, image) - slack).all()
            assert (image + delta <= torch.maximum(high, image) + slack).all()
            touched |= ((image < low) | (image > high)).any(1)
    assert touched.any(), "some values begin outside of the bounds"
