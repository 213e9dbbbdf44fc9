"""Fixtures that more than one file of tests uses."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from bundle import FOLDER, make_bundle
from tb_gradascent.plugin.assets import Assets
from testing.board import Board
from testing.browser import ARGUMENTS
from testing.chromium import CHROMIUM
from testing.fork_server import ForkServer
from testing.system_browser import is_required
from testing.tensorboard_process import tensorboard

# The tests' networks are too small for several threads. On a busy machine, threads that wait for
# each other take ten times as long as one. The variable is for the processes that tests start, and
# for torch. This file does not import torch, because the process that deals out the tests reads it.
os.environ["OMP_NUM_THREADS"] = "1"

# A busy machine may take any time for an example.
settings.register_profile("daily", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None)
settings.load_profile("daily")

TIMEOUT = 120_000
"""Milliseconds until a wait for the browser fails. Only a test that fails waits so long."""

expect.set_options(timeout=TIMEOUT)

VIEWPORT: ViewportSize = {"width": 1400, "height": 900}
"""The size of a page in pixels, unless a test sets another."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import all tests without the garbage collector. It would take a quarter of that time.

    Later it does not look at what was imported.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True, scope="session")
def captures_at_any_speed() -> None:
    """A slow machine makes as many captures as a fast one."""
    import torch

    from testing.any_speed import capture_at_any_speed

    torch.set_num_threads(1)
    capture_at_any_speed()


@pytest.fixture(scope="session")
def demo_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log directory with the demo's runs, each of 21 steps with two captures."""
    from torch.utils.data import Subset

    from demo.__main__ import RUNS
    from demo.data import load_digits
    from demo.train import train

    logdir = tmp_path_factory.mktemp("runs")
    digits = load_digits()
    train_set, test_set = Subset(digits.train, range(21 * 64)), Subset(digits.test, range(100))
    few = dataclasses.replace(digits, train=train_set, test=test_set)
    for run, options in RUNS.items():
        train(few, logdir / run, dataclasses.replace(options, epochs=1))
    return logdir


@pytest.fixture(scope="session")
def programs() -> Iterator[ForkServer]:
    """Runs programs in processes of their own."""
    with ForkServer() as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium. Without one the test is skipped, or fails on CI."""
    executable = CHROMIUM.find()
    if executable is None:
        message = f"no Chromium: {CHROMIUM.remedy}"
        if is_required():
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundle of the page. Without Node.js the test is skipped, or fails on CI.

    ``make test`` makes one for all tests.
    """
    if Assets().bundled:
        return FOLDER
    folder = tmp_path_factory.mktemp("bundle")
    problem = make_bundle(folder)
    if problem and not os.environ.get("CI"):
        pytest.skip(problem)
    assert problem is None
    return folder


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One browser context for all tests of a file: it loads the page's files only once."""
    context = browser.new_context(viewport=VIEWPORT)
    context.set_default_timeout(TIMEOUT)
    yield context
    context.close()


@pytest.fixture(scope="module")
def served(logdir: Path) -> Iterator[str]:
    """The address of one TensorBoard for all tests of a file, on the file's own ``logdir``."""
    with Board(logdir) as board:
        yield board.address


@pytest.fixture
def serve_here() -> Iterator[Callable[..., Board]]:
    """:class:`Board` as a function. It is closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda logdir, *options: stack.enter_context(Board(logdir, *options))


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """:func:`tensorboard` as a function. The processes that it starts end after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda logdir, *options: stack.enter_context(tensorboard(logdir, *options))


@pytest.fixture
def page(context: BrowserContext, serve: object, serve_here: object) -> Iterator[Page]:
    """A page of the browser, which shows nothing yet.

    All tests of a file share one, because a new one takes three times as long to open a tab. After
    a test it is as new, and the servers that the test started end later. What a test adds by
    ``expose_function`` or ``add_init_script`` cannot be removed, so such a test closes the page.

    The test fails if the plugin's own page throws an error, logs a message, or asks another host.
    What TensorBoard's shell does is not the plugin's fault.
    """
    page = context.pages[0] if context.pages else context.new_page()
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
    if not page.is_closed():
        clear(page)
        page.remove_listener("pageerror", on_error)
        page.remove_listener("console", on_console)
        page.remove_listener("request", on_request)
    for another in set(context.pages) - {page}:
        another.close()
    assert complaints == []


def clear(page: Page) -> None:
    """Leave what a page shows, and take back what a test set."""
    page.unroute_all(behavior="ignoreErrors")
    page.goto("about:blank")
    page.mouse.move(0, 0)
    page.set_viewport_size(VIEWPORT)
    page.emulate_media(
        media="null", color_scheme="null", reduced_motion="null", forced_colors="null"
    )


def is_of_plugin(source: str) -> bool:
    """Return whether a URL, or a stack trace, names the plugin's page or one of its files."""
    return "/plugin/gradascent/" in source or "/plugin_entry.html?name=gradascent" in source
