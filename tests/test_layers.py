"""The layers: who may import whom, on both sides and in the page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tb_gradascent"
FRONTEND = ROOT / "frontend"

SHARED = (
    "version",
    "samples",
    "quantization",
    "palette",
    "metadata",
    "records",
    "event_file",
    "remote",
)
"""The record format. Each list is in the order of the layers: a file imports only earlier ones."""
TRAIN = (
    "describe",
    "numeric",
    "margins",
    "confusion",
    "targets",
    "isolation",
    "distributed",
    "gradients",
    "lockstep",
    "ascent",
    "transfer",
    "uncertainty",
    "capture",
    "arguments",
    "forward_args",
    "batch",
    "model_io",
    "passes",
    "scan",
    "watch",
    "attach",
    "schedule",
    "writer",
    "hook",
    "adapter",
    "lightning",
    "transformers",
    "ignite",
)
VIEW = (
    "index",
    "reader",
    "rows",
    "errors",
    "address",
    "source",
    "series",
    "provider",
    "assets",
    "responses",
    "data_routes",
    "plugin",
    "loader",
)

TRAIN_ONLY = {"torch", "tqdm"}
VIEW_ONLY = {"werkzeug", "wsgiref"}


def imports(path: Path) -> Iterator[str]:
    """The dotted name of every module that a file imports, inside functions too.

    ``from tb_gradascent import records`` counts as ``tb_gradascent.records``.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path.name}: imports are absolute"
            if node.module == "tb_gradascent":
                yield from (f"tb_gradascent.{alias.name}" for alias in node.names)
            else:
                yield node.module


def siblings(path: Path) -> set[str]:
    """The package's own modules that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.split(".")[0] == "tb_gradascent"}


def outsiders(path: Path) -> set[str]:
    """The other packages that a file imports."""
    return {name.split(".")[0] for name in imports(path)} - {"tb_gradascent"}


def test_every_module_has_its_layer() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert modules == {*SHARED, *TRAIN, *VIEW}


@pytest.mark.parametrize("column", [(*SHARED, *TRAIN), (*SHARED, *VIEW)], ids=["train", "view"])
def test_a_module_imports_only_earlier_ones_of_its_side(column: tuple[str, ...]) -> None:
    for place, module in enumerate(column):
        allowed = set(column[:place])
        assert siblings(PACKAGE / f"{module}.py") <= allowed, module


@pytest.mark.parametrize("module", [*SHARED, *VIEW])
def test_only_the_training_side_imports_torch(module: str) -> None:
    assert not outsiders(PACKAGE / f"{module}.py") & TRAIN_ONLY


@pytest.mark.parametrize("module", [*SHARED, *TRAIN])
def test_only_the_viewer_serves(module: str) -> None:
    assert not outsiders(PACKAGE / f"{module}.py") & VIEW_ONLY


def page_modules() -> list[Path]:
    """The page's modules."""
    return sorted(path for path in FRONTEND.rglob("*.js"))


def test_only_one_module_talks_to_the_back_end() -> None:
    calls = re.compile(r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon)\b\s*\(")
    callers = {
        path.relative_to(FRONTEND).as_posix()
        for path in page_modules()
        if calls.search(path.read_text(encoding="utf-8"))
    }
    assert callers == {"api.js"}


def test_the_page_imports_only_its_own_modules_and_no_circles() -> None:
    importing = re.compile(
        r"""^\s*(?:import|export)\b(?:[^;"'=]*\bfrom)?\s*["']([^"']+)["']""", re.MULTILINE
    )
    graph: dict[Path, set[Path]] = {}
    for path in page_modules():
        names = importing.findall(path.read_text(encoding="utf-8"))
        assert all(re.fullmatch(r"\.\.?/[\w./-]+\.js", name) for name in names), (path, names)
        graph[path] = {(path.parent / name).resolve() for name in names}
        assert graph[path] <= set(page_modules()), path
    while graph:
        leaves = {path for path, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"circular imports among {sorted(path.name for path in graph)}"
        graph = {path: needs for path, needs in graph.items() if path not in leaves}


def test_contributing_shows_every_module() -> None:
    tree = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```")[1]
    listed = set(re.findall(r"[\w.]+\.(?:py|js|css|md|ts)\b", tree))
    modules = {
        path.name
        for folder in ("tb_gradascent", "frontend", "demo")
        for path in (ROOT / folder).iterdir()
        if path.suffix in {".py", ".js", ".css", ".md", ".ts"} and path.name != "__init__.py"
    }
    assert modules - listed == set()
    found = {path.name for path in ROOT.rglob("*") if ".venv" not in path.parts}
    assert listed - found == set()
