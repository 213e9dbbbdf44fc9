"""``Sample.figure`` draws the recorded arrays."""

from __future__ import annotations

import dataclasses
import importlib
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin, Sample, read_samples
from testing.brief import BRIEF
from testing.networks import MEAN, STD, convolutional, digits, trained
from testing.painted import painted

NAMES = tuple(f"digit {index}" for index in range(10))


def record(logdir: Path, inputs: torch.Tensor, model: torch.nn.Module, **options: Any) -> Sample:
    with GradAscentHook(
        model, logdir, criterion=ProbabilityMargin(1), strict=True, **options
    ) as hook:
        hook.scan([inputs], top_k=1)
    (sample,) = read_samples(logdir)
    return sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A digit with two targets, each with two morphs."""
    images, _ = digits("test")
    model = trained()
    options = {"class_names": NAMES, "mean": MEAN, "std": STD, "targets": [3, 5, 8]}
    return record(tmp_path_factory.mktemp("runs"), images[:50], model, **options)


@pytest.fixture(scope="module")
def small(sample: Sample) -> Sample:
    """The digit with one target. Its figure is drawn soon."""
    return dataclasses.replace(sample, targets=sample.targets[:1])


def pictures(figure: Any) -> dict[str, Any]:
    """The images of the axes, by title, each as the colours that matplotlib paints."""
    found = {}
    for axes in figure.axes:
        for drawn in axes.images:
            found[axes.get_title()] = drawn
    return found


def test_pictures_are_the_recorded_arrays(sample: Sample) -> None:
    strength = float(sample.targets[0].strengths[3])
    found = pictures(sample.figure(strength=strength))
    for target in sample.targets:
        name = NAMES[target.index]
        gradient = found.pop(f"gradient of {name}")
        np.testing.assert_array_equal(gradient.get_array(), target.gradient[0])
        assert gradient.norm.vmax == -gradient.norm.vmin == np.abs(target.gradient).max()
        # Red is where a brighter pixel raises the score.
        red, _, blue, _ = gradient.cmap(gradient.norm(gradient.norm.vmax / 2))
        assert red > blue
        for own, morph in target.morphs.items():
            shown = found.pop(f"{own}, {name}").get_array()
            point = painted(sample, strength, morph.delta)[0, 0].numpy()
            np.testing.assert_allclose(shown, (point * STD + MEAN).clip(0, 1), atol=1e-6)
    original = found.pop("original")
    np.testing.assert_allclose(original.get_array(), sample.image[0] * STD + MEAN, atol=1e-6)
    assert not found


def test_the_painted_pixels_agree_with_the_image(small: Sample) -> None:
    """From the file that is saved: the digit's pixels, and the bright and the dark ones."""
    figure = small.figure()
    axes = next(axes for axes in figure.axes if axes.get_title() == "original")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    box = axes.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    page = np.asarray(Image.open(file).convert("L")).astype(float) / 255
    expected = (small.image[0] * STD + MEAN).clip(0, 1)
    for row in range(0, 28, 3):
        for column in range(0, 28, 3):
            x = int((box.x0 + (column + 0.5) / 28 * box.width) * 100)
            y = page.shape[0] - int((box.y1 - (row + 0.5) / 28 * box.height) * 100)
            assert page[y, x] == pytest.approx(expected[row, column], abs=0.02)


def test_curves_are_the_recorded_answers(sample: Sample) -> None:
    curves = [axes for axes in sample.figure(strength=0.5).axes if axes.lines]
    morphs = [morph for target in sample.targets for morph in target.morphs.values()]
    assert len(curves) == len(morphs) >= 2
    for axes, morph in zip(curves, morphs, strict=True):
        target, original, mark = axes.lines
        np.testing.assert_array_equal(target.get_xdata(), morph.strengths)
        np.testing.assert_array_equal(target.get_ydata(), morph.probabilities)
        np.testing.assert_array_equal(original.get_ydata(), morph.original_probabilities)
        assert np.unique(np.asarray(mark.get_xdata())).tolist() == [0.5]
        legend = axes.get_legend()
        assert legend is not None
        labels = [text.get_text() for text in legend.get_texts()]
        assert labels == [NAMES[morph.target], NAMES[sample.classes[0]]]


def test_the_title_is_the_verdict(sample: Sample) -> None:
    labelled = dataclasses.replace(sample, label=4)
    first, second = (NAMES[index] for index in sample.classes[:2])
    title = labelled.figure().get_suptitle()
    expected = f"predicts {first} ({100 * sample.probabilities[0]:.0f} %), {second} ("
    assert title.startswith(expected)
    assert title.endswith("; labelled digit 4")
    assert "labelled" not in sample.figure().get_suptitle()


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colour_is_drawn_as_colour(tmp_path: Path, channels: int) -> None:
    inputs = torch.rand(1, channels, 9, 12, generator=torch.Generator().manual_seed(0))
    sample = record(tmp_path, inputs, convolutional(channels), bounds=(0, 1), ascent=BRIEF)
    found = pictures(sample.figure())
    original = found["original"].get_array()
    values = inputs[0].numpy()
    expected = values.mean(0) if channels == 2 else values[:3].transpose(1, 2, 0)
    np.testing.assert_allclose(original, expected, atol=1e-6)
    (target, *_) = sample.targets
    gradient = found[f"gradient of {target.index}"].get_array()
    np.testing.assert_allclose(gradient, target.gradient.sum(0), atol=1e-6)


def test_without_bounds_the_image_itself_is_black_and_white(tmp_path: Path) -> None:
    inputs = torch.linspace(-3, 5, 81).reshape(1, 1, 9, 9)
    sample = record(tmp_path, inputs, convolutional(), ascent=None)
    sample = dataclasses.replace(sample, bounds=None)
    original = pictures(sample.figure())["original"].get_array()
    np.testing.assert_allclose(original, np.linspace(0, 1, 81).reshape(9, 9), atol=1e-6)


def test_a_signal_is_drawn_as_lines(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(60, 3))
    inputs = torch.randn(1, 2, 30, generator=torch.Generator().manual_seed(0))
    sample = record(tmp_path, inputs, model, kind="signal", ascent={"own": Ascent()})
    figure = sample.figure()
    (original, gradient, morph) = figure.axes[:3]
    for channel, line in enumerate(original.lines):
        np.testing.assert_array_equal(line.get_ydata(), inputs[0, channel].numpy())
    assert len(original.lines) == len(gradient.lines) == 2
    assert not morph.images


def test_a_notebook_shows_it_without_pyplot(small: Sample) -> None:
    figure: Any = small.figure()
    size = Image.open(io.BytesIO(figure._repr_png_())).size
    np.testing.assert_allclose(size, figure.get_size_inches() * figure.dpi, atol=1)


def test_an_error_says_that_matplotlib_is_missing(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "tb_gradascent.figure")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        sample.figure()
    monkeypatch.undo()
    importlib.import_module("tb_gradascent.figure")


@pytest.mark.parametrize("strength", [-1, float("nan"), float("inf"), "1", None])
def test_a_strength_is_a_number(sample: Sample, strength: Any) -> None:
    with pytest.raises(ValueError, match="strength must be a number of at least 0, got"):
        sample.figure(strength=strength)
