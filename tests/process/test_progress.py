"""A long command runs quietly, and its output appears only if it fails."""

from __future__ import annotations

import re
import sys

import pytest

from testing.progress import run_quietly

pytestmark = pytest.mark.process


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_that_succeeds_prints_only_its_title(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_quietly("Talking", python("print('200 lines')")) == 0
    assert capfd.readouterr() == ("Talking … done\n", "")


def test_a_command_that_fails_prints_its_output(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys; print('why', file=sys.stderr, flush=True); print('how'); sys.exit(3)"
    assert run_quietly("Failing", python(code)) == 3
    assert capfd.readouterr() == ("Failing … failed\n", "why\nhow\n")


def test_a_command_that_takes_long_shows_that_it_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_quietly("Waiting", python("pass"), interval=0.001) == 0
    assert re.fullmatch(r"Waiting …( \d+ s …)+ done\n", capfd.readouterr().out)
