"""A capture against torch asked about each stored sample alone."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor, nn

from tb_gradascent.format.quantization import (
    DELTA_LEVELS,
    GRADIENT_LEVELS,
    LARGE_DELTA_LEVELS,
    dequantize,
    quantize,
)
from tb_gradascent.format.samples import CapturedSample, Morph
from tb_gradascent.functional.ascent import DEFAULT_ASCENTS, Ascent
from tb_gradascent.functional.capture import STRENGTHS, Recipe, as_stored
from tb_gradascent.functional.capture import capture as start_capture
from tb_gradascent.functional.gradients import ScoreName
from testing import networks
from testing.networks import MEAN, STD, convolutional, digits
from testing.painted import painted

BOUNDS = (((0 - MEAN) / STD,), ((1 - MEAN) / STD,))


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    return networks.trained().eval()


def capture(*args: Any, **kwargs: Any) -> list[CapturedSample]:
    return start_capture(*args, **kwargs).samples()


def confused(model: nn.Module, count: int) -> tuple[Tensor, Tensor]:
    images, labels = digits("test")
    rows = by_confusion(model)[:count]
    return images[rows], labels[rows]


@functools.cache
def by_confusion(model: nn.Module) -> Tensor:
    """The rows of all test digits, the most confused one first. The model's weights must stay."""
    images, _ = digits("test")
    with torch.no_grad():
        top = model(images).softmax(1).topk(2, 1).values
    rows: Tensor = (top[:, 0] - top[:, 1]).argsort()
    return rows


def gradient_alone(model: nn.Module, image: np.ndarray, target: int, score: str) -> np.ndarray:
    return gradients_alone(model, image, [target], score)[0]


def gradients_alone(
    model: nn.Module, image: np.ndarray, targets: Sequence[int], score: str
) -> list[np.ndarray]:
    """Torch's gradients of one image, one target at a time."""
    x = torch.tensor(image)[None].requires_grad_()
    logits = model(x)[0]
    values = {
        "logit": lambda: logits,
        "probability": lambda: logits.softmax(0),
        "log_probability": lambda: logits.log_softmax(0),
    }[score]()
    return [
        torch.autograd.grad(values[target], x, retain_graph=True)[0][0].numpy()
        for target in targets
    ]


@pytest.mark.parametrize("score", get_args(ScoreName))
def test_for_32_digits_and_every_target_the_stored_gradient_is_torchs_of_it_alone(
    trained: nn.Module, score: ScoreName
) -> None:
    images, labels = confused(trained, 32)
    recipe = Recipe(targets="all", score=score, ascents={})
    samples = capture(trained, images, recipe, step=0, labels=labels.tolist())
    assert [len(sample.targets) for sample in samples] == [10] * 32
    for image, sample in zip(images, samples, strict=True):
        assert np.array_equal(sample.image, image.numpy()), "the image is exact"
        indices = [target.index for target in sample.targets]
        alone = gradients_alone(trained, sample.image, indices, score)
        for target, expected in zip(sample.targets, alone, strict=True):
            stored = dequantize(*quantize(target.gradient, GRADIENT_LEVELS))
            error = np.abs(stored - expected).max()
            assert error <= 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_tiny_and_huge_gradients_are_stored_as_exactly(trained: nn.Module, scale: float) -> None:
    images, _ = confused(trained, 4)
    scaled = nn.Sequential(trained, _Scale(scale))
    recipe = Recipe(targets="all", ascents={})
    for sample in capture(scaled, images, recipe, step=0):
        for target in sample.targets:
            stored = dequantize(*quantize(target.gradient, GRADIENT_LEVELS))
            expected = gradient_alone(scaled, sample.image, target.index, "logit")
            assert np.abs(stored - expected).max() <= 1e-3 * np.abs(expected).max()
            assert 1e-2 < np.abs(expected).max() / scale < 1e2


@pytest.mark.parametrize("max_rows", [None, 3])
def test_the_stored_probabilities_are_the_networks_on_the_stored_arrays(
    trained: nn.Module, max_rows: int | None
) -> None:
    images, labels = confused(trained, 12)
    judge = networks.trained().eval()
    recipe = Recipe(ascents=DEFAULT_ASCENTS, bounds=BOUNDS)
    samples = capture(
        trained,
        images,
        recipe,
        max_rows=max_rows,
        step=0,
        labels=labels.tolist(),
        judges={"judge": judge},
    )
    for sample in samples:
        with torch.no_grad():
            chances = trained(torch.tensor(sample.image)[None])[0].softmax(0)
        assert sample.classes.tolist() == chances.argsort(descending=True).tolist()
        np.testing.assert_allclose(sample.probabilities, chances[sample.classes], atol=1e-4)
        said = sample.classes[:2].tolist()
        truth = [] if sample.label in said else [sample.label]
        assert [t.index for t in sample.targets] == said + truth
        assert not sample.targets[0].morphs, "the network predicts this class already"
        assert sample.margin == pytest.approx(float(chances.sort().values[-2:].diff()), abs=1e-4)
        assert sample.entropy == pytest.approx(-float(chances @ chances.log2()), abs=1e-3)
        assert sample.label is not None
        assert sample.loss == pytest.approx(-float(chances[sample.label].log()), rel=1e-3)
        for target in sample.targets[1:]:
            assert list(target.morphs) == ["smallest", "visible"]
            for morph in target.morphs.values():
                check_response(trained, sample, target.index, morph)
                judged = dataclasses.replace(morph, **vars(morph.judges["judge"]))
                check_response(judge, sample, target.index, judged)


