"""Every view opens and paints in Firefox, and logs nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from testing.board import Board
from testing.browser import hash_of
from testing.firefox import FIREFOX, Firefox, firefox
from testing.synthetic import make_captures, make_sample, write_session
from testing.system_browser import is_required

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAINTED = {
    "overview": ".overview-page .example[data-painted]",
    "pair": ".pair-line .example[data-painted]",
    "samples": ".grid .sample[data-painted]",
    "follow": ".strips .frame[data-painted]",
    "compare": ".pairs .sample[data-painted]",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Firefox]:
    path = FIREFOX.find()
    if path is None:
        message = f"no Firefox: {FIREFOX.remedy}"
        if is_required():
            pytest.fail(message)
        pytest.skip(message)
    with firefox(path) as started:
        yield started


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two runs with the same samples and probes."""
    directory = tmp_path_factory.mktemp("firefox")
    for run in ("first", "second"):
        rng = np.random.default_rng(3)
        captures = [
            [*samples, make_sample(rng, step=samples[0].step, id="followed", probe=True)]
            for samples in make_captures(4)
        ]
        write_session(directory / run, captures, session=run, start=1.7e9)
    with Board(directory) as board:
        yield board.address


@pytest.mark.parametrize("view", PAINTED)
def test_a_view_opens_paints_and_logs_nothing(browser: Firefox, served: str, view: str) -> None:
    link = {"view": view, "range": "0..", "captures": "all", "between": "3-5"}
    address = f"{served}data/plugin_entry.html?name=gradascent{hash_of(link)}"
    browser.logged.clear()
    browser.open(address, width=1400, height=900)
    browser.wait_for('button.reload[aria-busy="false"]')
    browser.wait_for(PAINTED[view])
    assert browser.evaluate("document.querySelectorAll('.problems li').length") == 0
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    pixels = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("RGB"))
    assert pixels.shape == (900, 1400, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100, "the pictures have many colours"
    assert browser.logged == []
