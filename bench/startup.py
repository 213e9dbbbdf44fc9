"""How long TensorBoard takes to start, with the plugin and without, and the package's import.

Each start is a process of its own, from its beginning to its first answer. Without the plugin means
that TensorBoard does not find its entry point.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import urllib.request

from bench import report
from bench.measure import Work, by_turns, ratio, spread

STARTS = 8
IMPORTS = 12

SERVE = """
import sys
from tensorboard import default, main
found, hidden = default._iter_entry_points, sys.argv.pop(1)
default._iter_entry_points = lambda group: [e for e in found(group) if e.name != hidden]
main.run_main()
"""
ADDRESS = re.compile(r"TensorBoard \S+ at (http://\S+)")


def start(hidden: str) -> None:
    """Starts TensorBoard, asks which plugins it has, and ends it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", SERVE, hidden, "--logdir", folder, "--port", "0"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                address = next(filter(None, map(ADDRESS.search, process.stdout or ())))[1]
                with urllib.request.urlopen(f"{address}data/plugins_listing") as answer:  # noqa: S310
                    listed = b'"gradascent"' in answer.read()
                if listed == (hidden == "gradascent"):
                    raise RuntimeError(f"TensorBoard without {hidden!r} lists the plugin: {listed}")
            finally:
                process.kill()


def python(code: str) -> Work:
    """A Python process that runs some code."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


def run() -> report.Section:
    """Measures both."""
    starts = by_turns(
        {"with": lambda: start(""), "without": lambda: start("gradascent")},
        STARTS,
        what="start-up",
    )
    imports = by_turns(
        {
            "Python alone": python("pass"),
            "`import tb_gradascent`": python("import tb_gradascent"),
            "`from tb_gradascent import read_samples`": python(
                "from tb_gradascent import read_samples"
            ),
            "`import torch`": python("import torch"),
            "`import torch`, then `from tb_gradascent import GradAscentHook`": python(
                "import torch; from tb_gradascent import GradAscentHook"
            ),
        },
        IMPORTS,
        what="import",
    )
    rows = [(f"TensorBoard {name} the plugin", took) for name, took in starts.items()]
    rows += imports.items()
    added = [
        (a - b) * 1e3
        for a, b in zip(imports["`import tb_gradascent`"], imports["Python alone"], strict=True)
    ]
    return report.Section(
        "Start-up",
        [
            report.Figure(
                "start of TensorBoard with the plugin against without",
                ratio(starts["with"], starts["without"]).text("{:.2f}"),
                "1.00 within its spread",
            ),
            report.Figure("`import tb_gradascent`, ms", spread(added).text("{:.0f}"), ""),
        ],
        ("what", "seconds"),
        [(name, spread(took).text("{:.2f}")) for name, took in rows],
    )


if __name__ == "__main__":
    report.show(run())
