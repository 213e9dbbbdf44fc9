"""The plugin's tab inside TensorBoard's shell: its address, theme, buttons and other dashboards.

The other files open the plugin's page alone, which takes less than half of the time.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Frame, Locator, Page, expect

from testing.board import Board
from testing.browser import (
    Answers,
    frame_in_shell,
    open_tab,
    panels_of,
    read_pixels,
    reload_data,
    set_dark_mode,
    set_strength,
    wait_for_paint,
    wait_for_samples,
)
from testing.synthetic import make_captures, make_sample, write_session

pytestmark = pytest.mark.browser

RUNS = ("baseline", "dropout")


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of 24 samples each. Each run has a probe at two of its steps."""
    directory = tmp_path_factory.mktemp("shell")
    rng = np.random.default_rng(3)
    for seed, run in enumerate(RUNS):
        captures = make_captures(6, seed=seed)
        for capture in captures[:2]:
            capture[0] = make_sample(rng, step=capture[0].step, id="seven", probe=True)
        write_session(directory / run, captures)
    return directory


@pytest.fixture
def tab(page: Page, served: str) -> Frame:
    """The plugin's tab with its first samples painted."""
    tab = open_tab(page, served)
    wait_for_samples(tab)
    return tab


def key_of(card: Locator) -> str:
    key = card.get_attribute("data-sample")
    assert key
    return key


def test_the_address_restores_every_choice_and_back_undoes_one(page: Page, tab: Frame) -> None:
    before = page.evaluate("history.length")
    for strength in (0.2, 0.4, 0.5):
        set_strength(tab, strength)
    page.wait_for_url("**#gradascent&*p.gradascent.strength=0.5*")
    assert page.evaluate("history.length") == before, "a drag makes no entries"
    tab.locator("#sort").select_option("margin")
    page.wait_for_url("**p.gradascent.sort=margin*")
    tab.locator("#outcome").select_option("wrong")
    page.wait_for_url("**p.gradascent.outcome=wrong*")
    assert page.evaluate("history.length") == before + 2
    page.go_back()
    expect(tab.locator("#outcome")).to_have_value("")
    expect(tab.locator("#sort")).to_have_value("margin")
    page.go_back()
    expect(tab.locator("#sort")).to_have_value("newest")
    expect(tab.locator('output[for="strength"]')).to_have_text("50 % of the change")
    assert "#gradascent" in page.url
    page.go_forward()
    expect(tab.locator("#sort")).to_have_value("margin")
    tab.locator('input[name="run"][value="dropout"]').set_checked(False)
    page.wait_for_url("**p.gradascent.runs=-dropout*")
    page.reload()
    tab = frame_in_shell(page)
    wait_for_samples(tab)
    expect(tab.locator("#sort")).to_have_value("margin")
    expect(tab.locator('input[name="run"][value="dropout"]')).not_to_be_checked()
    expect(tab.locator('output[for="strength"]')).to_have_text("50 % of the change")
    expect(tab.locator(".count")).to_have_text("24 of 24 samples")


def test_a_choice_survives_another_dashboard_and_a_pasted_link_replaces_it(
    page: Page, served: str
) -> None:
    """While another dashboard is open, the page asks for nothing."""
    payloads = Answers(page, "**/payloads?*", held=True)
    tab = open_tab(page, served, view="follow", strength="0.5")
    tab.locator(".follow .frame").first.wait_for()
    page.locator("mat-select").first.click()
    page.get_by_role("option", name="Images").click()
    page.wait_for_url("**#images*")
    payloads.release()
    for _ in range(30):  # A hidden page paints no frames, so the shell's are counted.
        wait_for_paint(page.main_frame)
    assert payloads.asked < 5
    page.locator('[data-plugin-id="gradascent"]').click()
    page.wait_for_url("**#gradascent*")
    frames = tab.locator(".follow .frame")
    expect(frames).to_have_count(4)
    expect(tab.locator(".follow .frame:not([data-painted])")).to_have_count(0)
    expect(tab.locator('output[for="strength"]')).to_have_text("50 % of the change")
    page.evaluate("location.hash = 'gradascent&p.gradascent.sort=oldest'")
    expect(tab.locator("#sort")).to_have_value("oldest")
    expect(tab.locator('output[for="strength"]')).to_have_text("100 % of the change")
    page.unroute_all(behavior="ignoreErrors")


