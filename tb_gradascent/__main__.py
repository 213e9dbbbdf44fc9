"""The command line: ``python -m tb_gradascent COMMAND``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tb_gradascent import report_command, scan_command

COMMANDS = (report_command, scan_command)
"""Each module has ``add_command(commands)``. It adds a parser whose ``command`` does the work."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tb_gradascent",
        description="See what a classifier confuses, why, and what would change its mind.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add_command(commands)
    options = parser.parse_args(arguments)
    status: int = options.command(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
