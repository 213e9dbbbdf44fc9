"""What ``docs/comparison.md`` says of Captum, compared with the installed Captum."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from tb_gradascent import GradAscentHook, ProbabilityMargin, read_samples
from testing.networks import convolutional, digits


def test_the_gradients_are_those_of_captums_saliency(tmp_path: Path) -> None:
    from captum.attr import Saliency  # type: ignore[import-untyped]

    model = convolutional().eval()
    images, labels = digits()
    criterion = ProbabilityMargin(1)
    with GradAscentHook(model, tmp_path, criterion=criterion, ascent=None, strict=True) as hook:
        hook(images[:4], model(images[:4]), labels[:4], ids=range(4))
    samples = list(read_samples(tmp_path))
    assert len(samples) == 4
    saliency = Saliency(model)
    for sample in samples:
        assert sample.id is not None
        image = images[int(sample.id)][None].requires_grad_()
        for target in sample.targets:
            expected = saliency.attribute(image, target=target.index, abs=False)[0].numpy()
            rounding = np.abs(expected).max() / 2048
            np.testing.assert_allclose(target.gradient, expected, atol=rounding)


def test_captum_has_no_insights_any_more() -> None:
    assert importlib.util.find_spec("captum.insights") is None
