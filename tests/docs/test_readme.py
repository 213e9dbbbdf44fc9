"""The README is true: its tables name every option, and its Python runs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import tb_gradascent
from tb_gradascent import Ascent, GradAscentHook
from tb_gradascent.functional import criteria
from testing.documented import names
from testing.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "bench" / "RESULTS.md"


def rows_after(text: str, heading: str) -> dict[str, str]:
    """Of the first table after some words: what stands in the first column, and in the second."""
    table = text[text.index(heading) :].partition("\n| --- |")[2].split("\n\n")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines()[1:]]
    return {what.strip(): value.strip() for what, value in rows}


def table_under(heading: str) -> dict[str, str]:
    """A table's rows: what stands in the first column, and in the second."""
    lines = README[README.index(f"| {heading}") :].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: row[1] for row in rows for name in re.findall(r"`([^`]+)`", row[0])}


@pytest.mark.parametrize(
    ("heading", "subject"), [("`GradAscentHook(…)`", GradAscentHook), ("`Ascent(…)`", Ascent)]
)
def test_a_row_for_each_parameter_with_its_default(heading: str, subject: Any) -> None:
    rows = table_under(heading)
    parameters = inspect.signature(subject).parameters
    assert list(rows) == list(parameters)
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty:
            assert rows[name] == ""
        else:
            default = eval(rows[name].strip("`"), vars(criteria) | {"Ascent": Ascent})  # noqa: S307
            assert default == parameter.default


def test_a_row_for_each_criterion_with_its_defaults() -> None:
    rows = table_under("criterion |")
    for name in set(tb_gradascent.__all__) & set(vars(criteria)):
        assert [text for text in rows if text.startswith(f"{name}(")] == [
            repr(getattr(criteria, name)())
        ]


def test_a_row_for_each_method_with_its_parameters_and_their_defaults() -> None:
    rows = [text.replace('"', "'") for text in table_under("method |")]
    for name, value in vars(GradAscentHook).items():
        if name.startswith("_") and name != "__call__":
            continue
        row = "hook" if name == "__call__" else f"hook.{name}"
        if inspect.isfunction(value):
            _, *parameters = inspect.signature(value).parameters.values()
            bare = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
            row += str(inspect.Signature(bare))
        assert row in rows


def test_what_it_says_of_cost_was_measured() -> None:
    measured = rows_after(RESULTS.read_text(encoding="utf-8"), "## What matters")
    said = rows_after(README, "[bench/RESULTS.md](bench/RESULTS.md)")
    assert len(said) >= 5
    assert {what: measured.get(what) for what in said} == said


@pytest.mark.filterwarnings("default")
def test_its_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scope = names()
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(block, scope)  # noqa: S102
        if "hook" in scope:
            scope.pop("hook").close()
    for run in ("runs/mnist", "lightning_logs/version_0", "trained/runs/*", "runs/ignite"):
        assert list(tmp_path.glob(f"{run}/*gradascent*")), run
