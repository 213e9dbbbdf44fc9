"""Folders are the layers: who may import whom, in Python and in the page."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from testing.paths import ROOT

PACKAGE = ROOT / "tb_gradascent"
PAGE = ROOT / "frontend"

# One rule a folder: what it may import. A module at the root counts as a folder of its own.
TRAINING_SIDE = ("version", "format", "functional", "model", "training")
ADAPTER = (*TRAINING_SIDE, "hook", "integrations")
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "version": (),
    "format": (),
    "functional": ("format",),
    "model": ("format", "functional"),
    "training": ("format", "functional", "model"),
    "hook": TRAINING_SIDE,
    "integrations": (*TRAINING_SIDE, "hook"),
    "lightning": ADAPTER,
    "transformers": ADAPTER,
    "ignite": ADAPTER,
    "monai": (*ADAPTER, "ignite"),
    "fastai": ADAPTER,
    "reader": ("format",),
    "figure": ("format",),
    "notebook": ("format", "figure", "report_file"),
    "scanning": (*TRAINING_SIDE, "hook", "reader"),
    "scan_command": ("scanning",),
    "plugin": ("version", "format"),
    "report_file": ("format", "reader", "plugin"),
    "report_command": ("report_file",),
    "__main__": ("report_command", "scan_command"),
    "__init__": ("version", "format", "functional", "hook", "reader", "report_file", "notebook"),
}
WITHOUT_TORCH = (
    "version",
    "format",
    "plugin",
    "reader",
    "report_file",
    "report_command",
    "figure",
    "notebook",
    "scan_command",
    "__main__",
)
ONLY_THE_PLUGIN_IMPORTS = {"werkzeug", "wsgiref"}

# The page's folders, from the bottom up: each imports only folders before it.
PAGE_FOLDERS = (
    "samples",
    "drawing",
    "layout",
    "export",
    "state",
    "data",
    "host",
    "views/common",
    "views/card",
    "views/sidebar",
    "views/toolbar",
    "views/grid",
    "views/follow",
    "views/compare",
    "views/overview",
    "views/pair",
    "views/registry",
    "views/detail",
    "views/help",
    "app",
    "index",
)


def folder_of(path: Path, root: Path) -> str:
    """The folder below ``root`` that a file is in, or its own name if it is at the root."""
    names = path.relative_to(root).with_suffix("").parts
    return "/".join(names[:2]) if names[0] == "views" else names[0]


@functools.cache
def imports(path: Path) -> set[str]:
    """The dotted name of every module that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: imports are absolute"
            # `from tb_gradascent.format import record` imports tb_gradascent.format.record.
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@functools.cache
def package_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_only_the_folders_that_its_rule_names(folder: str) -> None:
    paths = [path for path in package_files() if folder_of(path, PACKAGE) == folder]
    assert paths
    for path in paths:
        own = {name.split(".")[1] for name in imports(path) if name.startswith("tb_gradascent.")}
        assert own - {folder} <= set(FOLDERS[folder]), path
        outside = {name.split(".")[0] for name in imports(path)}
        if folder in WITHOUT_TORCH:
            assert "torch" not in outside, path
        if folder != "plugin":
            assert not outside & ONLY_THE_PLUGIN_IMPORTS, path


def test_every_folder_has_a_rule() -> None:
    assert {folder_of(path, PACKAGE) for path in package_files()} == FOLDERS.keys()
    assert {folder_of(path, PAGE) for path in page_files()} == set(PAGE_FOLDERS)


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in package_files()
        if path.name != "__init__.py"
    }
    graph = {
        module: {
            name
            for imported in imports(path)
            for name in (imported, imported.rpartition(".")[0])
            if name in modules and name != module
        }
        for module, path in modules.items()
    }
    check_no_circles(graph)


@functools.cache
def page_files() -> list[Path]:
    return sorted(PAGE.rglob("*.js"))


@functools.cache
def page_imports(path: Path) -> set[Path]:
    """The files that a module of the page imports; all of them must be the page's own."""
    importing = re.compile(
        r"""^\s*(?:import|export)\b(?:[^;"'=]*\bfrom)?\s*["']([^"']+)["']""", re.MULTILINE
    )
    names = importing.findall(path.read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"\.\.?/[\w./-]+\.js", name) for name in names), (path, names)
    found = {(path.parent / name).resolve() for name in names}
    assert found <= set(page_files()), path
    return found


@pytest.mark.parametrize("folder", PAGE_FOLDERS)
def test_a_folder_of_the_page_imports_only_folders_below_it(folder: str) -> None:
    below = PAGE_FOLDERS[: PAGE_FOLDERS.index(folder) + 1]
    paths = [path for path in page_files() if folder_of(path, PAGE) == folder]
    assert paths
    for path in paths:
        imported = {folder_of(other, PAGE) for other in page_imports(path)}
        assert imported <= set(below), path


def test_the_modules_of_the_page_do_not_import_each_other_in_a_circle() -> None:
    check_no_circles({str(path): set(map(str, page_imports(path))) for path in page_files()})


def test_only_one_module_of_the_page_talks_to_the_back_end() -> None:
    calls = re.compile(r"(?<!#)\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon)\b\s*\(")
    callers = {
        path.relative_to(PAGE).as_posix()
        for path in page_files()
        if calls.search(path.read_text(encoding="utf-8"))
    }
    assert callers == {"data/api.js"}


def test_no_test_file_imports_another() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        imported = re.findall(r"^from (tests[.\w]*) ", path.read_text(encoding="utf-8"), re.M)
        assert not [name for name in imported if ".test_" in name], path


def check_no_circles(graph: Mapping[str, set[str]]) -> None:
    left = dict(graph)
    while left:
        leaves = {name for name, needs in left.items() if not needs & set(left)}
        assert leaves, f"circular imports among {sorted(left)}"
        left = {name: needs for name, needs in left.items() if name not in leaves}
