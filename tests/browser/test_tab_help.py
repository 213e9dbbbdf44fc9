"""The help explains every picture with pictures of a sample that the page shows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Frame, Locator, Page, expect

from tb_gradascent import read_samples
from tb_gradascent.format.samples import CapturedSample
from testing.board import Board
from testing.browser import (
    open_page,
    percent,
    read_pixels,
    set_strength,
    set_theme,
    strength_words,
    wait_for_samples,
)
from testing.synthetic import make_sample, write_session

pytestmark = pytest.mark.browser

LOW, HIGH = -0.4242, 2.8215
"""The values that are painted black and white: the bounds of ``synthetic.DIGITS``."""
TOPICS = (
    "The original",
    "The gradient",
    "The ascent",
    "The morph",
    "The prediction for the morph",
    "Smallest and visible morphs",
    "The change",
    "Survival",
    "Judges",
    "The flip distance",
    "Margin, entropy and loss",
    "The confusion matrix",
    "Over training and Compare runs",
    "The counts",
    "Keys",
    "Sources",
)


def without_ascent(sample: CapturedSample) -> CapturedSample:
    """Return the sample as ``ascent=None`` records it: with the gradient alone."""
    targets = tuple(dataclasses.replace(target, morphs={}) for target in sample.targets)
    return dataclasses.replace(sample, targets=targets)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a tag for each kind of sample."""
    directory = tmp_path_factory.mktemp("explained")
    rng = np.random.default_rng(8)
    captures = {
        "digits": [make_sample(rng, id=f"digit {place}") for place in range(12)],
        "gradients": [without_ascent(make_sample(rng)) for _ in range(2)],
        "signals": [make_sample(rng, shape=(2, 300)) for _ in range(2)],
    }
    for tag, capture in captures.items():
        write_session(directory / "run", [capture], tag=tag, session=f"session-{tag}", start=1.7e9)
    return directory


@pytest.fixture
def open_help(page: Page, served: str) -> Callable[[str], tuple[Frame, Locator]]:
    """Opens the help while the page shows the samples of a tag, the smallest margin first."""

    def opened(tag: str) -> tuple[Frame, Locator]:
        tab = open_page(page, served, tag=tag)
        tab.locator("#sort").select_option("margin")
        wait_for_samples(tab)
        tab.get_by_role("button", name="Help").click()
        return tab, tab.get_by_role("dialog", name="What you see, and the keys")

    return opened


def about(panel: Locator, topic: str) -> Locator:
    """Return the section under a heading."""
    return panel.locator(f'section:has(h3:text-is("{topic}"))')


def painted(canvas: Locator) -> np.ndarray:
    """Return the pixels of a grey image, shape (28, 28)."""
    return read_pixels(canvas, 0, 0, 28, 28)[..., 0]


def levels(image: np.ndarray) -> np.ndarray:
    """Return how an image of one channel is painted, 0 to 255."""
    return np.asarray(np.clip((image[0] - LOW) / (HIGH - LOW), 0, 1) * 255)


