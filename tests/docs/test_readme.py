"""The README is short and true: its Python runs, and its figures were measured."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tb_gradascent import GradAscentHook
from tb_gradascent.training.overhead import FREE_SECONDS
from testing.documented import names, python_blocks, table
from testing.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_at_most_900_words_long() -> None:
    assert len(README.split()) <= 900


def test_it_leads_to_every_page() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in README


def test_its_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scope = names()
    blocks = python_blocks(README)
    assert len(blocks) >= 2
    for block in blocks:
        exec(block, scope)  # noqa: S102
        if "hook" in scope:
            scope.pop("hook").close()
    assert list(tmp_path.glob("runs/mnist/*gradascent*"))
    assert "sample" in scope, "the loop over read_samples reads something"


def test_the_cost_that_it_names_is_the_default() -> None:
    """tests/training/test_overhead.py shows that the hook keeps to it."""
    text = README.replace("\n", " ")
    default = inspect.signature(GradAscentHook).parameters["max_overhead"].default
    assert f"at most {100 * default:g} % of the training's time" in text
    assert f"or {FREE_SECONDS:g} seconds if that is more" in text


def test_its_unfavourable_figures_are_those_of_the_benchmarks() -> None:
    benchmarks = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    rows = table(README, "two cores, no GPU")
    assert len(rows) >= 2
    for figure in (cell for cells in rows.values() for cell in cells):
        assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.])", benchmarks), figure
    for quoted in ("3.75", "16.8", "33.3", "290 to 370 kB"):
        assert quoted in " ".join(README.split())
        assert quoted in " ".join(benchmarks.split())
