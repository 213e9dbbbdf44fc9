"""A short turn of ``bench.load``: no answer but a good one, however busy it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("load_fast", ["true", "false"])
def test_people_look_at_a_run_while_it_trains(load_fast: str) -> None:
    options = ["--clients", "8", "--samples", "400", "--seconds", "4", "--load-fast", load_fast]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "bench.load", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "errors: 0" in done.stdout
    for kind in ("runs", "index", "records", "payloads", "Scalars, meanwhile"):
        assert kind in done.stdout
