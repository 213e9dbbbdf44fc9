"""Runs the code of a notebook from top to bottom, without Jupyter, and collects its outputs.

``python -m testing.notebook FILE`` runs a notebook and keeps its outputs in the file.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

MAGIC: Final = ("%", "!")
"""A line that starts with one of these is IPython's own. It is left out."""

DPI: Final = 80


def read_notebook(path: Path) -> Any:
    """Return a notebook of format 4."""
    return json.loads(path.read_text(encoding="utf-8"))


def code_of(cell: Any) -> str:
    """Return the Python of a cell, without IPython's own lines; empty for another kind of cell."""
    if cell["cell_type"] != "code":
        return ""
    lines = "".join(cell["source"]).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(MAGIC))


def run_notebook(notebook: Any, folder: Path) -> dict[str, Any]:
    """Run all cells in the working directory, and keep each cell's outputs in it.

    Args:
        notebook: Of :func:`read_notebook`.
        folder: Where it lies. Its modules can be imported.

    Returns:
        The variables of the notebook, by name.

    Raises:
        Exception: A cell failed.
    """
    mpl.use("Agg")
    scope: dict[str, Any] = {"__name__": "__main__"}
    number = 0
    with _importable(folder):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                number += 1
                cell["execution_count"] = number
                cell["outputs"] = list(_run_cell(code_of(cell), scope, number))
    return scope


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if getattr(sys.modules[name], "__file__", None) == str(folder / f"{name}.py"):
                del sys.modules[name]


def _run_cell(code: str, scope: dict[str, Any], number: int) -> Iterator[dict[str, Any]]:
    tree = ast.parse(code)
    last = tree.body[-1] if tree.body else None
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        if isinstance(last, ast.Expr):
            tree.body.pop()
            exec(compile(tree, f"cell {number}", "exec"), scope)  # noqa: S102
            expression = ast.Expression(last.value)
            value = eval(compile(expression, f"cell {number}", "eval"), scope)  # noqa: S307
        else:
            exec(compile(tree, f"cell {number}", "exec"), scope)  # noqa: S102
    for picture in _open_figures():
        yield {"output_type": "display_data", "metadata": {}, "data": {"image/png": picture}}
    if printed.getvalue():
        lines = printed.getvalue().splitlines(keepends=True)
        yield {"output_type": "stream", "name": "stdout", "text": lines}
    if value is not None:
        data: dict[str, object] = {"text/plain": [repr(value)]}
        if hasattr(value, "_repr_png_"):
            data["image/png"] = base64.b64encode(value._repr_png_()).decode()
        text = value._repr_html_() if hasattr(value, "_repr_html_") else None
        if text is not None:
            data["text/html"] = [text]
        yield {
            "output_type": "execute_result",
            "execution_count": number,
            "metadata": {},
            "data": data,
        }


def _open_figures() -> Iterator[str]:
    """Yield the figures of pyplot as PNG in base64, and close them."""
    from matplotlib import pyplot as plt

    for number in plt.get_fignums():
        buffer = io.BytesIO()
        plt.figure(number).savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
        yield base64.b64encode(buffer.getvalue()).decode()
    plt.close("all")


def main(path: Path) -> None:
    """Run a notebook in an empty directory, and write its outputs into the file."""
    path = path.resolve()
    notebook = read_notebook(path)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            run_notebook(notebook, path.parent)
        finally:
            os.chdir(before)
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