def test_the_pictures_are_those_of_a_sample_that_the_page_shows(
    logdir: Path, open_help: Callable[[str], tuple[Frame, Locator]]
) -> None:
    samples = sorted(read_samples(logdir, tag="digits"), key=lambda sample: sample.margin)
    sample, target = next((s, t) for s in samples for t in s.targets if t.flip)
    _, panel = open_help("digits")
    original = about(panel, "The original")
    expect(original.locator("figcaption")).to_contain_text(
        f"{sample.classes[0]} {percent(sample.probabilities[0])}"
    )
    assert np.abs(painted(original.locator("canvas")) - levels(sample.image)).max() <= 1

    gradients = about(panel, "The gradient").locator("canvas")
    expect(gradients).to_have_count(4)
    pixels = read_pixels(gradients.first, 0, 0, 28, 28)
    redness = pixels[..., 0] - pixels[..., 2]
    share = target.gradient[0] / np.abs(target.gradient).max()
    assert (redness[share > 0.1] > 0).all()
    assert (redness[share < -0.1] < 0).all()

    assert target.delta is not None
    morphs = about(panel, "The morph").locator(".panel")
    expect(morphs).to_have_count(5)
    strengths = []
    for morph in morphs.all():
        words = morph.locator("> span").inner_text()
        assert words.endswith(" % of the change")
        strength = float(words.split()[0]) / 100
        verdict = morph.locator(".verdict").text_content() or ""
        at = int(np.abs(target.strengths - strength).argmin())
        strengths.append(target.strengths[at])
        expected = levels(sample.image + target.strengths[at] * target.delta)
        assert np.abs(painted(morph.locator("canvas")) - expected).max() <= 1
        assert percent(target.probabilities[at]) in verdict
        flipped = target.predictions[at] == target.index
        assert morph.locator(".chip.flipped").count() == int(flipped)
    assert (strengths[0], strengths[-1]) == (0, 1.25)
    assert strengths == sorted(set(strengths))

    chart = about(panel, "The prediction for the morph").locator("svg")
    assert target.flip is not None
    expect(chart).to_contain_text(
        f"flips after {strength_words(target.flip).removesuffix(' of the change')}"
    )
    ascent = about(panel, "The ascent")
    expect(ascent).to_contain_text(
        f"→ {target.index}: reached the confidence after {target.steps} steps"
    )
    measures = about(panel, "Margin, entropy and loss")
    expect(measures).to_contain_text(
        f"margin {sample.margin:.2f}, entropy {sample.entropy:.2f} bits"
    )
    assert target.flip_distance is not None
    words = about(panel, "The flip distance").locator(".example").inner_text()
    assert float(words.rstrip(".").split()[-1]) == pytest.approx(target.flip_distance, rel=5e-3)

    counts = Counter((sample.label, int(sample.classes[0])) for sample in samples)
    cells = about(panel, "The confusion matrix").locator("td[data-row]")
    shown = {
        (int(cell.get_attribute("data-row") or -1), int(cell.get_attribute("data-column") or -1)):
        int(cell.inner_text() or 0)
        for cell in cells.all()
    }  # fmt: skip
    assert {pair: count for pair, count in shown.items() if count} == counts


def test_the_pictures_follow_the_theme_and_the_strength(
    open_help: Callable[[str], tuple[Frame, Locator]],
) -> None:
    tab, panel = open_help("digits")
    gradient = about(panel, "The gradient").locator("canvas").first
    gradient.wait_for()
    light = read_pixels(gradient, 0, 0, 28, 28)
    now = about(panel, "The prediction for the morph").locator("line.now")
    before = float(now.get_attribute("x1") or "nan")
    set_strength(tab, 0.5)
    assert float(now.get_attribute("x1") or "nan") < before
    set_theme(tab, "dark")
    dark = read_pixels(gradient, 0, 0, 28, 28)
    assert np.median(light) > 200
    assert np.median(dark) < 100


def test_the_keyboard_scrolls_the_help(
    page: Page, open_help: Callable[[str], tuple[Frame, Locator]]
) -> None:
    tab, panel = open_help("digits")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(panel).to_be_visible()
    page.keyboard.press("PageDown")
    tab.wait_for_function("document.querySelector('dialog[open] .dialog-content').scrollTop > 0")


def test_the_help_has_no_pictures_of_what_was_not_recorded(
    open_help: Callable[[str], tuple[Frame, Locator]],
) -> None:
    _, panel = open_help("gradients")
    expect(about(panel, "The gradient").locator("canvas")).to_have_count(4)
    topics = ("The ascent", "The morph", "The change", "The prediction for the morph")
    for topic in (*topics, "The flip distance"):
        assert about(panel, topic).locator(".illustration").inner_html() == ""


def test_signals_are_drawn_as_curves(open_help: Callable[[str], tuple[Frame, Locator]]) -> None:
    _, panel = open_help("signals")
    canvases = panel.locator("canvas")
    expect(canvases).to_have_count(1 + 4 + 5 + 1)
    for canvas in canvases.all():
        assert len(np.unique(read_pixels(canvas, 0, 0, 84, 84).reshape(-1, 3), axis=0)) > 2


def assert_words_alone(panel: Locator) -> None:
    expect(panel).to_be_visible()
    for topic in TOPICS:
        expect(about(panel, topic)).to_have_count(1)
    assert panel.locator("canvas, svg, figure, .example").count() == 0


def test_without_a_sample_the_help_has_words_alone(
    page: Page,
    tmp_path: Path,
    serve_here: Callable[..., Board],
    open_help: Callable[[str], tuple[Frame, Locator]],
) -> None:
    tab, panel = open_help("digits")
    panel.locator("canvas").first.wait_for()
    page.keyboard.press("Escape")
    tab.locator("#search").fill("there is none")
    expect(tab.locator("p.count")).to_contain_text("0 of 12")
    tab.get_by_role("button", name="Help").click()
    assert_words_alone(panel)
    tab = open_page(page, serve_here(tmp_path).address)
    tab.locator("section.empty").click()
    page.keyboard.press("?")
    assert_words_alone(tab.get_by_role("dialog"))
