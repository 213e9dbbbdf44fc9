"""The plugin's tab inside TensorBoard's shell: its address, theme, buttons and other dashboards.

The other files open the plugin's page alone, which takes less than half of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect

from testing.board import Board
from testing.browser import (
    Answers,
    brightness,
    copied_text,
    frame_in_shell,
    open_tab,
    panels_of,
    read_pixels,
    reload_data,
    set_dark_mode,
    set_strength,
    wait_for_paint,
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


def wait_for_samples(tab: Frame) -> None:
    tab.locator(".sample[data-painted]").first.wait_for()


