"""Scroll the samples, in a real Chromium: no frame has much to do, and no card stays grey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Frame, Page

from testing.browser import open_page, wait_for_paint, wait_for_samples
from testing.synthetic import make_captures, write_session

pytestmark = pytest.mark.browser

CAPTURES = 30

SLOW_SCROLL = """async () => {
    const grid = document.querySelector(".grid");
    const rows = grid.querySelector(".rows");
    const frames = async (count) => {
        while (count--) await new Promise(requestAnimationFrame);
    };
    let changes = 0;
    const observer = new MutationObserver((list) => {
        for (const { addedNodes, removedNodes } of list) {
            changes += addedNodes.length + removedNodes.length;
        }
    });
    observer.observe(rows, { childList: true });
    const seen = [];
    while (grid.scrollTop < 2000) {
        grid.scrollTop += 40;
        // What one position needs is done before the next one.
        let quiet = 0;
        while (quiet < 4) {
            await frames(1);
            quiet = changes ? 0 : quiet + 1;
            if (changes) seen.push(changes);
            changes = 0;
        }
    }
    observer.disconnect();
    return seen;
}"""
"""Scroll by small steps. Return how many cards were made or removed in each frame that did it."""

SETTLED = """() => {
    const grid = document.querySelector(".grid").getBoundingClientRect();
    const cards = [...document.querySelectorAll(".grid .sample")];
    const boxes = cards.map((card) => [card, card.getBoundingClientRect()]);
    const visible = boxes.filter(([, { top, bottom }]) => bottom > grid.top && top < grid.bottom);
    const room = 0.5 * grid.height;
    return visible.length > 1
        && visible.every(([card]) => card.dataset.painted)
        && boxes.every(([, box]) => box.bottom > grid.top - room && box.top < grid.bottom + room);
}"""
"""Whether every visible card is painted, and no card is far from them."""


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log directory with one run of many samples."""
    directory = tmp_path_factory.mktemp("many")
    write_session(directory / "run", make_captures(CAPTURES))
    return directory


@pytest.fixture
def tab(page: Page, served: str) -> Frame:
    """The page with its first samples painted."""
    tab = open_page(page, served)
    wait_for_samples(tab)
    return tab


def test_a_frame_makes_or_removes_one_card_and_a_row_needs_one_request(tab: Frame) -> None:
    requests: list[str] = []
    tab.page.on("request", lambda request: requests.append(request.url))
    changes: list[int] = tab.evaluate(SLOW_SCROLL)
    tab.wait_for_function(SETTLED)
    asked = [url for url in requests if "/payloads?" in url]
    keys = [key for url in asked for key in url.split("&") if key.startswith("sample=")]
    assert len(changes) > 10
    assert set(changes) == {1}
    assert len(keys) == len(set(keys)), "no picture is requested twice"
    assert len(asked) <= len(keys) / 2, "the two cards of a row share a request"


@pytest.mark.parametrize("top", [1500, 1e6])
def test_after_a_jump_every_visible_card_is_there_at_once_and_is_painted(
    tab: Frame, top: float
) -> None:
    there: Any = tab.evaluate(
        """async (top) => {
            const grid = document.querySelector(".grid");
            grid.scrollTop = top;
            await new Promise(requestAnimationFrame);
            const { bottom, height } = grid.getBoundingClientRect();
            const cards = [...grid.querySelectorAll(".sample")];
            const boxes = cards.map((card) => card.getBoundingClientRect());
            return boxes.some((box) => box.top < bottom && box.bottom > bottom - height / 2);
        }""",
        top,
    )
    assert there
    tab.wait_for_function(SETTLED)


def test_cards_that_come_back_with_an_order_are_painted(tab: Frame) -> None:
    """Their pictures are still there, so no request brings them."""
    tab.wait_for_function(SETTLED)
    for order in ("oldest", "newest", "oldest"):
        tab.locator("#sort").select_option(order)
        tab.wait_for_function(SETTLED)


def test_a_card_needs_no_layer_but_that_of_its_canvas(tab: Frame) -> None:
    session = tab.page.context.new_cdp_session(tab.page)
    layers: list[int] = []
    session.on("LayerTree.layerTreeDidChange", lambda event: layers.append(len(event["layers"])))
    session.send("DOM.getDocument")
    session.send("LayerTree.enable")
    tab.locator(".grid").evaluate("grid => { grid.scrollTop = 700; }")
    tab.wait_for_function(SETTLED)
    wait_for_paint(tab)
    session.detach()
    cards = tab.locator(".grid .sample").count()
    assert cards > 3
    assert layers[-1] < 2 * cards + 8, "the page itself has about ten"
