"""A browser of the system: find it, or install it where that is possible.

The tests use browsers that the system updates, and never download Playwright's.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys

from testing.progress import run_quietly


def is_required() -> bool:
    """Return whether a missing browser is a failure, as on CI, and not a reason to skip tests."""
    return bool(os.environ.get("CI"))


@dataclasses.dataclass(frozen=True)
class SystemBrowser:
    """A browser that some tests need.

    Attributes:
        title: How messages call it.
        names: The names of its program on the PATH, the first choice first.
        packages: Debian's packages, without ``--no-install-recommends``.
        variable: An environment variable that may hold the program's path.
        tests: Which tests need it.
    """

    title: str
    names: tuple[str, ...]
    packages: tuple[str, ...]
    variable: str
    tests: str

    @property
    def remedy(self) -> str:
        """What to do if it is missing."""
        return (
            f"install {self.title} so that one of {', '.join(self.names)} is on the PATH, or set "
            f"{self.variable} to its path"
        )

    def find(self) -> str | None:
        """Return the program's path: the variable's, or that of the first name on the PATH."""
        chosen = os.environ.get(self.variable)
        if chosen:
            return shutil.which(chosen)
        return next(filter(None, map(shutil.which, self.names)), None)

    def install(self) -> bool:
        """Install it with apt-get if this user may. Returns whether that succeeded."""
        if shutil.which("apt-get") is None:
            return False
        prefix: list[str] = []
        if os.geteuid() != 0:
            if shutil.which("sudo") is None or subprocess.call(["sudo", "-n", "true"]):
                return False
            prefix = ["sudo", "-n"]
        run_quietly("Updating the list of packages", [*prefix, "apt-get", "-q", "update"])
        command = ["apt-get", "-q", "install", "-y", "--no-install-recommends", *self.packages]
        title = f"Installing {self.title} for {self.tests}"
        return run_quietly(title, [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *command]) == 0

    def main(self) -> int:
        """Find or install it, or say what is not tested. Returns 1 only where it is required."""
        if self.find() or (self.install() and self.find()):
            return 0
        skipped = "" if is_required() else f": {self.tests} will be SKIPPED"
        print(f"\n*** {self.title} is missing{skipped}; {self.remedy}.\n", file=sys.stderr)
        return int(is_required())
