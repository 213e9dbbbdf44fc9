"""The plugin's tab in a real Chromium: how to open it, set it, and read its pixels back."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Frame, Locator, Page

ARGUMENTS = [
    "--no-sandbox",  # as root, which CI often is, it would not start otherwise
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--force-color-profile=srgb",
]


def open_tab(page: Page, address: str, **link: str) -> Frame:
    """Open TensorBoard at the plugin's tab; returns the frame that holds the plugin's page.

    ``link`` is what its address says was chosen there, by the fields' names.
    """
    chosen = "".join(f"&p.gradascent.{name}={quote(text)}" for name, text in link.items())
    page.goto(f"{address}#gradascent{chosen}")
    element = page.wait_for_selector('iframe[src*="gradascent"]')
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    return frame


def set_dark_mode(page: Page) -> None:
    """Choose TensorBoard's dark mode as a user would."""
    page.get_by_role("button", name="Menu for changing light or dark theme").click()
    page.get_by_role("menuitem", name="Dark", exact=True).click()


def reload_data(page: Page) -> None:
    """Reload as TensorBoard does from time to time, which leaves the focus where it is."""
    page.locator('button[title^="Last Updated"]').evaluate("button => button.click()")


def set_strength(tab: Frame, strength: float) -> None:
    """Move the slider, as a drag would, and wait until the cards on show are painted so."""
    tab.locator("#strength").evaluate(
        """(slider, value) => {
            slider.value = value;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        str(strength),
    )
    tab.locator(f'.sample[data-painted="{strength:.2f}"]').first.wait_for()


def wait_for_paint(tab: Frame) -> None:
    """Wait until all that the page was told so far is on the screen: it paints with its frames."""
    tab.evaluate("new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")


def read_pixels(canvas: Locator, x: int, y: int, w: int, h: int) -> npt.NDArray[np.int64]:
    """A rectangle of a canvas, in its own pixels: shape (height, width, 3), 0 to 255."""
    encoded: Any = canvas.evaluate(
        """(canvas, [x, y, w, h]) => {
            const { data } = canvas.getContext("2d").getImageData(x, y, w, h);
            return btoa(String.fromCharCode(...data));
        }""",
        [x, y, w, h],
    )
    pixels = np.frombuffer(base64.b64decode(encoded), np.uint8).reshape(h, w, 4)
    assert (pixels[..., 3] == 255).all(), "a panel is painted in full"
    return pixels[..., :3].astype(np.int64)
