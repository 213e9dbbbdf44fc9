"""The Chromium of the browser tests. ``make test`` runs ``python -m testing.chromium`` first."""

from __future__ import annotations

import sys

from testing.system_browser import SystemBrowser, is_required

CHROMIUM = SystemBrowser(
    title="Chromium",
    names=("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    packages=("chromium", "fonts-liberation"),
    variable="CHROMIUM",
    tests="the browser tests",
)
NAMES = CHROMIUM.names
REMEDY = CHROMIUM.remedy
find, main = CHROMIUM.find, CHROMIUM.main

__all__ = ["CHROMIUM", "NAMES", "REMEDY", "find", "is_required", "main"]

if __name__ == "__main__":
    sys.exit(main())
