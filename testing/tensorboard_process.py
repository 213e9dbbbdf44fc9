"""The real ``tensorboard``, in a process of its own."""

from __future__ import annotations

import contextlib
import re
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from testing.listening_program import listening

_ADDRESS = re.compile(r"TensorBoard \S+ at (http://\S+)")
PATIENCE = 300
"""Seconds until a test gives up on a busy machine. Only a test that fails waits so long."""


@contextlib.contextmanager
def tensorboard(logdir: Path, *options: str) -> Iterator[str]:
    """Serve a log directory on a free port. Yields the address; ends the process afterwards.

    Args:
        logdir: The log directory.
        options: More of TensorBoard's command line.

    Raises:
        RuntimeError: TensorBoard ended before it served. The message is what it printed.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir)]
    command += ["--port", "0", "--reload_interval", "1", *options]
    with listening(command, _ADDRESS, "tensorboard") as address:
        yield address


def asker(address: str) -> Callable[[str], bytes]:
    """Return a function that asks one of the plugin's routes at a TensorBoard's address."""

    def ask(path: str) -> bytes:
        with urllib.request.urlopen(f"{address}data/plugin/gradascent/{path}") as response:
            body = response.read()
        assert isinstance(body, bytes)
        return body

    return ask


def wait_until(holds: Callable[[], bool]) -> None:
    """Ask again and again until another process has done what a test waits for.

    Raises:
        TimeoutError: It did not hold within ``PATIENCE`` seconds.
    """
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the condition did not hold within {PATIENCE} s")
        time.sleep(0.1)
