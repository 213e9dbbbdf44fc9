"""``make gallery``: the pictures of ``docs/gallery.md``, besides those of ``make screenshot``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tb_gradascent import read_samples
from testing.browser import ARGUMENTS, open_tab, wait_for_samples
from testing.chromium import CHROMIUM
from testing.paths import ROOT
from testing.tensorboard_process import tensorboard

HERE = Path(__file__).resolve().parent
DPI = 90


def run_example(name: str, folder: Path) -> None:
    """Run an example in a folder. It makes its runs there."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    script = ROOT / "examples" / name
    subprocess.run([sys.executable, script], cwd=folder, env=environment, check=True)


def take_tab(logdir: Path, path: Path) -> None:
    """Save a picture of the tab."""
    executable = CHROMIUM.find()
    if executable is None:
        raise SystemExit(f"Chromium is missing; {CHROMIUM.remedy}.")
    with tensorboard(logdir) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1400, "height": 700})
        tab = open_tab(page, address, view="samples")
        wait_for_samples(tab)
        page.wait_for_timeout(1500)  # until pictures have arrived and transitions have ended
        page.screenshot(path=str(path))
        browser.close()


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=HERE, help="folder for the pictures (docs)")
    output: Path = parser.parse_args().output
    with tempfile.TemporaryDirectory() as folder:
        run_example("scan_dataset.py", Path(folder))
        logdir = Path(folder) / "runs"
        take_tab(logdir, output / "gallery-mistakes.png")
        sample = next(iter(read_samples(logdir, tag="mistakes")))
        sample.figure().savefig(output / "gallery-figure.png", dpi=DPI)


if __name__ == "__main__":
    main()
