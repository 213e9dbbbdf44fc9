"""Finding samples in the tab: what was chosen is what a real Chromium shows of a real TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Frame, Page, expect

from tests.browser import open_tab, set_strength
from tests.synthetic import make_captures, write_session
from tests.tensorboard_process import tensorboard

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A TensorBoard on two runs of 24 samples each."""
    logdir = tmp_path_factory.mktemp("runs")
    for seed, run in enumerate(("baseline", "dropout")):
        write_session(logdir / run, make_captures(6, seed=seed))
    with tensorboard(logdir) as address:
        yield address


@pytest.fixture
def tab(page: Page, address: str) -> Frame:
    tab = open_tab(page, address)
    tab.locator(".sample[data-painted]").first.wait_for()
    return tab


def reopened(page: Page) -> Frame:
    """The tab after the browser has loaded the whole page again."""
    page.reload()
    element = page.wait_for_selector('iframe[src*="gradascent"]')
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    frame.locator(".sample[data-painted]").first.wait_for()
    return frame


def test_the_address_brings_everything_back_and_history_stays_short(page: Page, tab: Frame) -> None:
    before = page.evaluate("history.length")
    tab.locator("#sort").select_option("margin")
    tab.locator('input[name="run"][value="dropout"]').set_checked(False)
    for strength in (0.2, 0.4, 0.5):
        set_strength(tab, strength)
    page.wait_for_url("**#gradascent&*p.gradascent.strength=0.5*")
    assert page.evaluate("history.length") == before
    tab = reopened(page)
    expect(tab.locator("#sort")).to_have_value("margin")
    expect(tab.locator('input[name="run"][value="dropout"]')).not_to_be_checked()
    expect(tab.locator('output[for="strength"]')).to_have_text("0.50")
    expect(tab.locator(".count")).to_have_text("24 of 24 samples")


def test_the_choice_outlives_another_tab_and_a_link_pasted_into_the_address(
    page: Page, tab: Frame
) -> None:
    set_strength(tab, 0.5)
    page.wait_for_url("**p.gradascent.strength=0.5*")
    page.locator("mat-select").first.click()
    page.get_by_role("option", name="Images").click()
    page.wait_for_url("**#images*")
    page.locator('[data-plugin-id="gradascent"]').click()
    page.wait_for_url("**#gradascent*")
    expect(tab.locator('output[for="strength"]')).to_have_text("0.50")
    page.evaluate("location.hash = 'gradascent&p.gradascent.sort=oldest'")
    expect(tab.locator("#sort")).to_have_value("oldest")
    expect(tab.locator('output[for="strength"]')).to_have_text("1.00")
