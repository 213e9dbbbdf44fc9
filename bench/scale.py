"""How the costs grow with the samples of a run: ``python -m bench.scale``.

The same run, of one session, at 1,000, 10,000 and 100,000 samples: writing it, TensorBoard reading
it (in either of its loading modes), what the tab then asks for, and what a choice in the tab takes.
Beside each cost stands its exponent between the two largest sizes: 1 where ten times as many
samples cost ten times as much, 0 where they cost nothing more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shutil
import statistics
import struct
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Browser

from bench.many_samples import SAMPLES_A_CAPTURE, write_run
from bench.page import chromium, measure_choices, open_tab, wait_until_listed
from tests.tensorboard_process import tensorboard

SIZES = (1_000, 10_000, 100_000)
LOADERS = {"fast": "--load_fast=true", "slow": "--load_fast=false"}
FIRST_CAPTURES = 256
SHOWN = 60
PATIENCE = 600

Costs = dict[str, float]


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Server:
    """A TensorBoard on a run of one session, asked as the tab asks it."""

    def __init__(self, address: str, captures: int) -> None:
        self._address = address
        self._captures = captures
        self.session = ""

    def ask(self, route: str, **query: str | list[str]) -> bytes:
        """An answer's body."""
        text = urllib.parse.urlencode({"run": "run", "tag": "confused", **query}, doseq=True)
        url = f"{self._address}data/plugin/gradascent/{route}?{text}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310  # our own
            return bytes(answer.read())

    def until_loaded(self) -> None:
        """Waits until every capture is listed."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                (session,) = json.loads(self.ask("index"))["sessions"]
                self.session = session["session"]
                if session["captures"] == self._captures:
                    return
            time.sleep(0.5)
        raise SystemExit("TensorBoard did not load the run in time.")

    def read_newest(self) -> None:
        """The records of the newest captures, as the tab asks for them first."""
        first = max(self._captures - FIRST_CAPTURES, 0)
        self.ask("records", part=f"{self.session}.{first}.{self._captures}")

    def read_all(self) -> None:
        """All records, from the newest backwards."""
        end = self._captures
        while end:
            answer = self.ask("records", part=f"{self.session}.0.{end}")
            (end,) = struct.unpack_from("<I", answer)

    def read_payloads(self) -> None:
        """The arrays of a screenful of the newest samples."""
        places = range(SHOWN)
        newest = self._captures - 1
        addresses = [
            f"{self.session}.{newest - place // SAMPLES_A_CAPTURE}.{place % SAMPLES_A_CAPTURE}"
            for place in places
        ]
        self.ask("payloads", sample=addresses)


def measure_server(logdir: Path, captures: int, mode: str) -> Iterator[tuple[str, float]]:
    """What TensorBoard takes, in milliseconds and MB."""
    before = set(_children(os.getpid()))
    start = time.perf_counter()
    with tensorboard(logdir, LOADERS[mode]) as address:
        server = Server(address, captures)
        server.until_loaded()
        yield "until all is loaded, ms", (time.perf_counter() - start) * 1e3
        newest = seconds(server.read_newest) * 1e3
        yield "newest records, not read before, ms", newest
        yield f"arrays of {SHOWN} samples, not read before, ms", seconds(server.read_payloads) * 1e3
        yield "all records, not read before, ms", newest + seconds(server.read_all) * 1e3
        for name, work in {
            "index": lambda: server.ask("index"),
            "newest records": server.read_newest,
            f"arrays of {SHOWN} samples": server.read_payloads,
        }.items():
            yield f"{name}, again, ms", statistics.median(seconds(work) for _ in range(5)) * 1e3
        if started := set(_children(os.getpid())) - before:
            yield "memory of TensorBoard, MB", sum(map(_memory, _with_children(started)))


def measure_page(logdir: Path, samples: int, browser: Browser) -> Costs:
    """What the tab takes, in milliseconds: opening, filters, orders."""
    with tensorboard(logdir) as address:
        Server(address, -(-samples // SAMPLES_A_CAPTURE)).until_loaded()
        page, frame = open_tab(browser, address)
        costs = {"first rows, ms": float(frame.evaluate("bench.firstRows"))}
        wait_until_listed(frame, samples)
        for name, answer in measure_choices(page, frame).items():
            costs[f"{name}, ms"] = answer.wall
        page.close()
    return costs


def _children(process: int) -> list[int]:
    """Of each thread of a process; none where the system does not tell."""
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def _with_children(processes: set[int]) -> set[int]:
    below = {child for process in processes for child in _children(process)}
    return processes | (_with_children(below) if below else set())


def _memory(process: int) -> float:
    """MB that a process has to itself; what it shares counts in part."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1e3


def exponent(costs: list[float], sizes: list[int]) -> float:
    """That of a power law through the last two costs."""
    if len(costs) < 2 or not min(costs):
        return math.nan
    return math.log(costs[-1] / costs[-2]) / math.log(sizes[-1] / sizes[-2])


def show(found: dict[int, Costs]) -> None:
    """A table: a row a cost, a column a size."""
    sizes = list(found)
    print(f"\n{'':52}" + "".join(f"{size:>12,}" for size in sizes) + f"{'exponent':>12}")
    for name in found[sizes[0]]:
        costs = [found[size][name] for size in sizes]
        cells = "".join(f"{cost:12,.1f}" for cost in costs)
        print(f"{name:52}{cells}{exponent(costs, sizes):12.2f}", flush=True)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="samples (%(default)s)")
    options = parser.parse_args()
    found: dict[int, Costs] = {}
    with chromium() as browser:
        for size in (size for size in SIZES if size <= options.most):
            logdir = Path(tempfile.mkdtemp())
            try:
                costs = {"writing, ms": seconds(lambda: write_run(logdir / "run", size)) * 1e3}  # noqa: B023
                for mode in LOADERS:
                    captures = -(-size // SAMPLES_A_CAPTURE)
                    measured = measure_server(logdir, captures, mode)
                    costs |= {f"{mode}: {name}": value for name, value in measured}
                costs |= measure_page(logdir, size, browser)
            finally:
                shutil.rmtree(logdir)
            found[size] = costs
    show(found)


if __name__ == "__main__":
    main()