def test_the_run_filter_of_tensorboard_applies_until_the_user_changes_it(
    page: Page, served: str
) -> None:
    page.goto(
        f"{served}#gradascent&regexInput=drop&p.gradascent.show=all&p.gradascent.captures=all"
    )
    tab = frame_in_shell(page)
    expect(tab.locator(".count")).to_have_text("24 of 24 samples")
    expect(tab.locator('input[name="run"]')).to_have_count(1)
    tab.locator("#run-filter").fill("")
    expect(tab.locator(".count")).to_have_text("48 of 48 samples")


def test_a_copied_link_opens_the_same_sample_in_tensorboard(page: Page, served: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = open_tab(page, served)
    wait_for_samples(tab)
    tab.locator(".sample").first.locator("h2").click()
    detail = tab.get_by_role("dialog")
    detail.get_by_role("button", name="Next sample").click()
    expect(detail.locator(".position")).to_have_text("2 of 48")
    title = detail.get_by_role("heading").first.text_content()
    assert title
    detail.get_by_role("button", name="Copy link").click()
    expect(detail.get_by_text("copied", exact=True)).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{served}#gradascent")
    assert "p.gradascent.selected=" in link
    page.goto("about:blank")
    page.goto(link)
    again = frame_in_shell(page).get_by_role("dialog")
    expect(again.locator(".position")).to_have_text("2 of 48")
    expect(again.get_by_role("heading").first).to_have_text(title)


def test_the_theme_follows_tensorboards_dark_mode(browser: Browser, served: str) -> None:
    """In a browser context of its own, because TensorBoard stores the mode in the browser."""
    context = browser.new_context()
    page = context.new_page()
    tab = open_tab(page, served)
    wait_for_samples(tab)

    def background() -> float:
        colour: str = tab.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        return float(np.mean([float(part) for part in re.findall(r"[\d.]+", colour)[:3]]))

    def zero_gradient() -> float:
        card = tab.locator(".sample[data-painted]").first
        panel = panels_of(card)["targets"][0]["gradient"]
        return float(np.median(read_pixels(card.locator("canvas.panels"), *panel)))

    assert background() > 200
    assert zero_gradient() > 200
    set_dark_mode(page)
    tab.locator('html[data-theme="dark"]').wait_for()
    assert background() < 80
    assert zero_gradient() < 80
    context.close()


def test_tensorboards_reload_button_shows_new_samples_and_keeps_the_focus(
    page: Page, tmp_path: Path, serve_here: Callable[..., Board]
) -> None:
    captures = make_captures(40)
    write_session(tmp_path / "run", captures[:10], session="first")
    board = serve_here(tmp_path)
    tab = open_tab(page, board.address)
    wait_for_samples(tab)
    tab.locator(".grid").focus()
    page.keyboard.press("ArrowRight")
    key = key_of(tab.locator(".sample:focus"))
    place = place_in_grid(tab, key)
    write_session(tmp_path / "run", captures[10:], session="second")
    board.read()
    expect(tab.locator(".count")).to_have_text("40 of 40 samples")
    reload_data(page)
    expect(tab.locator(".count")).to_have_text("160 of 160 samples")
    assert place_in_grid(tab, key) == place
    assert tab.evaluate("document.activeElement.dataset.sample") == key


def place_in_grid(tab: Frame, key: str) -> list[float]:
    """Return where a sample is in the visible part of the grid."""
    place: list[float] = tab.locator(f'.sample[data-sample="{key}"]').evaluate(
        """card => {
            const grid = card.closest(".grid");
            const [one, other] = [card, grid].map((e) => e.getBoundingClientRect());
            return [one.x - other.x, one.y - other.y];
        }"""
    )
    return place


def test_the_tab_works_under_a_path_prefix(
    page: Page, tmp_path: Path, serve_here: Callable[..., Board]
) -> None:
    write_session(tmp_path / "run", make_captures(1, shape=(3, 20, 24)))
    board = serve_here(tmp_path, "--path_prefix=/some/where")
    assert urllib.parse.urlsplit(board.address).path == "/some/where/"
    tab = open_tab(page, board.address)
    wait_for_samples(tab)
    expect(tab.locator(".count")).to_have_text("4 of 4 samples")
