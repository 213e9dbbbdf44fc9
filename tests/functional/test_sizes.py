"""How many bytes a sample of the default record takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.format.quantization import LEAST_COSINE
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import decode_sample, encode_sample
from tb_gradascent.format.samples import CapturedSample
from tb_gradascent.functional.ascent import DEFAULT_ASCENTS
from tb_gradascent.functional.capture import Recipe, capture
from testing.networks import MEAN, STD, digits, trained

COLOUR_MEAN, COLOUR_STD = 0.45, 0.22


def size_of(sample: CapturedSample) -> int:
    """The default record has two targets, and the second has both kinds of morph."""
    assert [list(target.morphs) for target in sample.targets] == [[], ["smallest", "visible"]]
    return sum(map(len, encode_sample(sample)))


def photograph() -> Tensor:
    """Return an image (3, 224, 224) in 256 levels, with the spectrum and noise of photographs."""
    generator = torch.Generator().manual_seed(0)
    frequency = torch.hypot(torch.fft.fftfreq(224)[:, None], torch.fft.rfftfreq(224)[None])
    noise = torch.fft.rfft2(torch.randn(4, 224, 224, generator=generator))
    waves = torch.fft.irfft2(noise / frequency.clamp_min(1 / 224) ** 1.5, s=(224, 224))
    waves = waves / waves.std((1, 2), keepdim=True)
    colours = waves[:1] + 0.15 * waves[1:] + 0.01 * torch.randn(3, 224, 224, generator=generator)
    pixels = (120 + 55 * colours).clamp(0, 255).round() / 255
    normalised: Tensor = (pixels - COLOUR_MEAN) / COLOUR_STD
    return normalised


@pytest.fixture(scope="module")
def large() -> CapturedSample:
    torch.manual_seed(0)
    last = nn.Linear(512, 100)
    with torch.no_grad():
        last.weight *= 200  # without it no change would convince the network
    network = nn.Sequential(
        nn.Conv2d(3, 16, 7, stride=4),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        last,
    ).eval()
    low, high = -COLOUR_MEAN / COLOUR_STD, (1 - COLOUR_MEAN) / COLOUR_STD
    recipe = Recipe(ascents=DEFAULT_ASCENTS, bounds=((low,) * 3, (high,) * 3))
    (sample,) = capture(network, photograph()[None], recipe, step=0).samples()
    return sample


def test_a_photograph_takes_at_most_400_kb(large: CapturedSample) -> None:
    assert {morph.stopped for morph in large.targets[1].morphs.values()} == {"confidence"}
    assert size_of(large) <= 400_000


def test_a_large_gradient_keeps_its_direction_and_the_rest_is_exact(large: CapturedSample) -> None:
    record, payload = encode_sample(large)
    parsed = parse_record(record)
    assert parsed["payload"]["codecs"][1:3] == ["coarse_levels", "coarse_levels"]
    back = decode_sample(parsed, payload)
    np.testing.assert_array_equal(back.image, large.image)
    for target, true in zip(back.targets, large.targets, strict=True):
        stored = target.gradient.astype(np.float64).ravel()
        gradient = true.gradient.astype(np.float64).ravel()
        norms = np.linalg.norm(stored) * np.linalg.norm(gradient)
        assert stored @ gradient >= LEAST_COSINE * norms
        for name, morph in target.morphs.items():
            np.testing.assert_array_equal(morph.delta, true.morphs[name].delta)


def test_a_digit_takes_at_most_6_kb() -> None:
    """The limit is lower here, because the digits of the demo take up to a tenth more."""
    network = trained().eval()
    images = digits("test")[0][:600]
    with torch.no_grad():
        top = network(images).softmax(1).topk(2, 1).values
    confused = images[(top[:, 0] - top[:, 1]).argsort()[:12]]
    recipe = Recipe(ascents=DEFAULT_ASCENTS, bounds=((-MEAN / STD,), ((1 - MEAN) / STD,)))
    assert max(map(size_of, capture(network, confused, recipe, step=0).samples())) <= 5_400
