"""What the page requests until it shows samples, with the bundle and with the modules."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

from tb_gradascent.plugin import plugin
from tb_gradascent.plugin.assets import Assets
from testing.board import Board
from testing.browser import Answers, open_page, wait_for_samples
from testing.synthetic import make_captures, write_session

pytestmark = pytest.mark.browser

RUNS = 10
CODE = (".js", ".css")


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten runs, each with more records than the first answer holds of it."""
    logdir = tmp_path_factory.mktemp("runs")
    write_session(logdir / "run 0", make_captures(30, 2), start=1.7e9)
    for run in range(1, RUNS):
        shutil.copytree(logdir / "run 0", logdir / f"run {run}")
    return logdir


def requests_of(page: Page) -> list[str]:
    """The names of the plugin's files and routes, as they are requested."""
    asked: list[str] = []

    def on_request(request: Request) -> None:
        path = urlsplit(request.url).path
        if "/plugin/gradascent/" in path:
            asked.append(path.split("/")[-1])

    page.on("request", on_request)
    return asked


def test_ten_runs_are_shown_after_four_requests(
    page: Page,
    logdir: Path,
    bundle: Path,
    serve_here: Callable[..., Board],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugin, "Assets", partial(Assets, bundle=bundle))
    address = serve_here(logdir).address
    asked = requests_of(page)
    tab = open_page(page, address)
    wait_for_samples(tab)
    expect(tab.locator("p.count")).to_have_text("600 of 600 samples")
    # The first answer of pictures paints the first row. More pictures may be requested meanwhile.
    first = asked[: asked.index("payloads") + 1]
    assert sorted(first) == ["index.js", "opening", "payloads", "style.css"]
    assert asked.count("records") == RUNS
    del asked[:]
    page.reload()
    wait_for_samples(tab)
    assert asked[-1] != "index.js"
    fetched = tab.evaluate(
        """performance.getEntriesByType("resource")
            .filter(({ name, transferSize }) => transferSize && /\\.(js|css)$/.test(name)).length"""
    )
    assert fetched == 0, "a second opening takes the code from the browser's cache"


def test_without_a_bundle_the_modules_are_shown(
    page: Page,
    logdir: Path,
    tmp_path: Path,
    serve_here: Callable[..., Board],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugin, "Assets", partial(Assets, bundle=tmp_path))
    address = serve_here(logdir).address
    asked = requests_of(page)
    tab = open_page(page, address)
    wait_for_samples(tab)
    assert {"index.js", "app.js", "api.js", "style.css", "base.css"} <= set(asked)
    answers = [name for name in asked if not name.endswith(CODE)]
    assert answers[:2] == ["opening", "payloads"]


def test_an_address_that_chooses_runs_does_not_request_others(
    page: Page, logdir: Path, bundle: Path, serve_here: Callable[..., Board]
) -> None:
    address = serve_here(logdir).address
    asked = requests_of(page)
    tab = open_page(page, address, runs="none,+run 3")
    wait_for_samples(tab)
    expect(tab.locator("p.count")).to_have_text("60 of 60 samples")
    assert [name for name in asked if not name.endswith(CODE)][:3] == ["runs", "newest", "payloads"]


@pytest.mark.parametrize("view", ["overview", "samples"])
def test_the_other_records_are_requested_after_the_first_samples_are_painted(
    page: Page, logdir: Path, serve_here: Callable[..., Board], view: str
) -> None:
    address = serve_here(logdir).address
    asked = requests_of(page)
    payloads = Answers(page, "**/payloads?*", held=True)
    tab = open_page(page, address, view=view)
    expect(tab.locator("[data-sample]").first).to_be_visible()
    page.wait_for_timeout(500)
    assert payloads.asked
    assert "records" not in asked
    payloads.release()
    expect(tab.locator("[data-sample][data-painted]").first).to_be_visible()
    tab.locator('button.reload[aria-busy="false"]').wait_for(state="attached")
    assert asked.count("records") == RUNS
