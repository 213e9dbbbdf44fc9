"""The examples are short, and each of them records samples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tb_gradascent import read_samples
from testing.paths import ROOT

EXAMPLES = ROOT / "examples"
RECORDED = {
    "plain_loop.py": {"confused"},
    "lightning_example.py": {"confused"},
    "transformers_example.py": {"confused"},
    "ignite_example.py": {"confused", "validation"},
    "scan_dataset.py": {"mistakes"},
}
"""The tags that each example records."""


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*RECORDED, "shared_digits.py"}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_shorter_than_60_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60


@pytest.mark.process
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "plain_loop.py" else pytest.mark.slow)
        for name in RECORDED
    ],
)
def test_an_example_records_samples(name: str, tmp_path: Path) -> None:
    """It runs as its first lines say, in any folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, EXAMPLES / name],
        cwd=tmp_path,
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stderr, "the hook logs what goes wrong"
    samples = list(read_samples(tmp_path))
    assert {sample.tag for sample in samples} == RECORDED[name]
    assert len(samples) >= 4, "on a busy machine the first capture may use up the hook's time"
    assert all(sample.targets for sample in samples)
    assert {sample.class_names for sample in samples} == {tuple("0123456789")}
