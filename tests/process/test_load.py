"""Short runs of ``bench.load`` and ``bench.sessions``."""

from __future__ import annotations

import subprocess
import sys

import pytest

from testing.paths import ROOT

pytestmark = [pytest.mark.process, pytest.mark.slow]


def turn(module: str, *options: str) -> str:
    """Run a benchmark, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


OPTIONS = ("--clients", "8", "--samples", "400", "--seconds", "4")


@pytest.mark.parametrize(
    ("load_fast", "tab"), [("true", "gradascent"), ("false", "gradascent"), ("true", "scalars")]
)
def test_every_answer_is_correct_while_people_look_at_a_run_in_training(
    load_fast: str, tab: str
) -> None:
    printed = turn("bench.load", *OPTIONS, "--load-fast", load_fast, "--at", tab)
    assert "errors: 0" in printed
    seen = ("runs", "newest", "payloads") if tab == "gradascent" else ("the others",)
    for kind in (*seen, "Scalars, meanwhile", "TensorBoard", "the run's files"):
        assert kind in printed
    assert ("its data server" in printed) == (load_fast == "true")


def test_a_run_of_many_sessions_is_served_by_both_loaders() -> None:
    """Only the benchmark's full size shows that a run of too many sessions is refused."""
    printed = turn("bench.sessions", "--shown", "300", "--refused", "0")
    assert printed.count("300 sessions") == 2
    assert printed.count("records        200") == 2
