"""Inputs that are no images: one-dimensional signals, from the training loop to the screen."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from playwright.sync_api import Locator, Page
from torch import Tensor, nn

from tb_gradascent import GradAscentHook, Sample, read_samples
from tests.browser import open_tab, read_pixels, set_strength
from tests.synthetic import make_captures, write_session

LENGTH = 96
MEAN, STD = (0.0, 1.0, -3.0), (1.0, 2.0, 0.5)


def waves(samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noisy sines (N, 3, LENGTH), normalized; the label is the frequency's place."""
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
        for target in sample.targets:
            assert target.delta is not None
            assert target.gradient.shape == target.delta.shape == (3, LENGTH)


def test_a_signals_gradient_is_torchs_of_it_alone(
    trained: tuple[nn.Module, list[Sample], Tensor],
) -> None:
    model, samples, _ = trained
    for sample in samples:
        for target in sample.targets:
            x = torch.tensor(sample.image)[None].requires_grad_()
            (expected,) = torch.autograd.grad(model(x)[0, target.index], x)
            error = np.abs(target.gradient - expected[0].numpy()).max()
            assert error <= 1e-3 * expected.abs().max()


def test_a_signals_morph_has_the_response_that_was_recorded(
    trained: tuple[nn.Module, list[Sample], Tensor],
) -> None:
    model, samples, _ = trained
    for sample in samples:
        for target in sample.targets:
            assert target.delta is not None
            morphs = sample.image + target.strengths[:, None, None] * target.delta
            with torch.no_grad():
                chances = model(torch.tensor(morphs)).softmax(1)
            np.testing.assert_array_equal(chances.argmax(1), target.predictions)
            np.testing.assert_allclose(chances[:, target.index], target.probabilities, atol=1e-4)


def test_a_signals_morph_keeps_within_each_channels_own_bounds(
    trained: tuple[nn.Module, list[Sample], Tensor],
) -> None:
    _, samples, (low, high) = trained
    touched = torch.zeros(3, dtype=torch.bool)
    for sample in samples:
        image = torch.tensor(sample.image)
        for target in sample.targets:
            assert target.delta is not None
            delta = torch.tensor(target.delta)
            slack = delta.abs().max() / 250  # half a quantum of what is stored
            assert (image + delta >= torch.minimum(low, image) - slack).all()
            assert (image + delta <= torch.maximum(high, image) + slack).all()
            touched |= ((image < low) | (image > high)).any(1)
    assert touched.any(), "some values begin outside of the bounds"


@pytest.mark.browser
@pytest.mark.parametrize("shape", [(1, 100), (12, 700)], ids=str)
def test_a_signal_is_painted_as_a_strip_with_its_morph(
    serve: Callable[..., str], page: Page, tmp_path: Path, shape: tuple[int, int]
) -> None:
    write_session(tmp_path / "run", make_captures(1, shape=shape))
    recorded = {sample.index: sample for sample in read_samples(tmp_path)}
    tab = open_tab(page, serve(tmp_path))
    tab.locator(".sample[data-painted]").first.wait_for()
    set_strength(tab, 0.5)
    cards = tab.locator(".sample[data-painted]").all()
    assert cards
    for card in cards:
        sample = recorded[int((card.get_attribute("data-sample") or "").rpartition(".")[2])]
        assert card.locator(".heading").first.inner_text() == "original"
        canvas = card.locator("canvas.panels")
        panels = json.loads(canvas.get_attribute("data-panels") or "")
        original = strip(canvas, panels["image"], shape[0])
        assert original == pytest.approx(levels(sample.image), abs=2)
        for target, panel in zip(sample.targets, panels["targets"], strict=True):
            assert target.delta is not None
            morph = strip(canvas, panel["morph"], shape[0])
            assert morph == pytest.approx(levels(sample.image + 0.5 * target.delta), abs=2)
            gradient = rows_of(canvas, panel["gradient"], shape[0])
            redness = gradient[..., 0] - gradient[..., 2]
            slope = shortened(target.gradient)
            share = slope / np.abs(slope).max()
            assert (redness[share > 0.1] > 0).all()
            assert (redness[share < -0.1] < 0).all()


def rows_of(canvas: Locator, panel: list[int], channels: int) -> npt.NDArray[np.int64]:
    """A strip's colours, shape (channels, width, 3); each row is painted several times."""
    left, top, width, height = panel
    high = height // channels
    rows = [read_pixels(canvas, left, top + high * i, width, high) for i in range(channels)]
    assert all((row == row[:1]).all() for row in rows)
    return np.stack([row[0] for row in rows])


def strip(canvas: Locator, panel: list[int], channels: int) -> npt.NDArray[np.int64]:
    """A strip's grey levels, shape (channels, width)."""
    rows = rows_of(canvas, panel, channels)
    assert (rows == rows[..., :1]).all(), "a strip is grey"
    return rows[..., 0]


def levels(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """What the bounds of ``synthetic.DIGITS`` make of a signal."""
    shown: npt.NDArray[np.float64] = np.clip((shortened(signal) + 0.4242) / 3.2457, 0, 1) * 255
    return shown


def shortened(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """At most 512 values a channel, each the mean of a share of them."""
    length = signal.shape[1]
    pixels = min(length, 512)
    ends = np.arange(pixels + 1) * length // pixels
    shares = [signal[:, a:b].mean(1) for a, b in itertools.pairwise(ends)]
    return np.stack(shares, 1).astype(np.float64)
