"""Every view in narrow and in wide windows: nothing is cut off, and nothing scrolls sideways."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from testing.browser import open_page, wait_for_paint, wait_for_samples
from testing.synthetic import DIGITS, make_sample, write_session

pytestmark = pytest.mark.browser

WIDTHS = (700, 1024, 1400, 1920)
VIEWS = ("Overview", "Samples", "Over training", "Compare runs")
NAMES = (
    "soft-coated wheaten terrier",
    "一只非常大的软毛麦色梗犬在公园里奔跑",
    "👩‍👩‍👧‍👦🐕‍🦺🏳️‍🌈🐈‍⬛🐻‍❄️",
    "Donaudampfschifffahrtsgesellschaftskapitänsmütze",
    "猫",
    "il",
    "WWWWWWWWWWWWWWWW",
    "قطة سيامية ذات عيون زرقاء",
    "9",
    "🐕",
)
PAIRS = ((0, 1), (1, 2), (2, 3), (3, 1), (4, 5), (6, 7), (8, 9), (5, 6))

PROBLEMS = """() => {
    const found = [];
    const clipped = ({ parentElement: outer }) =>
        outer !== null && (getComputedStyle(outer).overflowX !== "visible" || clipped(outer));
    const told = node => `${node.tagName} ${node.className} ${node.textContent.slice(0, 40)}`;
    if (document.documentElement.scrollWidth > innerWidth) found.push("the page scrolls");
    for (const node of document.querySelectorAll("main *, aside *, dialog[open] *")) {
        const style = getComputedStyle(node);
        const { width, height, left, right } = node.getBoundingClientRect();
        // The steps of Over training scroll along their axis, and so do many targets.
        if (!width || !height || node.closest("svg, .off-screen, .strips, .target-tabs")) continue;
        const scrolls = ["auto", "scroll"].includes(style.overflowX);
        const wide = node.scrollWidth > node.clientWidth + 1;
        const high = node.scrollHeight > node.clientHeight + 2;
        if (scrolls && wide) found.push(`scrolls: ${told(node)}`);
        const isOut = left < -1 || right > innerWidth + 1;
        if (isOut && !clipped(node)) found.push(`outside: ${told(node)}`);
        const words = [...node.childNodes].some(one => one.nodeType === 3 && one.data.trim());
        if (!words || scrolls || style.overflowX === "visible" || !(wide || high)) continue;
        const dots = style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none";
        if (!dots || !node.closest("[title]")) found.push(`cut: ${told(node)}`);
    }
    return found;
}"""
"""Texts that are cut without an ellipsis and a title, and parts that leave the window or scroll."""

OVERLAPS = """() => {
    const boxOf = node => node.getBoundingClientRect();
    const meet = (one, other) => one.left < other.right - 0.5 && other.left < one.right - 0.5
        && one.top < other.bottom - 0.5 && other.top < one.bottom - 0.5;
    const cards = [...document.querySelectorAll(".grid .sample")];
    return cards.flatMap((card, at) => {
        const [box, body] = [boxOf(card), boxOf(card.querySelector(".body"))];
        const found = cards.slice(at + 1).some(other => meet(box, boxOf(other))) ? ["cards"] : [];
        for (const node of card.querySelectorAll(".head *, .label-name")) {
            if (meet(boxOf(node), body)) found.push(`on the pictures: ${node.textContent}`);
        }
        for (const node of card.querySelectorAll(".words, .words *, .heading, .meta")) {
            const { right, bottom } = boxOf(node);
            if (right > box.right || bottom > box.bottom) found.push(`outside: ${node.className}`);
        }
        for (const words of card.querySelectorAll(".words")) {
            const last = words.lastElementChild;
            if (boxOf(last).bottom > boxOf(words).bottom + 0.5) found.push("low words");
        }
        return found;
    });
}"""
"""Cards that overlap, and texts of a card that overlap its pictures or leave the card."""

FILLED = """([room, across]) => {
    const pictures = [...document.querySelectorAll("dialog .picture")];
    const all = pictures.map(node => node.getBoundingClientRect());
    const boxes = all.filter(({ width }) => width);
    const [{ top }] = boxes;
    const row = boxes.filter(box => Math.abs(box.top - top) < 1);
    const filled = row.reduce((sum, { width }) => sum + width + 16, 0);
    return boxes.length === 4 && row.length === across && filled > 0.6 * room;
}"""
"""Whether so many pictures stand in a row and fill most of the dialog's width."""


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs with probes, and with class names of any length and script."""
    directory = tmp_path_factory.mktemp("widths")
    info = dataclasses.replace(DIGITS, class_names=NAMES)
    for seed, run in enumerate(("baseline", "a-run-with-a-rather-long-name")):
        rng = np.random.default_rng(seed)
        captures = [
            [
                *(
                    dataclasses.replace(
                        make_sample(
                            rng, step=step, shape=(3, 64, 64), targets=pair, id=f"train/{at}"
                        ),
                        label=(at + step // 100) % len(NAMES),
                    )
                    for at, pair in enumerate(PAIRS)
                ),
                make_sample(rng, step=step, shape=(3, 64, 64), id="test/1", probe=True),
            ]
            for step in range(0, 300, 100)
        ]
        write_session(directory / run, captures, session=f"{run}-0", info=info)
    return directory


def test_no_view_scrolls_sideways_or_cuts_a_text_in_silence(page: Page, served: str) -> None:
    tab = open_page(page, served)
    wait_for_samples(tab)
    for view in VIEWS:
        tab.get_by_role("tab", name=view).click()
        tab.locator("[data-painted]:visible").first.wait_for()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            wait_for_paint(tab)
            assert tab.evaluate(PROBLEMS) == [], (view, width)
            boxes = [row.bounding_box() for row in tab.locator(".bar > div:visible").all()]
            heights = [box["height"] for box in boxes if box]
            assert max(heights) < 50, (view, width, "each toolbar has one row")


def test_names_of_any_length_and_script_overlap_nothing(page: Page, served: str) -> None:
    tab = open_page(page, served)
    wait_for_samples(tab)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wait_for_paint(tab)
        assert tab.locator(".grid .sample").count() > 2
        assert tab.evaluate(OVERLAPS) == [], width


def test_the_large_view_keeps_its_close_button_in_the_corner_and_fits_its_pictures(
    page: Page, served: str
) -> None:
    tab = open_page(page, served)
    wait_for_samples(tab)
    tab.locator(".sample[data-painted] h2").first.click()
    dialog = tab.get_by_role("dialog")
    dialog.locator("[data-painted]").first.wait_for()
    for width, across in ((1920, 4), (1400, 4), (1024, 4), (700, 2)):
        page.set_viewport_size({"width": width, "height": 1000})
        tab.wait_for_function(FILLED, arg=[min(width - 32, 1840), across])
        outer, close = dialog.bounding_box(), dialog.locator(".close").bounding_box()
        assert outer is not None
        assert close is not None
        assert outer["x"] + outer["width"] - close["x"] - close["width"] <= 24, width
        assert close["y"] - outer["y"] <= 24, width
        assert tab.evaluate(PROBLEMS) == [], width
