"""The README is short and true: its Python runs, and its figures were measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from testing.documented import names, python_blocks, table
from testing.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "bench" / "RESULTS.md").read_text(encoding="utf-8")


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


def test_the_cost_that_it_names_was_measured() -> None:
    assert "less than one percent of the training time" in README.replace("\n", " ")
    rows = {
        what: float(cells[0].split(" ")[0])
        for what, cells in table(RESULTS, "what").items()
        if what.startswith("training with the hook")
    }
    assert len(rows) == 3
    assert max(rows.values()) < 1.01
