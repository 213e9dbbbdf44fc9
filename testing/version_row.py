"""Print a row of the table of versions in ``docs/compatibility.md``.

python -m testing.version_row oldest
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version


def row(name: str) -> str:
    """Return the row of this environment."""
    versions = [version(package) for package in ("torch", "tensorboard", "numpy")]
    return f"| {name} | {' | '.join([platform.python_version(), *versions])} |"


if __name__ == "__main__":
    print(row(sys.argv[1]))
