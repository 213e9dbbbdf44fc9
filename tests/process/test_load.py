"""Short turns of ``bench.load`` and ``bench.sessions``."""

from __future__ import annotations

import subprocess
import sys

import pytest

from testing.paths import ROOT


def turn(module: str, *options: str) -> str:
    """What a benchmark prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("load_fast", "tab"), [("true", "gradascent"), ("false", "gradascent"), ("true", "scalars")]
)
def test_people_look_at_a_run_while_it_trains(load_fast: str, tab: str) -> None:
    """No answer but a good one, however busy it is."""
    options = ["--clients", "8", "--samples", "400", "--seconds", "4", "--load-fast", load_fast]
    printed = turn("bench.load", *options, "--at", tab)
    assert "errors: 0" in printed
    seen = ("runs", "index", "records", "payloads") if tab == "gradascent" else ("the others",)
    for kind in (*seen, "Scalars, meanwhile", "TensorBoard", "the run's files"):
        assert kind in printed
    assert ("its data server" in printed) == (load_fast == "true")


def test_a_run_of_many_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fit, in both loaders; that more are refused takes its full size."""
    printed = turn("bench.sessions", "--shown", "300", "--refused", "0")
    assert printed.count("300 sessions") == 2
    assert printed.count("records        200") == 2
