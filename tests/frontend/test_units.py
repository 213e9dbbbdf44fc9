"""The page's unit tests, one test a file, and its colours against matplotlib's."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path

import pytest

from testing.paths import ROOT

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("*.test.mjs"))


@pytest.mark.process
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(TESTS).as_posix())
def test_units_of_the_page(file: Path) -> None:
    driver = pytest.importorskip("playwright._impl._driver")
    node, _ = driver.compute_driver_executable()
    outcome = subprocess.run(
        [node, "--test", str(file)], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_colour_maps_equal_those_of_matplotlib() -> None:
    pytest.importorskip("matplotlib")
    generator = runpy.run_path(str(TESTS / "generate_colormap.py"))
    page = ROOT / "frontend" / "drawing" / "colormap.js"
    assert page.read_text(encoding="utf-8") == generator["module"]()
