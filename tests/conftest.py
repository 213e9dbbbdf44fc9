"""Fixtures that more than one file of tests uses."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    sync_playwright,
)

from demo.__main__ import main as demo
from testing import chromium
from testing.browser import ARGUMENTS
from testing.tensorboard_process import tensorboard

# The tests' networks are too small to share out, and on a busy machine threads that wait for each
# other take ten times as long as one. The variable is for the processes that tests start.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

# On a busy machine an example may take any time.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


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


@pytest.fixture(scope="module")
def served(logdir: Path) -> Iterator[str]:
    """One TensorBoard for all tests of a file, on that file's own ``logdir``."""
    with tensorboard(logdir) as address:
        yield address


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """:func:`tensorboard` as a function; what it starts ends after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda logdir, *options: stack.enter_context(tensorboard(logdir, *options))


@pytest.fixture
def page(browser: Browser, serve: object) -> Iterator[Page]:  # TensorBoard outlives the page
    """A new page; the test fails on what the plugin's own page throws, logs or asks elsewhere.

    What TensorBoard's shell around it does is TensorBoard's own affair.
    """
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(20_000)
    complaints: list[str] = []

    def on_error(error: Error) -> None:
        if is_of_plugin(error.stack or error.message):
            complaints.append(f"thrown: {error}")

    def on_console(message: ConsoleMessage) -> None:
        if is_of_plugin(message.location["url"]):
            complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def on_request(request: Request) -> None:
        if is_of_plugin(request.frame.url) and not request.url.startswith(
            ("http://localhost:", "data:", "blob:")
        ):
            complaints.append(f"asked for {request.url}")

    page.on("pageerror", on_error)
    page.on("console", on_console)
    page.on("request", on_request)
    yield page
    page.close()
    assert complaints == []


def is_of_plugin(source: str) -> bool:
    """Whether a URL, or a stack of them, is of the plugin's page and its files."""
    return "/plugin/gradascent/" in source or "/plugin_entry.html?name=gradascent" in source
