"""A stranger's log directory on the page: names are text, never markup, and break no layout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Frame, Page, expect

from testing.browser import open_page, wait_for_paint, wait_for_samples
from testing.hostile import (
    CANARY,
    FOLDERS,
    LABELS,
    NAMES,
    NO_STRENGTHS,
    NUMBERS,
    OVERLONG,
    write_logdir,
)
from testing.synthetic import make_captures, write_session
from testing.tensorboard_process import tensorboard

pytestmark = pytest.mark.browser

WIDTHS = (1400, 700)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real program: the default loader refuses some names, and the page says so."""
    logdir = tmp_path_factory.mktemp("hostile")
    write_logdir(logdir)
    if sys.platform == "linux":  # On other systems every name is text.
        write_session(logdir / os.fsdecode(b"no text \xe9"), make_captures(1, 1), tag="bytes")
    with tensorboard(logdir) as address:
        yield address


@pytest.fixture(scope="module")
def woken(context: BrowserContext) -> list[str]:
    """The calls of a canary function that no text may ever call, and the dialogs."""
    woken: list[str] = []
    context.expose_function("canary", lambda *_: woken.append("canary"))
    context.on("dialog", lambda dialog: woken.append(dialog.message))
    return woken


@pytest.fixture
def tab(woken: list[str], page: Page, address: str) -> Iterator[Frame]:
    """The page, with the canary."""
    tab = open_page(page, address)
    tab.locator("#tag").wait_for()
    yield tab
    assert woken == []
    assert tab.evaluate("typeof canary") == "function", "a script could have called it"


def shown_tags(tab: Frame) -> list[str]:
    texts: list[str] = tab.locator("#tag").evaluate("list => [...list.options].map(o => o.value)")
    return texts


def assert_nothing_hangs_over(tab: Frame) -> None:
    """Assert that the page does not scroll sideways and that no text leaves its card."""
    wait_for_paint(tab)  # The grid learns its new width with the next frame.
    wide, room = tab.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= room
    outside = tab.evaluate(
        """() => [...document.querySelectorAll(".sample *, aside *, .bar *, dialog *")]
            .filter((each) => each.getClientRects().length)
            .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
            .map((each) => each.outerHTML.slice(0, 200))"""
    )
    assert outside == []
    spilt = tab.evaluate(
        """() => [...document.querySelectorAll("article.sample, dialog[open] :is(section, figure)")]
            .flatMap((box) => [...box.querySelectorAll("*")].map((inner) => [box, inner]))
            .filter(([, inner]) => inner.getClientRects().length)
            .filter(([box, inner]) =>
                inner.getBoundingClientRect().right > box.getBoundingClientRect().right + 1)
            .map(([, inner]) => inner.outerHTML.slice(0, 200))"""
    )
    assert spilt == []


def show_names_alone(tab: Frame) -> None:
    """Show only the run with the hostile ids."""
    tab.locator("#tag").select_option("confused")
    # This hides runs that TensorBoard finds later, too. Their samples would move the focused card.
    tab.get_by_role("button", name="Only names", exact=True).click()
    expect(tab.locator("p.count")).to_have_text(f"{len(NAMES)} of {len(NAMES)} samples")


def test_ids_and_class_names_are_text(page: Page, tab: Frame) -> None:
    show_names_alone(tab)
    text = ""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wait_for_samples(tab)
        assert_nothing_hangs_over(tab)
        text += tab.locator("body").inner_text()
    assert CANARY in text
    assert tab.locator("script:not([src]), img[onerror], svg[onload]").count() == 0


def test_a_sample_with_a_hostile_id_opens(page: Page, tab: Frame) -> None:
    show_names_alone(tab)
    cards = tab.locator("article.sample")
    cards.first.wait_for()
    for place in range(4):
        cards.nth(place).focus()
        page.keyboard.press("Enter")
        dialog = tab.locator("dialog[open]")
        dialog.wait_for()
        assert_nothing_hangs_over(tab)
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")


def test_the_help_shows_hostile_names_as_text(page: Page, tab: Frame) -> None:
    show_names_alone(tab)
    tab.get_by_role("button", name="Help").click()
    panel = tab.locator("dialog[open]")
    panel.locator("canvas").first.wait_for()
    assert CANARY in panel.inner_text()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert_nothing_hangs_over(tab)


def test_names_of_ten_thousand_characters_are_cut_or_counted(page: Page, tab: Frame) -> None:
    tab.locator("#tag").select_option("confused")
    for box in tab.locator('input[name="run"]').all():
        box.set_checked(box.get_attribute("value") == "overlong")
    cards = tab.locator("article.sample")
    expect(cards).to_have_count(1)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wait_for_samples(tab)
        assert_nothing_hangs_over(tab)
    expect(cards.first).to_contain_text("sound")
    expect(tab.locator("p.count")).to_have_text("1 of 1 samples, 1 unreadable")
    assert OVERLONG[:256] in tab.content()
    assert OVERLONG[:257] not in tab.content()


def test_samples_with_impossible_numbers_are_shown_or_counted(page: Page, tab: Frame) -> None:
    """An infinite strength once kept the detail view busy for ever, and took gigabytes."""
    tab.locator("#tag").select_option("confused")
    tab.get_by_role("button", name="Only values", exact=True).click()
    readable = len(LABELS) + len(NUMBERS)
    expect(tab.locator("p.count")).to_have_text(
        f"{readable} of {readable} samples, {len(NO_STRENGTHS)} unreadable"
    )
    wait_for_samples(tab)
    cells = tab.locator('[role="gridcell"]')
    rows = cells.evaluate_all("cells => cells.map(({ dataset }) => Number(dataset.row))")
    assert set(map(float, rows)) >= set(map(float, LABELS))
    tab.locator("article.sample").first.focus()
    page.keyboard.press("Enter")
    dialog = tab.locator("dialog[open]")
    for place in range(readable):
        expect(dialog.locator(".position")).to_have_text(f"{place + 1} of {readable}")
        dialog.locator("[data-painted]").first.wait_for()
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    tab.get_by_role("tab", name="Over training").click()
    expect(tab.locator(".strip").first).to_contain_text("followed")
    tab.locator(".frame").first.wait_for()
    assert_nothing_hangs_over(tab)


def test_every_run_and_tag_has_its_own_name(page: Page, tab: Frame) -> None:
    tags = shown_tags(tab)
    listed = dict(zip(NAMES, FOLDERS, strict=False))
    if sys.platform == "linux":
        listed["bytes"] = "no text \ufffd"
    assert set(tags) == {"confused", *listed}
    for tag, folder in listed.items():
        tab.locator("#tag").select_option(tag)
        box = tab.locator('input[name="run"]')
        expect(box).to_have_count(1)
        assert box.get_attribute("value") == folder
        expect(tab.locator("article.sample")).to_have_count(1 if tag == "bytes" else 2)
        refused = any(c in folder + tag for c in '"\\\t\n')
        if refused:
            expect(tab.locator("article.sample").first).to_contain_text("--load_fast=false")
        else:
            wait_for_samples(tab)
        assert_nothing_hangs_over(tab)
    assert tab.locator('[role="alert"]:visible').count() == 0
