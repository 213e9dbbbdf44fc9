"""The pages of ``docs/`` are true: their Python runs, their links lead somewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tb_gradascent import GradAscentHook, read_samples
from testing.brief import BRIEF
from testing.documented import PAGES, anchor, names, python_blocks, sections, table
from testing.paths import ROOT

DOCS = ROOT / "docs"
LOOPS = {name: text for name, text in sections(DOCS / "loops.md", 2).items() if name}
ELSEWHERE = {"devices.md"}
"""Pages whose Python needs several processes: ``tests/training/ddp_checks.py`` runs it."""


@pytest.fixture
def close_hooks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Closes every hook that the test made, as the end of a program would.

    By default these hooks ascend in few steps.
    """
    hooks: list[GradAscentHook] = []
    make = GradAscentHook.__init__

    def made(self: GradAscentHook, *args: Any, **options: Any) -> None:
        make(self, *args, **({"ascent": BRIEF} | options | {"strict": True}))
        hooks.append(self)

    monkeypatch.setattr(GradAscentHook, "__init__", made)

    def close() -> None:
        for hook in hooks:
            hook.close()

    return close


def test_the_sections_of_loops_hold_all_of_its_python() -> None:
    written = (DOCS / "loops.md").read_text(encoding="utf-8").count("```python")
    assert written == sum(len(python_blocks(text)) for text in LOOPS.values()) >= 10


# The frameworks warn about options that a page leaves out.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("heading", [name for name, text in LOOPS.items() if python_blocks(text)])
def test_a_section_of_loops_runs_and_records_samples(
    heading: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    close_hooks: Callable[[], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    scope = names()
    for block in python_blocks(LOOPS[heading]):
        exec(compile(block, f"docs/loops.md, {heading}", "exec"), scope)  # noqa: S102
    close_hooks()
    samples = list(read_samples(tmp_path))
    assert samples
    tags = set(re.findall(r'tag="(\w+)"', LOOPS[heading]))
    assert {sample.tag for sample in samples} >= tags


WHOLE = [
    page
    for page in DOCS.glob("*.md")
    if page.name not in {"loops.md", *ELSEWHERE} and "```python" in page.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("page", WHOLE, ids=lambda page: page.name)
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    close_hooks: Callable[[], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    scope = names()
    with mock.patch.dict(os.environ):
        for block in python_blocks(page.read_text(encoding="utf-8")):
            exec(compile(block, page.name, "exec"), scope)  # noqa: S102
            close_hooks()
    assert list(read_samples(tmp_path))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if fragment:
            assert fragment in map(anchor, sections(target)), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_do_not_install_from_an_index(page: Path) -> None:
    """The package is not published, so its name must not be given to pip."""
    assert "pip install tensorboard-plugin-gradascent" not in page.read_text(encoding="utf-8")
    assert "pip install 'tensorboard-plugin-gradascent" not in page.read_text(encoding="utf-8")


def test_benchmarks_quotes_the_results_favourable_and_not() -> None:
    results = (ROOT / "bench" / "RESULTS.md").read_text(encoding="utf-8")
    measured = table(results, "what")
    quoted = table((DOCS / "benchmarks.md").read_text(encoding="utf-8"), "two cores, no GPU")
    assert len(quoted) >= 20
    for what, cells in quoted.items():
        assert cells == measured[what][:1], what
    # These are the figures that the project would like to be better.
    assert quoted.keys() >= {
        "demo's CNN: capture against a training step",
        "ResNet-18: tutorial's figures against a capture",
        "ResNet-18: captum and `add_images` against a capture of the gradients alone",
        "our first rows against the first picture of Images",
    }


def test_the_old_callbacks_parameters_are_all_in_the_table() -> None:
    rows = " ".join(table(LOOPS["Lightning"], "`ConfusedLogitCallback`"))
    for parameter in (
        "top_k",
        "projection_factor",
        "min_logit_value",
        "logging_batch_interval",
        "max_logit_difference",
        "last_logits",
    ):
        assert f"`{parameter}" in rows or f".{parameter}" in rows


def test_the_tab_has_the_controls_that_its_page_names() -> None:
    """Names in bold, in italics and in first cells of ``tab.md`` are texts of the page."""
    page = (DOCS / "tab.md").read_text(encoding="utf-8")
    scripts = (ROOT / "frontend").rglob("*.js")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
    controls = {*table(page, "control"), *table(page, "choice")} - {"▶", "?"}
    items = r"^(?:- )?\*\*([A-Z][\w ]+)\*\*(?: is| shows| has| counts|:)"
    controls |= set(re.findall(items, page, re.MULTILINE))
    controls |= set(re.findall(r"\*([A-Z][\w ]+)\*(?!\*)", page)) - {"Gradient Ascent"}
    assert len(controls) >= 15
    for name in controls:
        assert f'"{name.strip("*")}' in sources, name
