"""Short runs of ``bench.endurance``: trainings killed, hooks opened again and again, many calls."""

from __future__ import annotations

import subprocess
import sys

import pytest

from testing.paths import ROOT

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    ("kills", "hooks", "calls"),
    [("1", "4", "3000"), pytest.param("5", "40", "10000", marks=pytest.mark.slow)],
)
def test_the_hook_endures_a_short_run(kills: str, hooks: str, calls: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "bench.endurance"),
            *("--kills", kills, "--hooks", hooks, "--calls", calls),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{kills} trainings killed" in done.stdout
    assert "none of them lost" in done.stdout