def check_response(network: nn.Module, sample: CapturedSample, target: int, morph: Morph) -> None:
    """Ask a network at each strength about what is stored."""
    delta = dequantize(*quantize(morph.delta, DELTA_LEVELS))
    assert np.array_equal(delta, morph.delta), "what is stored is what was asked about"
    for number, strength in enumerate(morph.strengths):
        with torch.no_grad():
            logits = network(painted(sample, strength, delta))[0]
        asked = logits.softmax(0)[[target, int(sample.classes[0])]].tolist()
        recorded = (morph.probabilities[number], morph.original_probabilities[number])
        assert recorded == pytest.approx(asked, abs=1e-4)
        assert morph.predictions[number] == logits.argmax().item()


def test_of_the_confused_digits_95_of_100_morphs_convince_and_the_rest_say_why_not(
    trained: nn.Module,
) -> None:
    images, _ = confused(trained, 100)
    samples = capture(trained, images, Recipe(bounds=BOUNDS), step=0)
    targets = [sample.targets[1] for sample in samples]
    end = STRENGTHS.index(1.0)
    convinced = [target.probabilities[end] >= 0.94 for target in targets]
    assert np.mean(convinced) >= 0.95
    assert all(
        target.stopped == "max_steps"
        for target, yes in zip(targets, convinced, strict=True)
        if not yes
    )
    low, high = BOUNDS[0][0], BOUNDS[1][0]
    for sample in samples:
        for target in sample.targets[1:]:
            assert target.delta is not None
            quantum = np.abs(target.delta).max() / DELTA_LEVELS
            assert (sample.image + target.delta).min() >= low - quantum
            assert (sample.image + target.delta).max() <= high + quantum


def test_the_flip_is_where_the_prediction_first_is_the_target(trained: nn.Module) -> None:
    images, _ = confused(trained, 20)
    for sample in capture(trained, images, Recipe(), step=0):
        says, other = sample.targets
        assert says.flip is None
        assert other.flip is not None
        assert other.flip > 0
        first = other.strengths.tolist().index(other.flip)
        assert other.predictions[first] == other.index
        assert other.index not in other.predictions[:first]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_one_to_four_channels_square_or_not(channels: int) -> None:
    model = convolutional(channels, classes=5).eval()
    images = torch.rand(3, channels, 12, 20, generator=torch.Generator().manual_seed(0))
    bounds = ((0.0,) * channels, (1.0,) * channels)
    samples = capture(model, images, Recipe(bounds=bounds), step=7, ids=["a", None, "c"])
    assert [sample.id for sample in samples] == ["a", None, "c"]
    for sample in samples:
        assert (sample.step, sample.label) == (7, None)
        assert sample.image.shape == (channels, 12, 20)
        assert [target.delta is None for target in sample.targets] == [True, False]
        for target in sample.targets:
            assert target.gradient.shape == sample.image.shape
            assert target.delta is None or target.delta.shape == sample.image.shape
            expected = gradient_alone(model, sample.image, target.index, "logit")
            np.testing.assert_allclose(target.gradient, expected, rtol=1e-4, atol=1e-7)


def test_the_gradient_alone() -> None:
    model = convolutional().eval()
    sample = capture(model, torch.rand(1, 1, 28, 28), Recipe(ascents={}), step=0)[0]
    for target in sample.targets:
        assert target.delta is None
        assert target.delta_norm is None
        assert target.flip is None
        assert target.strengths.size == target.probabilities.size == target.predictions.size == 0
        assert (target.steps, target.stopped) == (0, "none")


def test_the_fixed_step_follows_the_score(trained: nn.Module) -> None:
    images, _ = confused(trained, 2)
    ascent = Ascent(confidence=None, max_steps=1, step_size=2.0)
    for score in get_args(ScoreName):
        recipe = Recipe(score=score, ascents={"step": ascent})
        for sample in capture(trained, images, recipe, step=0):
            for target in sample.targets[1:]:
                assert target.delta is not None
                quantum = np.abs(target.delta).max() / DELTA_LEVELS
                assert np.abs(target.delta - 2 * target.gradient).max() <= quantum


