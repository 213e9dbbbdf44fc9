"""Fixtures that more than one file of tests uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from demo.__main__ import main as demo
from tests import chromium
from tests.browser import ARGUMENTS

TENSORBOARD_NOISE = ("Multiple instances of Three.js",)
"""What TensorBoard itself prints to the console."""


@pytest.fixture(scope="session")
def demo_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log directory with the demo's runs, each trained for one epoch."""
    logdir = tmp_path_factory.mktemp("runs")
    demo(["--no-serve", "--epochs", "1", "--logdir", str(logdir)])
    return logdir


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium; without one the test is skipped, or on CI fails."""
    executable = chromium.find()
    if executable is None:
        message = f"no Chromium: {chromium.REMEDY}"
        if chromium.is_required():
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new page; the test fails on whatever it writes to the console or throws."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"thrown: {error}"))
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    yield page
    page.close()
    assert [text for text in complaints if not any(n in text for n in TENSORBOARD_NOISE)] == []
