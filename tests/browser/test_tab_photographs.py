"""Photographs with long class names: how the cards, the large view and the sheet use their room."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Frame, Locator, Page, expect

from tb_gradascent import Sample, Target, read_samples
from testing.browser import (
    open_page,
    panels_of,
    percent,
    read_panel,
    set_strength,
    wait_for_paint,
    wait_for_samples,
)
from testing.synthetic import DIGITS, STRENGTHS, make_sample, write_session

pytestmark = pytest.mark.browser

NAMES = (
    *("bobsled", "tabby", "tripod", "lampshade", "moped", "Egyptian cat", "missile", "bubble"),
    *("golden retriever", "drilling platform"),
)
TARGETS = (8, 9)
SIDE = 224
LOW, HIGH = -0.4242, 2.8215
"""The values that are painted black and white: the bounds of ``synthetic.DIGITS``."""
WIDTHS = (700, 900, 1400)


def predicted_as_5(target: Target) -> Target:
    """Return a target whose morphs begin as the class 5."""
    predictions = np.where(STRENGTHS > 0.4, target.index, 5)
    morphs = {
        name: dataclasses.replace(morph, predictions=predictions)
        for name, morph in target.morphs.items()
    }
    return dataclasses.replace(target, morphs=morphs)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run with photographs. Each has two targets, which the network does not predict."""
    directory = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(5)
    morphs = ("smallest", "visible")
    photos = []
    for place in range(4):
        sample = make_sample(
            rng,
            shape=(3, SIDE, SIDE),
            targets=TARGETS,
            morphs=morphs,
            survived=(True,) * 8,
            judges=("Lite1",),
            id=f"photo/{place}",
        )
        classes = np.array([5, *(index for index in range(10) if index != 5)])
        targets = tuple(map(predicted_as_5, sample.targets))
        photos.append(dataclasses.replace(sample, classes=classes, label=5, targets=targets))
    info = dataclasses.replace(DIGITS, class_names=NAMES, ascents=morphs, judges=("Lite1",))
    write_session(directory / "run", [photos], session="session", info=info)
    return directory


@pytest.fixture(scope="module")
def recorded(logdir: Path) -> dict[str, Sample]:
    """All samples, by the keys that the page gives them."""
    return {f"run|confused|session.0.{sample.index}": sample for sample in read_samples(logdir)}


@pytest.fixture
def tab(page: Page, served: str) -> Frame:
    """The page with all samples painted, in a window of 1400 × 900."""
    page.set_viewport_size({"width": 1400, "height": 900})
    tab = open_page(page, served)
    wait_for_samples(tab)
    wait_for_paint(tab)
    return tab


def resize(tab: Frame, width: int) -> None:
    """Make the window as wide as this, and wait until a card is painted in its new size."""
    tab.page.set_viewport_size({"width": width, "height": 900})
    wait_for_paint(tab)
    tab.locator(".sample[data-painted]").first.wait_for()


def first(tab: Frame) -> Locator:
    """Return the first painted card."""
    return tab.locator(".sample[data-painted]").first


def whole_cards(tab: Frame) -> int:
    """Return how many cards are visible as a whole."""
    count: int = tab.evaluate(
        """() => {
            const grid = document.querySelector(".grid").getBoundingClientRect();
            const boxes = [...document.querySelectorAll(".sample")].map((card) =>
                card.getBoundingClientRect());
            return boxes.filter(({ top, bottom }) => top >= grid.top && bottom <= grid.bottom)
                .length;
        }"""
    )
    return count


def cut_texts(tab: Frame, parts: str) -> list[str]:
    """Return the texts of elements that are wider than the place for them."""
    found: list[str] = tab.locator(parts).evaluate_all(
        "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"
    )
    return found


@pytest.mark.parametrize(
    ("width", "cards"), [(900, 2), pytest.param(1400, 3, marks=pytest.mark.slow)]
)
def test_several_cards_with_pictures_of_a_fair_size_are_visible(
    tab: Frame, width: int, cards: int
) -> None:
    resize(tab, width)
    assert whole_cards(tab) >= cards
    panels = panels_of(first(tab))
    assert panels["image"][2] >= 96
    one, two = (target["gradient"] for target in panels["targets"])
    assert (one[1] == two[1]) == (width == 1400), "targets stand side by side in a wide card"


