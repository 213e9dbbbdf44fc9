"""Run a long command quietly: show that it goes on, and its output only if it fails.

``python -m testing.progress "Installing packages" pip install …``. It needs the standard library
alone, because it also installs the packages.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

INTERVAL = 10.0
"""Seconds from one sign of progress to the next."""


def run_quietly(title: str, command: Sequence[str], *, interval: float = INTERVAL) -> int:
    """Run a command, and print its output to stderr if it fails.

    Args:
        title: What the command does.
        command: The program and its arguments.
        interval: Seconds from one sign of progress to the next.

    Returns:
        The command's exit status.
    """
    print(f"{title} …", end="", flush=True)
    started = time.monotonic()
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        while True:
            try:
                status = process.wait(interval)
                break
            except subprocess.TimeoutExpired:
                print(f" {time.monotonic() - started:.0f} s …", end="", flush=True)
        print(" failed" if status else " done", flush=True)
        if status:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace"))
            sys.stderr.flush()
    return status


if __name__ == "__main__":
    sys.exit(run_quietly(sys.argv[1], sys.argv[2:]))
