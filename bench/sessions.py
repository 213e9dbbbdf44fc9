"""A run of very many sessions: ``python -m bench.sessions``.

One run holds as many sessions as the page is shown, another one more; beside each stands a usual
run. Each of TensorBoard's loaders reads them, and is asked what the page asks. The plugin answers,
or refuses in a sentence, and the usual run is shown all the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import NamedTuple

from bench import child_processes
from tb_gradascent import read_samples
from testing.synthetic import make_captures, write_many_sessions, write_session
from testing.tensorboard_process import tensorboard

TAG = "confused"
SHOWN = 60
"""Samples whose arrays are asked for."""
PATIENCE = 300
"""Seconds until TensorBoard has read a run."""


class Answer(NamedTuple):
    """What came of a request: its status, body, seconds."""

    status: int
    body: bytes
    seconds: float


def ask(address: str, route: str, run: str, more: str = "") -> Answer:
    """An answer. Errors are answers, too."""
    query = urllib.parse.urlencode({"run": run, "tag": TAG}) + more
    start = time.perf_counter()
    try:
        url = f"{address}data/plugin/gradascent/{route}?{query}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:  # noqa: S310
            status, body = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    return Answer(status, body, time.perf_counter() - start)


def listed(answer: Answer) -> int:
    """Sessions in an index; none in an error."""
    return len(json.loads(answer.body)["sessions"]) if answer.status == 200 else 0


def wait_until_read(address: str, run: str, sessions: int) -> Answer:
    """The index once it holds all sessions, or is refused."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer = ask(address, "index", run)
        if answer.status == 413 or listed(answer) == sessions:
            return answer
        time.sleep(1)
    sys.exit(f"TensorBoard has not read {run} in {PATIENCE} seconds")


def look_at(address: str, run: str, sessions: int, *, shown: bool) -> None:
    """Ask of a run what the page asks, and print what it cost."""
    first = wait_until_read(address, run, sessions)
    assert (first.status == 200) == shown, first.body[:300]
    parts = "".join(f"&part=s{number}.0.1" for number in range(min(sessions, 256)))
    samples = "".join(f"&sample=s{number}.0.0" for number in range(min(sessions, SHOWN)))
    for name, answer in {
        "index": first,
        "index, again": ask(address, "index", run),
        "records": ask(address, "records", run, parts),
        "arrays": ask(address, "payloads", run, samples),
    }.items():
        assert answer.status == first.status, name
        print(f"  {name:14} {answer.status} {len(answer.body):12,} bytes {answer.seconds:7.2f} s")
    if not shown:
        print(f"  {json.loads(first.body)['error']}")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.sessions", description=__doc__)
    parser.add_argument("--shown", type=int, default=50_000, help="sessions (%(default)s)")
    parser.add_argument("--refused", type=int, default=100_000, help="sessions; 0 for none")
    options = parser.parse_args()
    for loader in ("true", "false"):
        for run, sessions in (("shown", options.shown), ("refused", options.refused)):
            if not sessions:
                continue
            with tempfile.TemporaryDirectory() as folder:
                write_many_sessions(Path(folder) / run, sessions)
                write_session(Path(folder) / "usual", make_captures(2, 2))
                measure(Path(folder), loader, run, sessions, shown=run == "shown")


def measure(folder: Path, loader: str, run: str, sessions: int, *, shown: bool) -> None:
    """One loader on one run."""
    print(f"{sessions:,} sessions, load_fast={loader}")
    before = set(child_processes.below())
    with tensorboard(folder, f"--load_fast={loader}") as address:
        look_at(address, run, sessions, shown=shown)
        held = {
            child_processes.name(process): child_processes.memory(process)
            for process in set(child_processes.below()) - before
        }
        print("  " + ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in held.items()))
        assert listed(ask(address, "index", "usual")) == 1, "another run is not shown"
    if loader == "true":
        start = time.perf_counter()
        assert sum(1 for _ in read_samples(folder, run=run)) == sessions
        print(f"  read_samples: all of them in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