@pytest.mark.parametrize("width", [700, pytest.param(900, marks=pytest.mark.slow), 1400])
def test_no_text_of_a_card_is_cut_or_over_another(tab: Frame, width: int) -> None:
    resize(tab, width)
    assert cut_texts(tab, ".curve .label, .sample .heading, .flip, .survival, .sample .said") == []
    assert cut_texts(tab, ".sample .chip, .sample h2") == []
    overlaps = first(tab).evaluate(
        """(card) => {
            const parts = [...card.querySelectorAll("canvas, h2, .chips, .meta, .words")];
            const boxes = parts.map((part) => part.getBoundingClientRect());
            const within = card.getBoundingClientRect();
            const outside = boxes.filter((box) => box.right > within.right
                || box.bottom > within.bottom).length;
            const texts = parts.slice().filter((part) => part.tagName !== "CANVAS");
            let over = 0;
            for (const one of texts) for (const other of texts) {
                if (one === other) continue;
                const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
                if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
                    over++;
            }
            return [outside, over];
        }"""
    )
    assert overlaps == [0, 0]


def test_the_texts_beside_a_target_are_over_none_of_its_pictures(tab: Frame) -> None:
    card = first(tab)
    panels = panels_of(card)
    canvas = card.locator("canvas.panels").bounding_box()
    words = [box.bounding_box() for box in card.locator(".words").all()]
    assert canvas is not None
    assert len(words) == len(TARGETS)
    (one, two) = panels["targets"]
    for box, target in zip(words, panels["targets"], strict=True):
        assert box is not None
        x, _, width, _ = target["change"]
        assert box["x"] >= canvas["x"] + x + width
    assert words[0] is not None
    assert words[0]["x"] + words[0]["width"] <= canvas["x"] + two["gradient"][0]
    assert one["change"][0] < two["gradient"][0]


def test_the_morphs_of_both_targets_follow_the_strength(
    tab: Frame, recorded: dict[str, Sample]
) -> None:
    card = first(tab)
    original = read_panel(card, "image")
    shown = [read_panel(card, "morph", row) for row in range(2)]
    assert all(np.abs(panel - original).max() > 20 for panel in shown)
    set_strength(tab, 0)
    for row in range(2):
        assert np.array_equal(read_panel(card, "morph", row), original)
    set_strength(tab, 1)
    for row in range(2):
        assert np.array_equal(read_panel(card, "morph", row), shown[row])
    panels = panels_of(card)["targets"]
    canvas = card.locator("canvas.panels").bounding_box()
    assert canvas is not None
    x, y, width, height = panels[1]["morph"]
    tab.page.mouse.move(canvas["x"] + x + width / 2, canvas["y"] + y + height / 2)
    tab.page.mouse.down()
    assert np.array_equal(read_panel(card, "morph", 1), original)
    tab.page.mouse.up()


def test_a_row_names_its_target_its_pictures_and_the_gain(tab: Frame) -> None:
    heads = first(tab).locator(".heading")
    for target in TARGETS:
        words = re.compile(rf"^{NAMES[target]}: gradient, morph, change ×\d+(\.\d)?$")
        expect(heads.filter(has_text=words)).to_have_count(1)
    captions = first(tab).locator(".caption").all_inner_texts()
    assert len(captions) == len(TARGETS)
    assert all(
        re.fullmatch(r"at most [\d.]+/255; [\d.]+/255 on average", words) for words in captions
    )


def gains_of(texts: list[str]) -> list[str]:
    """Return the gains that texts name."""
    return [found[1] for text in texts if (found := re.search(r"(×[\d,.]*\d)", text))]


