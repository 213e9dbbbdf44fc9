"""How a machine without Chromium gets one, and the message if it cannot."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from testing.chromium import CHROMIUM

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty PATH, outside CI."""
    for name in ("CI", "CHROMIUM"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(path: Path, script: str = "exit 0") -> str:
    """Put a program on the PATH."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def apt_that_installs(folder: Path) -> Path:
    """Make an apt-get that logs its calls and installs by creating the file. Returns the log."""
    log = folder / "calls"
    program(
        folder / "apt-get",
        f'echo "$@" >> {log}\n'
        f'case "$*" in *install*) printf "#!/bin/sh\\n" > {folder}/chromium;'
        f" /bin/chmod +x {folder}/chromium;; esac",
    )
    (folder / "env").symlink_to("/usr/bin/env")
    return log


@pytest.mark.parametrize("name", CHROMIUM.names)
def test_a_browser_on_the_path_is_found(bare_machine: Path, name: str) -> None:
    assert CHROMIUM.find() is None
    browser = program(bare_machine / name)
    assert CHROMIUM.find() == browser
    assert CHROMIUM.main() == 0


def test_the_users_choice_has_priority(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bare_machine / "chromium")
    monkeypatch.setenv("CHROMIUM", program(tmp_path / "mine"))
    assert CHROMIUM.find() == str(tmp_path / "mine")


def test_root_installs_chromium(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    log = apt_that_installs(bare_machine)
    assert CHROMIUM.main() == 0
    assert CHROMIUM.find() == str(bare_machine / "chromium")
    update, install = log.read_text().splitlines()
    assert update == "-q update"
    assert "-y" in install.split()
    assert "chromium" in install.split()


@pytest.mark.parametrize("allowed", [True, False])
def test_a_user_installs_chromium_if_sudo_needs_no_password(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    apt_that_installs(bare_machine)
    (bare_machine / "true").symlink_to("/bin/true")
    program(bare_machine / "sudo", 'shift; exec "$@"' if allowed else "exit 1")
    assert CHROMIUM.main() == 0
    assert (CHROMIUM.find() is not None) == allowed


@pytest.mark.parametrize(("environment", "status"), [("", 0), ("true", 1)])
def test_without_chromium_a_message_says_what_to_do_and_only_ci_fails(
    environment: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CI", environment)
    assert CHROMIUM.main() == status
    said = capsys.readouterr().err
    assert "Chromium is missing" in said
    assert CHROMIUM.remedy in said
    assert ("SKIPPED" in said) == (status == 0)
