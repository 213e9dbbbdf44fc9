"""Finds the Chromium that the browser tests drive, or installs it where that is possible.

``python -m testing.chromium`` is what ``make test`` runs first. Playwright's own browser is never
downloaded: the system's serves, and its updates come with the system's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-liberation")
REMEDY = (
    "install Chromium or Chrome so that one of "
    f"{', '.join(NAMES)} is on the PATH, or set CHROMIUM to its path"
)


def find() -> str | None:
    """The browser's path: ``$CHROMIUM``, or the first known name on the PATH."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        return shutil.which(chosen)
    return next(filter(None, map(shutil.which, NAMES)), None)


def is_required() -> bool:
    """Whether its absence is a failure, as on CI, instead of a reason to skip."""
    return bool(os.environ.get("CI"))


def install() -> bool:
    """Install it by apt-get where this user may; returns whether that was tried with success."""
    if shutil.which("apt-get") is None:
        return False
    prefix: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None or subprocess.call(["sudo", "-n", "true"]):
            return False
        prefix = ["sudo", "-n"]
    print(f"Installing Chromium for the browser tests: {' '.join(PACKAGES)}", flush=True)
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    subprocess.run([*prefix, "apt-get", "-q", "update"], check=False)
    command = ["apt-get", "-q", "install", "-y", "--no-install-recommends", *PACKAGES]
    return subprocess.run([*prefix, *environment, *command], check=False).returncode == 0


def main() -> int:
    """Make sure of it, or say what goes untested; the exit status is 1 only where required."""
    if find() or (install() and find()):
        return 0
    outcome = "is missing" if is_required() else "is missing: the browser tests will be SKIPPED"
    print(f"\n*** Chromium {outcome}; {REMEDY}.\n", file=sys.stderr)
    return int(is_required())


if __name__ == "__main__":
    sys.exit(main())
