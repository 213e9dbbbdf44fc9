"""What the benchmarks found, printed and as ``bench/RESULTS.md``."""

from __future__ import annotations

import dataclasses
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import torch

RESULTS = Path(__file__).with_name("RESULTS.md")
DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
PACKAGES = ("torch", "tensorboard", "numpy", "matplotlib", "captum", "foolbox")


@dataclasses.dataclass(frozen=True)
class Figure:
    """A result that matters by itself.

    Attributes:
        what: Was measured, against what.
        value: A ratio where that makes sense, with its spread.
        goal: What it should be; "" for none.
    """

    what: str
    value: str
    goal: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    """What one benchmark found.

    Attributes:
        title: Of the benchmark.
        figures: Listed together with those of all benchmarks.
        head: Of the table of all that it measured.
        rows: Of that table.
        note: What has to be known to read them, in Markdown.
    """

    title: str
    figures: Sequence[Figure]
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    note: str = ""

    def text(self, commit: str = "") -> str:
        """In Markdown."""
        said = f"Measured at commit {commit}." if commit else ""
        rows = table(self.head, self.rows) if self.rows else ""
        parts = [f"## {self.title}", said, self.note, rows]
        return "\n\n".join(part for part in parts if part)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, a line a row."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def figures(sections: Sequence[Section]) -> str:
    """The table of what matters most, of all sections."""
    return table(("what", "measured", "goal"), list(_cells(sections).values()))


def _cells(sections: Sequence[Section]) -> dict[str, tuple[str, str, str]]:
    return {
        figure.what: (figure.what, figure.value, figure.goal)
        for section in sections
        for figure in section.figures
    }


def show(section: Section) -> None:
    """Prints a section by itself."""
    print(f"{section.text()}\n\n{figures([section])}\n")


def write(sections: Sequence[Section], path: Path = RESULTS) -> None:
    """Writes all that was found, and where."""
    intro = (
        "# Results\n\n"
        "`make bench` wrote this; [docs/benchmarks.md](../docs/benchmarks.md) says how each figure "
        "is measured.\nMedians stand before their quartiles; what is compared took turns."
    )
    commit = _commit()
    parts = [
        intro,
        table(("", ""), surroundings()),
        f"## What matters\n\n{figures(sections)}",
        *(section.text(commit) for section in sections),
    ]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def update(sections: Sequence[Section], path: Path = RESULTS) -> None:
    """Brings some sections up to date, and their figures; the others stay as they are.

    What is new stands at the end: of the sections, and of the figures.
    """
    commit = _commit()
    cells = _cells(sections)
    text = path.read_text(encoding="utf-8")
    parts = _with_rows(text, cells).removesuffix("\n").split("\n\n## ")
    titles = [part.partition("\n")[0] for part in parts]
    matters = titles.index("What matters")
    for what, row in cells.items():
        if f"\n| {what} | " not in text:
            parts[matters] += "\n| " + " | ".join(row) + " |"
    for section in sections:
        written = section.text(commit).removeprefix("## ")
        if section.title in titles:
            parts[titles.index(section.title)] = written
        else:
            parts.append(written)
    path.write_text("\n\n## ".join(parts) + "\n", encoding="utf-8")


def quote(sections: Sequence[Section], path: Path = DOCS) -> None:
    """Update the figures that the docs quote: the rows that begin with a figure's name."""
    cells = {what: cells[:2] for what, cells in _cells(sections).items()}
    path.write_text(_with_rows(path.read_text(encoding="utf-8"), cells), encoding="utf-8")


def _with_rows(text: str, cells: Mapping[str, Sequence[str]]) -> str:
    """Replace the rows of a text's tables that begin with one of these names."""
    lines = text.splitlines()
    for place, line in enumerate(lines):
        what = line.removeprefix("| ").partition(" | ")[0]
        if line.startswith("| ") and what in cells:
            lines[place] = "| " + " | ".join(cells[what]) + " |"
    return "\n".join(lines) + "\n"


def surroundings() -> list[tuple[str, str]]:
    """Where it was measured."""
    found = [
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("threads of torch", str(torch.get_num_threads())),
        ("system", f"{platform.system()}, Python {platform.python_version()}"),
        ("packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES)),
    ]
    if torch.cuda.is_available():
        found.insert(1, ("GPU", torch.cuda.get_device_name()))
    return found


def _version(package: str) -> str:
    # Of torch, its name on the index does not always say whether it is a CUDA build.
    return torch.__version__ if package == "torch" else metadata.version(package)


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    folder = Path(__file__).parent
    commands = (["git", "rev-parse", "--short", "HEAD"], ["git", "status", "--porcelain"])
    try:
        name, changes = (
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    results = (RESULTS.name, DOCS.name, "quality.png", "visible.png")
    changed = [line for line in changes.splitlines() if not line.endswith(results)]
    return name.strip() + (" with changes" if changed else "")
