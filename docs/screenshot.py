"""``make screenshot``: take ``docs/screenshot-*.png``, the pictures of the documentation."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from demo import photos
from demo.__main__ import main as demo
from testing.browser import ARGUMENTS, frame_in_shell, hash_of, open_tab, set_dark_mode
from testing.chromium import CHROMIUM
from testing.tensorboard_process import tensorboard

HERE = Path(__file__).resolve().parent
PARTS = ("overview", "light", "dark", "detail", "follow")
"""The Overview, the grid in both themes, one sample large, and samples through the training."""
PHOTOS = ("photos",)
"""The grid on photographs."""
SIZE: ViewportSize = {"width": 1400, "height": 900}


def take(logdir: Path, folder: Path, parts: tuple[str, ...] = PARTS) -> None:
    """Save pictures of the tab that shows the runs in ``logdir``."""
    executable = CHROMIUM.find()
    if executable is None:
        raise SystemExit(f"Chromium is missing; {CHROMIUM.remedy}.")
    with tensorboard(logdir) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        for name in parts:
            page = browser.new_page(viewport=SIZE)
            if name == "overview":
                take_overview(page, address, folder)
                page.close()
                continue
            page.goto(address + hash_of({"sort": "newest"}))  # what a new user sees, newest first
            tab = frame_in_shell(page)
            if name == "dark":
                set_dark_mode(page)
            tab.locator(".sample[data-painted]").first.wait_for()
            if name == "follow":
                tab.get_by_role("tab", name="Over training").click()
                tab.locator(".strips [data-painted]").first.wait_for()
                tab.locator(".strips").evaluate("strips => { strips.scrollLeft = 0; }")
            if name == "detail":
                tab.locator("#sort").select_option("margin")
                tab.locator(".sample[data-painted] h2").first.click()
            page.wait_for_timeout(1500)  # until pictures have arrived and transitions have ended
            path = folder / f"screenshot-{name}.png"
            page.screenshot(path=str(path))
            if name == "photos":  # with 86 levels a channel, 500 kB instead of 680 kB
                picture = Image.open(path).convert("RGB")
                picture.point([(level + 1) // 3 * 3 for level in range(256)] * 3).save(
                    path, optimize=True
                )
            page.close()
        browser.close()


def take_overview(page: Page, address: str, folder: Path) -> None:
    """Save a picture of the Overview of all steps."""
    tab = open_tab(page, address, view="overview", range="0..")
    tab.locator(".example[data-painted]").first.wait_for()
    page.wait_for_timeout(1500)  # until pictures have arrived
    page.screenshot(path=str(folder / "screenshot-overview.png"))


def main() -> None:
    """Take the pictures of the demo's runs, or of the runs in a given directory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logdir", type=Path, help="runs to show, instead of the demo's")
    parser.add_argument("--output", type=Path, default=HERE, help="folder for the pictures (docs)")
    options = parser.parse_args()
    if options.logdir:
        take(options.logdir, options.output)
        return
    with tempfile.TemporaryDirectory() as folder:
        demo(["--no-serve", "--logdir", folder])
        take(Path(folder), options.output)
    if absent := photos.missing():
        print(f"photos is left out, because {', '.join(absent)} are missing: {photos.INSTALL}")
        return
    with tempfile.TemporaryDirectory() as folder:
        demo(["--dataset", "photos", "--no-serve", "--logdir", folder])
        take(Path(folder), options.output, PHOTOS)


if __name__ == "__main__":
    main()
