"""The plugin's page in a real Chromium: open it, operate it, and read its pixels back."""

from __future__ import annotations

import base64
import json
import math
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Frame, Locator, Page, Route, expect

ARGUMENTS = [
    "--no-sandbox",  # Chromium does not start as root without it, and CI often runs as root.
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--force-color-profile=srgb",
]


def open_page(page: Page, address: str, **link: str) -> Frame:
    """Open the plugin's page alone, without TensorBoard's shell around it. Returns its frame.

    The shell takes most of the time that a tab takes to open, and few tests are about it. The page
    opens at Samples unless the link names another view.

    Args:
        page: The browser's page.
        address: TensorBoard's address.
        link: What a link chooses in the page, by the names of its fields. The other fields are
            those of ``ALL_NEWEST_FIRST``.
    """
    choices = hash_of({**ALL_NEWEST_FIRST, **link})
    page.goto(f"{address}data/plugin_entry.html?name=gradascent{choices}")
    return page.main_frame


def open_as_new(page: Page, address: str, **link: str) -> Frame:
    """Open the plugin's page alone, as for a user who has chosen nothing but ``link``."""
    page.goto(f"{address}data/plugin_entry.html?name=gradascent{hash_of(link)}")
    return page.main_frame


def open_tab(page: Page, address: str, **link: str) -> Frame:
    """Open TensorBoard at the plugin's tab. Returns the frame that holds the plugin's page.

    The tab opens at Samples unless the link names another view.

    Args:
        page: The browser's page.
        address: TensorBoard's address.
        link: What the address chooses in the tab, by the names of its fields. The other fields are
            those of ``ALL_NEWEST_FIRST``.
    """
    page.goto(address + hash_of({**ALL_NEWEST_FIRST, **link}))
    return frame_in_shell(page)


def frame_in_shell(page: Page) -> Frame:
    """Wait for the plugin's page inside TensorBoard, and return its frame."""
    element = page.wait_for_selector('iframe[src*="gradascent"]')
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    return frame


def strength_words(strength: float) -> str:
    """Return how the page writes a strength: "13 % of the change"."""
    return f"{math.floor(100 * strength + 0.5)} % of the change"


ALL_NEWEST_FIRST = {"sort": "newest", "show": "all", "captures": "all", "targets": "all"}
"""A link that shows every sample with all its targets, the newest step first. By default the page
shows only the latest captures and the targets that change the answer."""


def hash_of(link: dict[str, str]) -> str:
    """Return the end of an address that opens the page with a link's choices.

    It opens at Samples unless the link names another view.
    """
    chosen = {"view": "samples", **link}
    fields = (f"&p.gradascent.{name}={quote(text)}" for name, text in chosen.items())
    return "#gradascent" + "".join(fields)


def set_dark_mode(page: Page) -> None:
    """Choose TensorBoard's dark mode as a user would."""
    page.get_by_role("button", name="Menu for changing light or dark theme").click()
    page.get_by_role("menuitem", name="Dark", exact=True).click()


def set_theme(tab: Frame, theme: Literal["light", "dark"]) -> None:
    """Set the browser's theme, which the page follows when it is open without TensorBoard."""
    tab.page.emulate_media(color_scheme=theme)
    tab.locator(f'html[data-theme="{theme}"]').wait_for()


def reload_data(page: Page) -> None:
    """Press TensorBoard's reload button without moving the focus, as its timer would."""
    page.locator('button[title^="Last Updated"]').evaluate("button => button.click()")


def press_reload(tab: Frame) -> None:
    """Press the page's own reload button without moving the focus."""
    tab.locator("button.reload").evaluate("button => button.click()")


def set_strength(tab: Frame, strength: float) -> None:
    """Move the slider as a drag does, and wait until a visible card is painted at that strength."""
    tab.locator("#strength").evaluate(
        """(slider, value) => {
            slider.value = value;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        str(strength),
    )
    tab.locator(f'.sample[data-painted="{strength:.2f}"]').first.wait_for()


def wait_for_paint(tab: Frame) -> None:
    """Wait for two frames. Then the screen shows everything that the page knows so far."""
    tab.evaluate("new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")


def wait_for_samples(tab: Frame) -> None:
    """Wait until the page has read all samples that it shows, and painted the first of them.

    A card can be painted while samples of another run still come in above it.
    """
    tab.locator('button.reload[aria-busy="false"]').wait_for(state="attached")
    tab.locator(".sample[data-painted]").first.wait_for()


class Answers:
    """Counts the page's requests that match a pattern, and can hold back their answers."""

    def __init__(self, page: Page, pattern: str, *, held: bool = False) -> None:
        self.asked = 0
        self.held = held
        self._waiting: list[Route] = []
        page.route(pattern, self._take)

    def _take(self, route: Route) -> None:
        self.asked += 1
        if self.held:
            self._waiting.append(route)
        else:
            route.continue_()

    def release(self) -> None:
        """Let through all requests that were held, and all later ones."""
        self.held = False
        for route in self._waiting:
            route.continue_()
        self._waiting.clear()


def panels_of(card: Locator) -> Any:
    """Return where a card's panels are on its canvas."""
    return json.loads(card.locator("canvas.panels").get_attribute("data-panels") or "")


def read_pixels(canvas: Locator, x: int, y: int, w: int, h: int) -> npt.NDArray[np.int64]:
    """Return a rectangle of a canvas, in its own pixels: shape (height, width, 3), 0 to 255."""
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


def read_panel(card: Locator, kind: str, row: int = 0) -> npt.NDArray[np.int64]:
    """Return a panel's pixels: the ``image``, or a row's ``gradient``, ``morph`` or ``change``."""
    panels = panels_of(card)
    rectangle = panels["image"] if kind == "image" else panels["targets"][row][kind]
    return read_pixels(card.locator("canvas.panels"), *rectangle)


def percent(probability: float) -> str:
    """Return a probability as the page writes it."""
    rounded = math.floor(100 * float(probability) + 0.5)
    if rounded == 0 and probability > 0:
        return "<1 %"
    return ">99 %" if rounded == 100 and probability < 1 else f"{rounded} %"


def choose_appearance(tab: Frame, name: str, choice: str) -> None:
    """Choose in the appearance menu as a user would, and close the menu."""
    tab.get_by_text("Appearance", exact=True).click()
    tab.get_by_label(name, exact=True).select_option(choice)
    tab.page.keyboard.press("Escape")
    expect(tab.get_by_label(name, exact=True)).to_be_hidden()
