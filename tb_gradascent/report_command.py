"""The command ``report``: the tab as one HTML file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tb_gradascent.report_file import MOST_SAMPLES, report

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_command(commands: Commands) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "report",
        help="write the recorded samples as one HTML file that needs no TensorBoard",
        description="Write the newest samples and the page that shows them as one HTML file.",
    )
    parser.add_argument("logdir", help="the log directory, as for TensorBoard")
    parser.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="the file")
    parser.add_argument("--run", help="only this run")
    parser.add_argument("--tag", help="only this tag of the hook")
    parser.add_argument(
        "--pair",
        type=_pair,
        metavar="A,B",
        help="only samples whose two most probable classes are these: two numbers or two names, "
        "for example 7,9 or cat,dog",
    )
    parser.add_argument(
        "--limit", type=int, default=MOST_SAMPLES, help="the newest so many samples (%(default)s)"
    )
    parser.add_argument("--title", help="the title of the page")
    parser.set_defaults(command=_run)


def _pair(text: str) -> tuple[int | str, int | str]:
    classes = [name.strip() for name in text.split(",")]
    if len(classes) != 2 or not all(classes):
        raise argparse.ArgumentTypeError(
            f"must be two classes such as 7,9, got {text!r}; use their numbers if a name holds a "
            "comma"
        )
    one, other = (int(name) if name.isdecimal() else name for name in classes)
    return one, other


def _run(options: argparse.Namespace) -> int:
    try:
        count = report(
            options.logdir,
            options.output,
            run=options.run,
            tag=options.tag,
            pair=options.pair,
            limit=options.limit,
            title=options.title,
        )
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    size = options.output.stat().st_size / 1e6
    print(f"{options.output}: {count} samples, {size:.1f} MB")
    return 0
