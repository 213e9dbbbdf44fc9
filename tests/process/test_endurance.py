"""``bench.endurance`` in short: killed trainings, hooks opened again and again, many calls."""

from __future__ import annotations

import subprocess
import sys

import pytest

from testing.paths import ROOT

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_the_hook_endures_a_short_run() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "bench.endurance"),
            *("--kills", "5", "--hooks", "40", "--calls", "10000"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "5 trainings killed" in done.stdout
    assert "none of them lost" in done.stdout
