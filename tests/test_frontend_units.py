"""The page's own unit tests, and its colours against their source."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parent.parent / "frontend"
TESTS = Path(__file__).parent / "frontend"


def test_units() -> None:
    driver = pytest.importorskip("playwright._impl._driver")
    node, _ = driver.compute_driver_executable()
    files = sorted(map(str, TESTS.glob("*.test.mjs")))
    assert files
    outcome = subprocess.run(
        [node, "--test", *files], capture_output=True, text=True, timeout=120, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_colours_are_matplotlibs() -> None:
    pytest.importorskip("matplotlib")
    generator = runpy.run_path(str(TESTS / "generate_colormap.py"))
    assert (FRONTEND / "colormap.js").read_text(encoding="utf-8") == generator["module"]()
