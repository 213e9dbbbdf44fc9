"""The pages of ``docs/`` are true: their Python runs, and records samples."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tb_gradascent import GradAscentHook, read_samples
from testing.documented import names
from testing.paths import ROOT

LOOPS = (ROOT / "docs" / "loops.md").read_text(encoding="utf-8")

SECTIONS = {
    heading: re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for heading, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", LOOPS, re.DOTALL | re.MULTILINE)
}


@pytest.fixture
def close_hooks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Closes every hook that was made since, as the end of the program would."""
    hooks: list[GradAscentHook] = []
    make = GradAscentHook.__init__

    def made(self: GradAscentHook, *args: Any, **options: Any) -> None:
        make(self, *args, **(options | {"strict": True}))
        hooks.append(self)

    monkeypatch.setattr(GradAscentHook, "__init__", made)

    def close() -> None:
        for hook in hooks:
            hook.close()

    return close


def test_every_block_belongs_to_a_section() -> None:
    assert len(re.findall("```python", LOOPS)) == sum(map(len, SECTIONS.values())) >= 10


# What the frameworks warn of, where a page shows them without their options.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("heading", [heading for heading, blocks in SECTIONS.items() if blocks])
def test_a_sections_python_runs_and_records_samples(
    heading: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    close_hooks: Callable[[], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    scope = names()
    for block in SECTIONS[heading]:
        exec(compile(block, f"docs/loops.md, {heading}", "exec"), scope)  # noqa: S102
    close_hooks()
    samples = list(read_samples(tmp_path))
    assert samples
    tags = {tag for block in SECTIONS[heading] for tag in re.findall(r'tag="(\w+)"', block)}
    assert {sample.tag for sample in samples} >= tags


def test_links_lead_somewhere() -> None:
    anchors = {heading.lower().replace(" ", "-") for heading in SECTIONS}
    for link in re.findall(r"\]\(([^)]+)\)", LOOPS):
        path, _, anchor = link.partition("#")
        if path:
            assert (ROOT / "docs" / path).exists(), link
        else:
            assert anchor in anchors, link


def test_the_old_callbacks_parameters_are_all_in_the_table() -> None:
    table = LOOPS[LOOPS.index("| `ConfusedLogitCallback` |") :]
    for parameter in (
        "top_k",
        "projection_factor",
        "min_logit_value",
        "logging_batch_interval",
        "max_logit_difference",
        "last_logits",
    ):
        assert f"`{parameter}" in table or f".{parameter}" in table
