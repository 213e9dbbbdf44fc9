"""The texts of a card: none is cut, in wide and in narrow windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from tb_gradascent.format.samples import CapturedSample, Stopped
from testing.board import Board
from testing.browser import open_page, wait_for_paint
from testing.synthetic import DIGITS, make_sample, write_session

pytestmark = pytest.mark.browser

REASONS: tuple[Stopped, ...] = (
    "chance",
    "surest",
    "max_steps",
    "stalled",
    "nonfinite",
    "confidence",
)
SHAPES = ((1, 28, 28), (3, 32, 32), (1, 96, 40), (3, 128, 128), (2, 300))
CUT = """cards => cards.flatMap(card => {
    const bottom = card.getBoundingClientRect().bottom - 12;
    const texts = card.querySelectorAll(".flip, .stopped, .spread, .survival, .caption");
    return [...texts].flatMap(text => {
        const wide = text.scrollWidth > text.clientWidth;
        const high = text.scrollHeight > text.clientHeight;
        const words = text.closest(".words")?.getBoundingClientRect().bottom ?? bottom;
        const below = text.getBoundingClientRect().bottom > Math.min(words, bottom) + 0.5;
        return wide || high || below ? [`${text.className}: ${text.textContent}`] : [];
    });
})"""


def ended(sample: CapturedSample, stopped: Stopped, largest: float) -> CapturedSample:
    """Return a sample whose ascents ended for a reason, and whose largest change is as given."""
    targets = tuple(
        dataclasses.replace(
            target,
            morphs={
                name: dataclasses.replace(
                    morph,
                    stopped=stopped,
                    survived=(True,) * 8,
                    spread=(0.004, 0.84) if stopped == "chance" else None,
                    delta=(morph.delta * largest / np.abs(morph.delta).max()).astype(np.float32),
                )
                for name, morph in target.morphs.items()
            },
        )
        for target in sample.targets
    )
    return dataclasses.replace(sample, targets=targets)


@pytest.mark.parametrize("width", [pytest.param(1400, marks=pytest.mark.slow), 900])
def test_no_text_of_a_card_is_cut(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path, width: int
) -> None:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        samples = [
            ended(make_sample(rng, shape=shape), stopped, largest)
            for stopped in REASONS
            for largest in (3.2457, 0.0001)
        ]
        tag = "x".join(map(str, shape))
        write_session(tmp_path, [samples], tag=tag, session=f"s-{tag}", info=DIGITS)
    address = serve_here(tmp_path).address
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": width, "height": 900})
    try:
        for shape in SHAPES:
            tag = "x".join(map(str, shape))
            tab = open_page(page, address, tag=tag)
            # The page stays open, so the cards of the tag before may still be there.
            cards = tab.locator(f'.sample[data-painted][data-sample*="|s-{tag}."]')
            cards.first.wait_for()
            wait_for_paint(tab)
            assert cards.locator(".stopped").count(), shape
            assert cards.locator(".spread").count(), shape
            assert cards.evaluate_all(CUT) == [], shape
    finally:
        page.set_viewport_size(size)
