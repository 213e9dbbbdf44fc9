"""A short turn of ``bench.endurance``: killed, opened again and again, called without end."""

from __future__ import annotations

import subprocess
import sys

from testing.paths import ROOT


def test_what_the_long_turn_tries_holds_in_a_short_one() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "bench.endurance"),
            *("--kills", "5", "--hooks", "40", "--calls", "10000"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "5 trainings killed" in done.stdout
    assert "none of them lost" in done.stdout
