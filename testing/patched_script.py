"""Run a training script of ``tests/loops``, as it is or patched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from testing.fork_server import ForkServer
from testing.paths import ROOT

LOOPS = ROOT / "tests" / "loops"


def patch_of(script: str) -> Path:
    """Return a script's patch, after checking that it adds at most four lines and changes none."""
    patch = LOOPS / f"{script}.patch"
    lines = patch.read_text(encoding="utf-8").splitlines()[2:]
    assert sum(line.startswith("+") for line in lines) <= 4
    assert not any(line.startswith("-") for line in lines)
    return patch


def run(
    script: str,
    patch: Path | None,
    folder: Path,
    programs: ForkServer,
    *options: str,
    warnings: str = "error",
) -> Any:
    """Train by a copy of a script, patched, and return what it saved as ``model.pt``.

    Args:
        script: The file's name in ``tests/loops``, without its ending.
        patch: What to apply to the copy, if anything.
        folder: Where to train; it must not exist.
        programs: Runs the copy.
        options: The script's own.
        warnings: What Python does with warnings. Frameworks have their own.
    """
    folder.mkdir()
    copy = folder / f"{script}.py"
    copy.write_bytes((LOOPS / f"{script}.py").read_bytes())
    if patch:
        # Git must not take the folder for a part of a repository around it.
        ceiling = {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
        subprocess.run(["git", "apply", patch], cwd=folder, check=True, env=os.environ | ceiling)
    done = programs.run(
        f"""
        import os, runpy, warnings
        warnings.simplefilter({warnings!r})
        os.chdir({str(folder)!r})
        runpy.run_path({copy.name!r}, run_name="__main__")
        """,
        *options,
    )
    assert done.returncode == 0, done.stderr
    return torch.load(folder / "model.pt")


def same(one: Any, other: Any) -> bool:
    """Return whether two nested states are equal bit for bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, Tensor) else bool(one == other)
