"""How the costs grow with the samples of a run: ``python -m bench.scale``.

A run of one session has 1,000, 10,000 and 100,000 samples. Measured are: writing it, TensorBoard
reading it in either of its loading modes, what the tab then asks for, and a choice in the tab.
Beside each cost stands its exponent between the two largest sizes. An exponent of 1 means that ten
times as many samples cost ten times as much. 0 means that they cost no more.
"""

from __future__ import annotations

import contextlib
import json
import math
import statistics
import struct
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser
from tensorboard.context import RequestContext
from tensorboard.data import server_ingester
from tensorboard.util import grpc_util
from tqdm.auto import tqdm

from bench import child_processes, report
from bench.many_samples import SAMPLES_A_CAPTURE, write_run
from bench.page import chromium, measure_choices, open_tab, wait_until_listed
from tb_gradascent.plugin.data_source import DataSource, Scope
from tb_gradascent.plugin.sample_store import SampleStore
from testing.tensorboard_process import tensorboard

SIZES = (1_000, 10_000, 100_000)
LOADERS = {"fast": "--load_fast=true", "slow": "--load_fast=false"}
FIRST_RECORDS = 200
SHOWN = 60
PATIENCE = 600

GROWING = (
    "writing, ms",
    "until all is loaded, ms",
    "all records, not read before, ms",
    "TensorBoard, MB",
)
"""What grows with the samples, and must not grow faster."""

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
        """The sessions and the newest records, as the tab asks for them first."""
        self.ask("newest", records=str(FIRST_RECORDS))

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
    before = set(child_processes.below())
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
            "newest records": server.read_newest,
            f"arrays of {SHOWN} samples": server.read_payloads,
        }.items():
            yield f"{name}, again, ms", statistics.median(seconds(work) for _ in range(5)) * 1e3
        if started := set(child_processes.below()) - before:
            yield "memory of TensorBoard, MB", sum(map(child_processes.memory, started))


def measure_cold(logdir: Path, captures: int) -> float:
    """Milliseconds until a plugin that has read nothing answers what the tab shows first.

    TensorBoard's data server has loaded the run. The plugin runs in this process.
    """
    ingester = server_ingester.SubprocessServerDataIngester(
        server_binary=server_ingester.get_server_binary(),
        logdir=str(logdir),
        reload_interval=5,
        channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
        samples_per_plugin={"gradascent": 0},
    )
    ingester.start()
    scope = Scope(RequestContext(), "")
    source = DataSource(ingester.data_provider)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        sessions = source.list_series(scope).get("run", {}).get("confused", {})
        blocks = [block for state in sessions.values() for block in state.captures.values()]
        if max((block.last_step or 0 for block in blocks), default=0) == captures - 1:
            break
        time.sleep(0.5)
    store = SampleStore(ingester.data_provider)
    return seconds(lambda: list(store.newest(scope, ["run"], "confused", FIRST_RECORDS))) * 1e3


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


def exponent(costs: list[float], sizes: list[int]) -> float:
    """That of a power law through the last two costs."""
    if len(costs) < 2 or not min(costs):
        return math.nan
    return math.log(costs[-1] / costs[-2]) / math.log(sizes[-1] / sizes[-2])


def section(found: dict[int, Costs]) -> report.Section:
    """What was found, a column a size."""
    sizes = list(found)
    costs = {name: [found[size][name] for size in sizes] for name in found[sizes[0]]}
    growth = {name: exponent(values, sizes) for name, values in costs.items()}
    return report.Section(
        "Scale",
        [
            report.Figure(
                f"{name}, with {sizes[-2]:,} to {sizes[-1]:,} samples: exponent",
                f"{growth[name]:.2f}",
                "at most 1",
            )
            for name in growth
            if name.endswith(GROWING)
        ]
        + [
            report.Figure(
                f"{name}, with {sizes[-1]:,} samples", f"{values[-1]:,.0f}", "at most 1000"
            )
            for name, values in costs.items()
            if "cold plugin" in name
        ],
        ("", *(f"{size:,}" for size in sizes), "exponent"),
        [
            (name, *(f"{cost:,.1f}" for cost in values), f"{growth[name]:.2f}")
            for name, values in costs.items()
        ],
    )


def run(sizes: Sequence[int] = SIZES) -> report.Section:
    """Measures all that grows with a run."""
    found: dict[int, Costs] = {}
    with chromium() as browser:
        for size in tqdm(sizes, desc="scale", leave=False, disable=None):
            found[size] = measure(size, browser)
    return section(found)


def measure(size: int, browser: Browser) -> Costs:
    """What a run of so many samples costs."""
    captures = -(-size // SAMPLES_A_CAPTURE)
    with tempfile.TemporaryDirectory() as folder:
        logdir = Path(folder)
        costs = {"writing, ms": seconds(lambda: write_run(logdir / "run", size)) * 1e3}
        for mode in LOADERS:
            measured = measure_server(logdir, captures, mode)
            costs |= {f"{mode} loader: {name}": value for name, value in measured}
        costs["fast loader: newest records from a cold plugin, ms"] = measure_cold(logdir, captures)
        return costs | measure_page(logdir, size, browser)


if __name__ == "__main__":
    report.show(run())
