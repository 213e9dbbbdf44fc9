"""A report: the tab as one file, opened from disk and inside a frame of a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from tb_gradascent import read_samples, report, report_html
from tb_gradascent.plugin import report_page
from tb_gradascent.plugin.assets import Assets
from testing.board import Board
from testing.browser import (
    ALL_NEWEST_FIRST,
    hash_of,
    open_page,
    panels_of,
    read_pixels,
    set_strength,
    wait_for_paint,
    wait_for_samples,
)
from testing.hostile import CANARY, LABELS, NAMES, NUMBERS, write_logdir
from testing.synthetic import make_captures, write_session

pytestmark = pytest.mark.browser

DIGITS = 200
MOST_MEGABYTES = 3
MOST_CODE = {"bundle": 250_000, "modules": 300_000}


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs with two tags."""
    logdir = tmp_path_factory.mktemp("logs")
    write_session(logdir / "base", make_captures(60, 4), start=1.7e9)
    write_session(logdir / "base", make_captures(2, 2), tag="other", start=1.7e9)
    write_session(logdir / "wide", make_captures(10, 2), start=1.7e9)
    return logdir


@pytest.fixture(params=["bundle", "modules"])
def form(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The form of the code in the report."""
    is_bundle = request.param == "bundle"
    folder = request.getfixturevalue("bundle") if is_bundle else tmp_path_factory.mktemp("none")
    monkeypatch.setattr(report_page, "Assets", partial(Assets, bundle=folder))
    report_page._page_code.cache_clear()
    yield request.param
    report_page._page_code.cache_clear()


@pytest.fixture
def sheet(browser: Browser) -> Iterator[Page]:
    """A page that fails the test if anything is logged, thrown, or requested from elsewhere."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(120_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"thrown: {error}"))
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on(
        "request",
        lambda request: (
            complaints.append(request.url[:200])
            if not request.url.startswith(("data:", "blob:", "file:"))
            else None
        ),
    )
    yield page
    page.close()
    assert complaints == []


def show_in_frame(page: Page, html: str) -> Frame:
    """Show a report as notebooks do: in a frame that may run scripts, and nothing else."""
    page.set_content('<iframe sandbox="allow-scripts" width="1300" height="800"></iframe>')
    page.locator("iframe").evaluate("(frame, html) => { frame.srcdoc = html; }", html)
    element = page.wait_for_selector("iframe")
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    return frame


def test_a_report_opens_from_disk_and_shows_what_the_tab_shows(
    sheet: Page, logdir: Path, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "report.html"
    assert report(logdir, path, tag="confused", title="<i>Digits & more") == DIGITS
    assert path.stat().st_size < MOST_MEGABYTES * 1e6
    sheet.goto(path.as_uri() + hash_of(ALL_NEWEST_FIRST))
    tab = sheet.main_frame
    wait_for_samples(tab)
    expect(sheet).to_have_title("<i>Digits & more")
    expect(tab.locator("p.count")).to_have_text(f"{DIGITS} of {DIGITS} samples")
    set_strength(tab, 0.5)
    tab.locator("#sort").select_option("margin")
    tab.locator("article.sample").first.focus()
    sheet.keyboard.press("Enter")
    tab.locator("dialog[open] [data-painted]").first.wait_for()
    sheet.keyboard.press("Escape")
    for view in ("Over training", "Compare runs", "Overview", "Samples"):
        tab.get_by_role("tab", name=view).click()
        expect(tab.get_by_role("tab", name=view)).to_have_attribute("aria-selected", "true")
    wait_for_samples(tab)
    expect(tab.get_by_role("button", name="Reload")).to_be_hidden()
    tab.locator(".downloads summary").click()
    expect(tab.get_by_role("button", name="This page as a report")).to_have_count(0)
    with sheet.expect_download() as saved:
        tab.locator('.downloads button[name="Numbers"]').click()
    assert saved.value.path().read_text(encoding="utf-8").count("\n") > DIGITS
    # The address follows the choices a moment later.
    sheet.wait_for_url(re.compile("view=samples.*sort=margin"))
    sheet.reload()
    wait_for_samples(tab)
    expect(tab.locator("#sort")).to_have_value("margin")
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="report">.*?</script>', text)
    assert len(text) - len(data) < MOST_CODE[form]


@pytest.mark.parametrize(
    "form", ["bundle", pytest.param("modules", marks=pytest.mark.slow)], indirect=True
)
def test_a_report_runs_in_a_notebooks_frame(sheet: Page, logdir: Path, form: str) -> None:
    samples = list(read_samples(logdir, run="wide"))[:4]
    html = report_html(samples, link={"view": "samples", **ALL_NEWEST_FIRST})
    heard: list[str] = []
    sheet.expose_function("heard", lambda text: heard.append(str(text)))
    sheet.add_init_script("addEventListener('message', ({ data }) => heard(String(data)))")
    sheet.goto("data:text/html,<p>")
    tab = show_in_frame(sheet, html)
    wait_for_samples(tab)
    expect(tab.locator("article.sample")).to_have_count(4)
    set_strength(tab, 0.5)
    tab.locator(".downloads summary").click()
    tab.locator('.downloads button[name="Arrays"]').click()
    expect(tab.locator(".downloads [role=status]")).to_contain_text("this frame may not save files")
    tab.locator('.downloads button[name="Numbers"]').click()
    expect(tab.locator(".downloads [role=status]")).to_contain_text(
        re.compile("copied|Copy the numbers")
    )
    tab.locator(".sample").first.focus()
    sheet.keyboard.press("1")
    tab.get_by_text("Label review").click()
    tab.locator(".review-tools").get_by_role("button", name="CSV").click()
    expect(tab.locator(".review-panel [role=status]")).to_contain_text(
        re.compile("copied|Copy the reviews")
    )
    assert heard == [], "the notebook around it is not asked for anything"


@pytest.mark.parametrize(
    "form", [pytest.param("bundle", marks=pytest.mark.slow), "modules"], indirect=True
)
def test_a_report_of_hostile_names_and_damaged_records_runs_nothing(
    sheet: Page, tmp_path: Path, form: str
) -> None:
    write_logdir(tmp_path / "logs")
    path = tmp_path / "report.html"
    title = f"</title></script><script>{CANARY}</script>"
    report(tmp_path / "logs", path, limit=None, title=title)
    text = path.read_text(encoding="utf-8")
    assert text.lower().count("</script") == len(re.findall("<script", text)), (
        "no name ends a script"
    )
    assert CANARY in text
    woken: list[str] = []
    sheet.expose_function("canary", lambda *_: woken.append("canary"))
    sheet.on("dialog", lambda dialog: woken.append(dialog.message))
    sheet.goto(path.as_uri() + hash_of({**ALL_NEWEST_FIRST, "tag": "confused"}))
    tab = sheet.main_frame
    wait_for_samples(tab)
    expect(sheet).to_have_title(title)
    assert CANARY in tab.locator("body").inner_text()
    for run, count in (("names", len(NAMES)), ("values", len(LABELS) + len(NUMBERS))):
        tab.get_by_role("button", name=f"Only {run}", exact=True).click()
        expect(tab.locator("p.count")).to_have_text(f"{count} of {count} samples")
        wait_for_samples(tab)
    wait_for_paint(tab)
    assert tab.locator("img[onerror], svg[onload]").count() == 0
    assert woken == []
    assert tab.evaluate("typeof canary") == "function", "a script could have called it"
    policy = tab.locator("meta[http-equiv]").get_attribute("content") or ""
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    assert "unsafe" not in policy


def test_the_tab_saves_what_it_shows_as_a_report(
    page: Page, browser: Browser, logdir: Path, tmp_path: Path
) -> None:
    with Board(logdir) as board:
        tab = open_page(page, board.address, label="3", sort="margin", strength="0.5")
        wait_for_samples(tab)
        count = tab.locator("p.count").inner_text()
        wanted = int(count.split()[0])
        assert 0 < wanted < 256
        first = tab.locator("article.sample").first
        pixels = read_pixels(first.locator("canvas.panels"), *panels_of(first)["image"])
        tab.locator(".downloads summary").click()
        with page.expect_download() as saved:
            tab.get_by_role("button", name="This page as a report").click()
        expect(tab.locator(".downloads [role=status]")).to_contain_text("was saved")
    path = tmp_path / saved.value.suggested_filename
    saved.value.save_as(path)
    assert path.suffix == ".html"
    sheet = browser.new_page(viewport={"width": 1400, "height": 900})
    sheet.goto(path.as_uri())
    wait_for_samples(sheet.main_frame)
    expect(sheet.locator("p.count")).to_have_text(f"{wanted} of {wanted} samples")
    expect(sheet.locator("#sort")).to_have_value("margin")
    expect(sheet.locator('output[for="strength"]')).to_have_text("50 % of the change")
    card = sheet.locator("article.sample").first
    assert (read_pixels(card.locator("canvas.panels"), *panels_of(card)["image"]) == pixels).all()
    sheet.close()
