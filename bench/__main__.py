"""``python -m bench``, or ``make bench``: everything, into ``RESULTS.md`` and the docs."""

from __future__ import annotations

import argparse
import importlib

import torch
from tqdm.auto import tqdm

from bench import report

MODULES = (
    "training",
    "capture",
    "long_run",
    "sizes",
    "report_sizes",
    "budget",
    "quality",
    "visible",
    "startup",
    "scan",
    "scale",
    "page",
    "many_runs",
    "images_tab",
    "load",
)
"""Each has a ``run()`` that returns a section of the results, in this order."""


def main() -> None:
    """Run the chosen benchmarks, and write all results down."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MODULES, help="these, and write nothing")
    parser.add_argument("--update", action="store_true", help="with --only: write these down, too")
    parser.add_argument("--threads", type=int, help="torch's (by default as many as it chooses)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    sections = []
    for name in tqdm(options.only or MODULES, desc="bench", unit="benchmark", disable=None):
        section = importlib.import_module(f"bench.{name}").run()
        report.show(section)
        sections.append(section)
    if options.only and not options.update:
        return
    (report.update if options.only else report.write)(sections)
    report.quote(sections)


if __name__ == "__main__":
    main()
