"""Serve TensorBoard in the foreground."""

from __future__ import annotations

import threading
from pathlib import Path

from tensorboard import program

from tb_gradascent.format.metadata import PLUGIN_NAME


def start(logdir: Path, port: int | None) -> str:
    """Start TensorBoard in a thread. Returns the address of the plugin's tab.

    Without a port, TensorBoard uses 6006 or the next free one.
    """
    server = program.TensorBoard()
    arguments = ["tensorboard", "--logdir", str(logdir)]
    server.configure([*arguments, "--port", str(port)] if port is not None else arguments)
    return f"{server.launch()}#{PLUGIN_NAME}"


def serve(logdir: Path, port: int | None) -> None:
    """Serve until Ctrl-C."""
    print(f"\nOpen  {start(logdir, port)}   (Ctrl-C stops it)", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
