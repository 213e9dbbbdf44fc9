"""The page's unit tests, one test a file, and its colours against matplotlib's."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from testing.paths import ROOT

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("*.test.mjs"))


def needs_a_process(file: Path) -> bool:
    """Return whether a file's hooks or globals would reach the tests of other files."""
    return bool(re.search(r"\bglobalThis\b|\b(before|after)(Each)?\(", file.read_text("utf-8")))


TOGETHER = [file for file in FILES if not needs_a_process(file)]


def run_units(*files: Path) -> dict[str, list[str]]:
    """Run files of tests in one Node.js. Returns what each test reported if it failed, or ""."""
    driver = pytest.importorskip("playwright._impl._driver")
    node, _ = driver.compute_driver_executable()
    command = [node, "--test", "--test-isolation=none", "--test-reporter=junit", *map(str, files)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, list[str]] = {}
    for case in ElementTree.fromstring(outcome.stdout).iter("testcase"):  # noqa: S314  # our own
        failures = [failure.text or "failed" for failure in case.iter("failure")]
        found.setdefault(case.attrib["file"], []).append("\n".join(failures))
    failed = any("".join(texts) for texts in found.values())
    assert failed == (outcome.returncode != 0), outcome.stdout + outcome.stderr
    return found


@pytest.fixture(scope="module")
def together() -> dict[str, list[str]]:
    """The outcomes of the files that can share a process, because to start one takes longest."""
    return run_units(*TOGETHER)


@pytest.mark.process
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(TESTS).as_posix())
def test_units_of_the_page(file: Path, together: dict[str, list[str]]) -> None:
    outcomes = (together if file in TOGETHER else run_units(file))[str(file)]
    assert outcomes, "it has tests"
    assert not any(outcomes), "".join(outcomes)


def test_colour_maps_equal_those_of_matplotlib() -> None:
    pytest.importorskip("matplotlib")
    generator = runpy.run_path(str(TESTS / "generate_colormap.py"))
    page = ROOT / "frontend" / "drawing" / "colormap.js"
    assert page.read_text(encoding="utf-8") == generator["module"]()