def test_a_number_is_written_in_one_form_on_the_card_in_the_large_view_and_at_every_size(
    tab: Frame, recorded: dict[str, Sample]
) -> None:
    card = first(tab)
    sample = recorded[card.get_attribute("data-sample") or ""]
    morph = sample.targets[0].morphs["visible"]
    sure = percent(morph.probabilities[list(STRENGTHS).index(1)])
    gains = gains_of(card.locator(".heading").all_inner_texts())
    assert len(gains) == len(TARGETS)
    title = f"{NAMES[5]} {percent(sample.probabilities[0])}"
    expect(card.locator("h2")).to_contain_text(title)
    expect(card.locator(".verdict").first).to_have_text(f"{NAMES[8]} · {sure}")
    for width in WIDTHS:
        resize(tab, width)
        assert gains_of(first(tab).locator(".heading").all_inner_texts()) == gains
    first(tab).locator("h2").click()
    detail = tab.get_by_role("dialog")
    detail.locator('[data-part="original"][data-painted]').wait_for()
    expect(detail.get_by_role("heading").first).to_contain_text(title)
    expect(detail.locator(".verdict").first).to_have_text(f"{NAMES[8]} · {sure}")
    captions = detail.locator("figcaption", has_text="change →").all_inner_texts()
    assert gains_of(captions) == gains
    cells = detail.locator(".probabilities tbody td").all_inner_texts()
    assert all(re.fullmatch(r"(≈ )?[<>]?\d+ %|–|not evaluated", cell.strip()) for cell in cells)


@pytest.mark.parametrize(
    ("width", "least"), [(900, 160), pytest.param(1400, 300, marks=pytest.mark.slow)]
)
def test_the_pictures_of_the_large_view_fill_a_row(tab: Frame, width: int, least: int) -> None:
    resize(tab, width)
    first(tab).locator("h2").click()
    detail = tab.get_by_role("dialog")
    detail.locator('[data-part="original"][data-painted]').wait_for()
    parts = ("original", "gradient-0", "morph-0", "change-0")
    boxes = [detail.locator(f'[data-part="{part}"]').bounding_box() for part in parts]
    shown = [box for box in boxes if box]
    assert len(shown) == len(parts)
    assert len({round(box["y"]) for box in shown}) == 1, "one row"
    assert all(abs(box["width"] - box["height"]) < 1 for box in shown)
    assert min(box["width"] for box in shown) >= least
    content = detail.locator(".dialog-content").bounding_box()
    assert content is not None
    left, right = shown[0]["x"], shown[-1]["x"] + shown[-1]["width"]
    assert left - content["x"] < 40
    assert 0 < content["x"] + content["width"] - right < 50, "no free room beside the pictures"
    gaps = [two["x"] - one["x"] - one["width"] for one, two in itertools.pairwise(shown)]
    assert all(abs(gap - asked) < 1 for gap, asked in zip(gaps, (16, 16, 16), strict=True))
    over = detail.locator(".dialog-content").evaluate("one => one.scrollWidth - one.clientWidth")
    assert over <= 0
    scrolls = detail.locator(".dialog-content").evaluate(
        "one => one.scrollHeight > one.clientHeight"
    )
    assert not scrolls or width == 900, "a large window shows everything"


def test_the_contact_sheet_has_the_change_of_each_morph(
    tab: Frame, recorded: dict[str, Sample], tmp_path: Path
) -> None:
    tab.locator(".downloads summary").click()
    with tab.page.expect_download() as started:
        tab.get_by_role("button", name="Pictures").click()
    file = tmp_path / "sheet.png"
    started.value.save_as(file)
    with Image.open(file) as image:
        sheet = np.asarray(image.convert("RGB")).astype(np.float64)
    sample = recorded[first(tab).get_attribute("data-sample") or ""]
    top = 12 + 20 + 16
    for place, target in enumerate(sample.targets):
        in_levels = 255 * target.morphs["visible"].delta.astype(np.float64) / (HIGH - LOW)
        gain = 127.5 / np.percentile(np.abs(in_levels), 99)
        expected = np.clip(127.5 + gain * in_levels, 0, 255).transpose(1, 2, 0)
        left = 12 + (3 + 3 * place) * (SIDE + 8)
        panel = sheet[top : top + SIDE, left : left + SIDE]
        assert np.abs(panel - expected).max() <= 1
