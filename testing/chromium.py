"""Find the Chromium that the browser tests use, or install it where that is possible.

``make test`` runs ``python -m testing.chromium`` first. The tests use the system's browser, which
the system updates, and never download Playwright's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from testing.progress import run_quietly

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-liberation")
REMEDY = (
    "install Chromium or Chrome so that one of "
    f"{', '.join(NAMES)} is on the PATH, or set CHROMIUM to its path"
)


def find() -> str | None:
    """Return the browser's path: ``$CHROMIUM``, or the first known name on the PATH."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        return shutil.which(chosen)
    return next(filter(None, map(shutil.which, NAMES)), None)


def is_required() -> bool:
    """Return whether a missing browser is a failure, as on CI, and not a reason to skip tests."""
    return bool(os.environ.get("CI"))


def install() -> bool:
    """Install it with apt-get if this user may. Returns whether that succeeded."""
    if shutil.which("apt-get") is None:
        return False
    prefix: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None or subprocess.call(["sudo", "-n", "true"]):
            return False
        prefix = ["sudo", "-n"]
    run_quietly("Updating the list of packages", [*prefix, "apt-get", "-q", "update"])
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    command = ["apt-get", "-q", "install", "-y", "--no-install-recommends", *PACKAGES]
    title = "Installing Chromium for the browser tests"
    return run_quietly(title, [*prefix, *environment, *command]) == 0


def main() -> int:
    """Find or install Chromium, or say what is not tested. Returns 1 only where it is required."""
    if find() or (install() and find()):
        return 0
    outcome = "is missing" if is_required() else "is missing: the browser tests will be SKIPPED"
    print(f"\n*** Chromium {outcome}; {REMEDY}.\n", file=sys.stderr)
    return int(is_required())


if __name__ == "__main__":
    sys.exit(main())
