"""The Chromium of the browser tests. ``make test`` runs ``python -m testing.chromium`` first."""

from __future__ import annotations

import sys

from testing.system_browser import SystemBrowser

CHROMIUM = SystemBrowser(
    title="Chromium",
    # The first takes three quarters of the others' processor time.
    names=(
        "chromium-headless-shell",
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ),
    packages=("chromium", "fonts-liberation"),
    variable="CHROMIUM",
    tests="the browser tests",
)

if __name__ == "__main__":
    sys.exit(CHROMIUM.main())