def test_callable_targets_and_scores(trained: nn.Module) -> None:
    images, labels = confused(trained, 3)

    def truth(logits: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is not None
        return labels[:, None]

    def doubled(logits: Tensor, targets: Tensor) -> Tensor:
        return 2 * logits.gather(1, targets[:, None])[:, 0]

    recipe = Recipe(targets=truth, score=doubled)
    samples = capture(trained, images, recipe, step=0, labels=labels.tolist())
    assert [[t.index for t in sample.targets] for sample in samples] == labels[:, None].tolist()
    for sample in samples:
        expected = gradient_alone(trained, sample.image, sample.targets[0].index, "logit")
        np.testing.assert_allclose(sample.targets[0].gradient, 2 * expected, rtol=1e-4, atol=1e-6)


def test_what_a_callable_writes_in_place_is_its_own(trained: nn.Module) -> None:
    """Targets as a runner-up is often found, and a score at a temperature."""
    images, _ = confused(trained, 3)
    returned = torch.empty(3, 1, dtype=torch.int64)

    def runner_up(logits: Tensor, labels: Tensor | None) -> Tensor:
        best = logits.argmax(1, keepdim=True)
        returned.copy_(logits.scatter_(1, best, -torch.inf).argmax(1, keepdim=True))
        return returned

    def cooled(logits: Tensor, targets: Tensor) -> Tensor:
        return logits.div_(4).gather(1, targets[:, None])[:, 0]

    pending = start_capture(trained, images, Recipe(runner_up, cooled), step=0)
    returned.fill_(-5)
    with torch.no_grad():
        chances, classes = trained(images).softmax(1).sort(1, descending=True)
    for row, sample in enumerate(pending.samples()):
        (target,) = sample.targets
        assert sample.classes.tolist() == classes[row].tolist()
        assert target.index == classes[row, 1]
        assert sample.margin == pytest.approx(float(chances[row, 0] - chances[row, 1]), abs=1e-5)
        assert target.probabilities[0] == pytest.approx(float(chances[row, 1]), abs=1e-5)
        expected = gradient_alone(trained, sample.image, target.index, "logit")
        np.testing.assert_allclose(target.gradient, expected / 4, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_of_equal_logits_the_lowest_class_is_the_first_everywhere(dtype: torch.dtype) -> None:
    """The commonest of confusions: a layer that starts with zeros, or half precision."""

    def forward(images: Tensor) -> Tensor:
        logits = images.flatten(1).sum(1, keepdim=True) * torch.zeros(64)
        return logits.index_add(1, torch.tensor([60, 20, 33]), torch.ones(len(logits), 3)).to(dtype)

    for count in (1, 9):
        for sample in capture(forward, torch.rand(count, 1, 5, 5), Recipe(), step=0):
            assert sample.classes.tolist() == [20, 33, 60, 0, 1, 2, 3, 4, 5, 6]
            assert [target.index for target in sample.targets] == [20, 33]
            assert sample.targets[0].morphs == {}
            assert int(sample.targets[1].predictions[0]) == 20


def test_a_budget_bounds_what_is_stored(trained: nn.Module) -> None:
    images, _ = confused(trained, 8)
    recipe = Recipe(ascents={"small": Ascent(norm="linf", epsilon=0.05)}, bounds=BOUNDS)
    for sample in capture(trained, images, recipe, step=0):
        for target in sample.targets[1:]:
            assert target.delta is not None
            assert np.abs(target.delta).max() <= 0.05 * (1 + 1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    model = convolutional().eval().to(dtype)
    samples = capture(
        lambda x: model(x.to(dtype)), torch.rand(2, 1, 28, 28).to(dtype), Recipe(), step=0
    )
    for sample in samples:
        assert sample.image.dtype == sample.probabilities.dtype == np.float32
        for target in sample.targets:
            assert target.gradient.dtype == np.float32
            assert np.abs(target.gradient).max() > 0


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=6),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
    )
)
def test_as_stored_is_what_is_stored(array: np.ndarray) -> None:
    on_device = as_stored(torch.tensor(array)[None], DELTA_LEVELS)[0].numpy()
    on_disk = dequantize(*quantize(array, DELTA_LEVELS))
    np.testing.assert_array_equal(on_device, on_disk)
    coarse = as_stored(torch.tensor(array)[None], LARGE_DELTA_LEVELS)[0].numpy()
    np.testing.assert_array_equal(coarse, dequantize(*quantize(coarse, DELTA_LEVELS)))


@pytest.mark.parametrize(("side", "levels"), [(127, DELTA_LEVELS), (128, LARGE_DELTA_LEVELS)])
def test_only_a_large_delta_that_is_not_smooth_has_fewer_levels(side: int, levels: int) -> None:
    ascents = {"smallest": Ascent.smallest(), "visible": Ascent.visible()}
    weights = torch.randn(10, side * side, generator=torch.Generator().manual_seed(0))
    images = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(1))

    def forward(x: Tensor) -> Tensor:
        return x.flatten(1) @ weights.T / side

    (sample,) = capture(forward, images, Recipe(ascents=ascents), step=0)
    morphs = sample.targets[1].morphs
    for name, expected in (("smallest", levels), ("visible", DELTA_LEVELS)):
        delta = morphs[name].delta
        magnitudes = np.unique(np.abs(delta) / np.abs(delta).max() * expected)
        np.testing.assert_allclose(magnitudes, np.rint(magnitudes), atol=1e-3)
        assert len(magnitudes) > expected / 2


class _Scale(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, logits: Tensor) -> Tensor:
        return logits * self.scale
