"""A program that prints the address at which it listens."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence


@contextlib.contextmanager
def listening(
    command: Sequence[str],
    pattern: re.Pattern[str],
    title: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Start a program and wait until it listens. Yields the address; ends the process afterwards.

    Args:
        command: The program and its arguments.
        pattern: Matches the line with the address, which is its first group.
        title: How messages call the program.
        environment: The program's environment; ``None`` for that of this process.

    Raises:
        RuntimeError: The program ended before it listened. The message is what it printed.
    """
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            printed: list[str] = []
            for line in process.stdout:
                printed.append(line)
                found = pattern.search(line)
                if found:
                    # The program would stop at a full pipe, so a thread empties it.
                    threading.Thread(target=process.stdout.read, daemon=True).start()
                    yield found[1]
                    return
            raise RuntimeError(f"{title} did not start:\n{''.join(printed)}")
        finally:
            process.terminate()
