"""CONTRIBUTING, the pre-commit hooks and the workflow call the tools that the Makefile calls."""

from __future__ import annotations

import re

from testing.documented import table
from testing.paths import ROOT


def read(name: str) -> str:
    """A file of the project's root."""
    return (ROOT / name).read_text(encoding="utf-8")


def test_pre_commit_runs_the_commands_of_make_lint() -> None:
    makefile = read("Makefile")
    recipe = makefile.partition("\nlint:")[2].partition("\n\n")[0]
    (typescript,) = re.findall(r"^TYPESCRIPT := (.+)$", makefile, re.MULTILINE)
    recipe = recipe.replace("$(run)", ".venv/bin/python").replace("$(TYPESCRIPT)", typescript)
    entries = re.findall(r"^ +entry: (.+)$", read(".pre-commit-config.yaml"), re.MULTILINE)
    assert len(entries) == 4
    for entry in entries:
        assert re.search(rf"^\t+{re.escape(entry)}(; \\)?$", recipe, re.MULTILINE), entry


def test_the_workflow_calls_make_where_make_is() -> None:
    workflow = read(".github/workflows/ci.yml")
    runs = re.findall(r"run: (.+)$", workflow, re.MULTILINE)
    made = [run.split()[1] for run in runs if run.startswith("make ")]
    assert made == ["lint", "test", "test-fast", "test-all"]
    assert len(runs) - len(made) == 2, "the parts that are pure Python, on the other systems"
    for kind in ("oldest", "newest"):
        assert f"versions: {kind}" in workflow
        assert "torch==" in read(f"testing/versions/{kind}.txt")


def test_every_command_is_explained() -> None:
    page = read("CONTRIBUTING.md")
    for command in (
        "test-fast",
        "test",
        "test-all",
        "lint",
        "demo",
        "bench",
        "fuzz",
        "screenshot",
        "gallery",
        "bundle",
    ):
        assert f"| `make {command}` |" in page


def test_the_table_of_folders_names_folders_that_exist() -> None:
    rows = table(read("CONTRIBUTING.md"), "folder")
    named = [name for cell in rows for name in re.findall(r"`([^`]+)/`", cell)]
    assert len(named) >= 15
    for name in named:
        head, brace, inner = name.partition("{")
        for part in inner.rstrip("}").split(",") if brace else [""]:
            assert (ROOT / f"{head}{part}").is_dir(), name


def test_an_unreleased_section_stands_before_the_version() -> None:
    version = re.findall(r'VERSION = "(.+)"', read("tb_gradascent/version.py"))[0]
    headings = re.findall(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    assert headings == ["Unreleased", version]
