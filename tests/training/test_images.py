"""What is stored of a data set whose images may not be kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from torch import Tensor
from torch.nn import functional

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin, Sample, read_samples
from testing.board import Board
from testing.browser import open_page
from testing.networks import convolutional

IMAGES = torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(0))


def record(folder: Path, images: bool | Callable[[Tensor], Tensor]) -> list[Sample]:
    """Record one capture of the images."""
    model = convolutional()
    with GradAscentHook(
        model,
        folder,
        images=images,
        criterion=ProbabilityMargin(1.0),
        ascent=Ascent.smallest(),
        bounds=(0, 1),
        strict=True,
    ) as hook:
        assert hook(IMAGES, model(IMAGES), list(range(8))) == 4
    return list(read_samples(folder))


def stored_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("events.out.*"))


def test_no_image_is_stored_and_all_numbers_are(tmp_path: Path) -> None:
    kept = record(tmp_path / "kept", images=True)
    left_out = record(tmp_path / "left out", images=False)
    for full, empty in zip(kept, left_out, strict=True):
        assert np.isfinite(full.image).all()
        assert empty.image.shape == full.image.shape
        assert np.isnan(empty.image).all()
        for target, bare in zip(full.targets, empty.targets, strict=True):
            assert np.isnan(bare.gradient).all()
            assert all(np.isnan(morph.delta).all() for morph in bare.morphs.values())
            assert bare.index == target.index
            assert bare.flip == target.flip
            assert bare.morphs.keys() == target.morphs.keys()
        assert empty.classes.tolist() == full.classes.tolist()
        assert (empty.margin, empty.label, empty.step) == (full.margin, full.label, full.step)
    images = sum(sample.image.nbytes for sample in kept)
    assert stored_bytes(tmp_path / "left out") < stored_bytes(tmp_path / "kept") - images


def test_no_value_of_an_image_is_in_the_file(tmp_path: Path) -> None:
    record(tmp_path, images=False)
    content = b"".join(file.read_bytes() for file in tmp_path.rglob("events.out.*"))
    planes = [sample.numpy().astype("<f4").tobytes() for sample in IMAGES]
    assert not any(plane[at : at + 8] in content for plane in planes for at in range(0, 400, 8))


def blurred(images: Tensor) -> Tensor:
    return functional.avg_pool2d(images, 3, stride=1, padding=1)


def test_an_image_is_recorded_as_the_callable_returns_it(tmp_path: Path) -> None:
    samples = record(tmp_path, images=blurred)
    wanted = blurred(IMAGES)
    model = convolutional()
    model(IMAGES)  # as the loop's model, it has seen one batch in training mode
    model.eval()
    for sample in samples:
        assert sample.label is not None
        image = wanted[sample.label]
        assert torch.equal(torch.from_numpy(sample.image), image)
        with torch.no_grad():
            said = model(image[None]).softmax(1)[0]
        np.testing.assert_allclose(sample.probabilities, said[sample.classes].numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            lambda images: images[..., ::2],
            "same shape (4, 1, 12, 12), got a float32 tensor of shape",
        ),
        (lambda images: images.numpy(), "same shape (4, 1, 12, 12), got"),
    ],
)
def test_a_callable_that_returns_something_else_is_a_fault(
    tmp_path: Path, images: Callable[[Tensor], Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match="images must return floating point images") as raised:
        record(tmp_path, images=images)
    assert message in str(raised.value)


@pytest.mark.browser
def test_the_page_shows_the_numbers_and_says_why_there_is_no_image(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
    samples = record(tmp_path, images=False)
    tab = open_page(page, serve_here(tmp_path).address, view="samples")
    cards = tab.locator(".sample")
    expect(cards).to_have_count(len(samples))
    reason = "The images of this run are not stored: its hook was made with images=False."
    expect(cards.first.get_by_text(reason)).to_be_visible()
    expect(cards.first.get_by_text("flips after").first).to_be_visible()
