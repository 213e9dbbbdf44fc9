"""``python -m tb_gradascent``: the commands. Each is a module of ``tb_gradascent.commands``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "scan": "record what a trained network confuses in a folder of pictures",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit status. Only that command's module is imported."""
    parser = argparse.ArgumentParser(
        prog="python -m tb_gradascent",
        description="COMMAND --help explains a command.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose)
    given = [*(sys.argv[1:] if arguments is None else arguments)]
    name = parser.parse_args(given[:1]).command
    status: int = importlib.import_module(f"tb_gradascent.commands.{name}").main(given[1:])
    return status


if __name__ == "__main__":
    sys.exit(main())
