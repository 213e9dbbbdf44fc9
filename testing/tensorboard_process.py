"""The real ``tensorboard``, in a process of its own."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_ADDRESS = re.compile(r"TensorBoard \S+ at (http://\S+)")


@contextlib.contextmanager
def tensorboard(logdir: Path, *options: str) -> Iterator[str]:
    """Serve a log directory on a free port; yields the address, ends the process afterwards.

    Args:
        logdir: What to serve.
        options: More of its command line.

    Raises:
        RuntimeError: It ended before it served; the message is what it printed.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir)]
    command += ["--port", "0", "--reload_interval", "1", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            printed: list[str] = []
            for line in process.stdout:
                printed.append(line)
                found = _ADDRESS.search(line)
                if found:
                    # A full pipe would stop it.
                    threading.Thread(target=process.stdout.read, daemon=True).start()
                    yield found[1]
                    return
            raise RuntimeError(f"tensorboard did not start:\n{''.join(printed)}")
        finally:
            process.terminate()
