"""Many people look at one run while it trains: ``python -m bench.load``, and a minute of it.

Each client does what the page does, with a second or so to look in between: it lists the runs, asks
for the sessions and the newest records, and then for the arrays of 48 samples somewhere in the run.
Meanwhile captures are appended to that run twice a second, and somebody else looks at Scalars.
Any answer but 200 is an error. ``run`` compares the memory that this takes with that of one person
at a run that does not grow.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import random
import statistics
import struct
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from bench import child_processes
from bench import report as results
from bench.many_samples import SAMPLES_A_CAPTURE, write_run
from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.sample_codec import encode_sample
from testing.synthetic import DIGITS, make_event, make_sample
from testing.tensorboard_process import tensorboard

SHOWN = 48
"""Samples on a screen."""
NEWEST = 200
"""Records that a page asks for at first."""
HEAD = 8
"""Bytes before the index of a run in the answer ``newest``."""
RUN, TAG = "training", "confused"
TENTHS = 10
REST = 10.0
"""Seconds that one viewer looks around before the memory at rest is taken."""
RATE = 2.0
"""Captures a second."""
SLACK = 24.0
"""TensorBoard may grow by this many MB without a leak: allocators keep what they once had."""
SETTLED = 60.0
"""Seconds; in less time than that, TensorBoard is still getting what it needs."""
HELD = 4.0
"""How many times what was written it may grow beside that. Its data server keeps all of it, and its
data provider hands over a whole series at a time, to one viewer as to fifty."""
TENSORBOARD, DATA_SERVER, THE_FILES = "TensorBoard", "its data server", "the run's files"


@dataclasses.dataclass
class Measured:
    """What came of all requests so far; several threads add to it."""

    seconds: defaultdict[str, list[float]] = dataclasses.field(
        default_factory=lambda: defaultdict(list)
    )
    errors: list[str] = dataclasses.field(default_factory=list)

    def ask(self, kind: str, address: str) -> bytes:
        """An answer; its time counts under ``kind``."""
        start = time.perf_counter()
        try:
            with urllib.request.urlopen(address, timeout=120) as response:  # noqa: S310
                body = bytes(response.read())
        except OSError as error:
            self.errors.append(f"{kind}: {error}")
            return b""
        self.seconds[kind].append(time.perf_counter() - start)
        return body


def browse(address: str, until: threading.Event, measured: Measured, seed: int) -> None:
    """One person at the tab."""
    rng = random.Random(seed)  # noqa: S311  # it keeps nothing secret
    routes = f"{address}data/plugin/gradascent/"
    series = urllib.parse.urlencode({"run": RUN, "tag": TAG})
    while not until.wait(rng.uniform(0.5, 1.5)):
        measured.ask("runs", routes + "runs")
        answer = measured.ask("newest", f"{routes}newest?{series}&records={NEWEST}")
        if not answer:
            continue
        (length,) = struct.unpack_from("<I", answer)
        index = json.loads(answer[HEAD : HEAD + length])
        session = max(index["sessions"], key=lambda session: session["captures"])
        name, captures = session["session"], session["captures"]
        first = rng.randrange(max(captures - SHOWN // SAMPLES_A_CAPTURE, 1))
        places = itertools.product(range(first, captures), range(SAMPLES_A_CAPTURE))
        asked = "".join(f"&sample={name}.{c}.{i}" for c, i in itertools.islice(places, SHOWN))
        answer = measured.ask("payloads", f"{routes}payloads?{series}{asked}")
        if answer and struct.unpack_from("<I", answer)[0]:
            measured.errors.append("payloads: the first sample is not there")


def browse_scalars(address: str, until: threading.Event, measured: Measured, seed: int) -> None:
    """One person at Scalars, who asks as often."""
    rng = random.Random(seed)  # noqa: S311  # it keeps nothing secret
    while not until.wait(rng.uniform(0.5, 1.5)):
        for _ in range(4):
            measured.ask("Scalars, the others", scalars(address))


VISITORS = {"gradascent": browse, "scalars": browse_scalars}


def train(folder: Path, until: threading.Event, rate: float) -> None:
    """Appends so many captures a second to the run."""
    file = EventFile(folder / RUN / file_name("live"))
    rng = np.random.default_rng(0)
    started = time.time()
    for number in itertools.count():
        encoded = [
            encode_sample(make_sample(rng, step=2_000_000 + number, id=f"live/{number}-{place}"))
            for place in range(SAMPLES_A_CAPTURE)
        ]
        file.append(make_event(TAG, "live", number, encoded, DIGITS, started + number / rate))
        if until.wait(1 / rate):
            break
    file.close()


def look_at_scalars(address: str, seconds: float, measured: Measured, kind: str) -> None:
    """Somebody who reloads a curve four times a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        measured.ask(kind, scalars(address))
        time.sleep(0.25)


def scalars(address: str) -> str:
    """Where a curve's points are."""
    query = urllib.parse.urlencode({"run": RUN, "tag": "loss"})
    return f"{address}data/plugin/scalars/scalars?{query}"


def write_scalars(folder: Path) -> None:
    """A curve of a thousand points."""
    file = EventFile(folder / RUN / "events.out.tfevents.1.curve")
    for step in range(1000):
        value = Summary.Value(tag="loss", simple_value=1 / (1 + step))
        file.append(Event(step=step, wall_time=1e9 + step, summary=Summary(value=[value])))
    file.close()


def wait_until_read(address: str, samples: int) -> None:
    """Until TensorBoard has read the whole run, and its curve."""
    series = urllib.parse.urlencode({"run": RUN, "tag": TAG})
    while True:
        attempt = Measured()
        index = attempt.ask("", f"{address}data/plugin/gradascent/index?{series}")
        attempt.ask("", scalars(address))
        if not attempt.errors:
            captures = (session["captures"] for session in json.loads(index)["sessions"])
            if sum(captures) * SAMPLES_A_CAPTURE >= samples:
                return
        time.sleep(0.5)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--clients", type=int, default=50, help="(%(default)s)")
    parser.add_argument("--samples", type=int, default=10_000, help="in the run (%(default)s)")
    parser.add_argument("--seconds", type=float, default=600, help="under load (%(default)s)")
    parser.add_argument("--rate", type=float, default=RATE, help="captures a second (%(default)s)")
    parser.add_argument("--load-fast", default="true", choices=["true", "false"])
    parser.add_argument("--at", default="gradascent", choices=VISITORS, help="which tab they see")
    options = parser.parse_args()
    measured, until = Measured(), threading.Event()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_run(folder / RUN, options.samples)
        write_scalars(folder)
        with tensorboard(folder, f"--load_fast={options.load_fast}") as address:
            wait_until_read(address, options.samples)
            quiet = min(options.seconds / 4, 20)
            look_at_scalars(address, quiet, measured, "Scalars, nobody else")
            threads = [
                threading.Thread(target=VISITORS[options.at], args=(address, until, measured, seed))
                for seed in range(options.clients)
            ]
            if options.rate:
                threads += [threading.Thread(target=train, args=(folder, until, options.rate))]
            memory = [held(folder)]
            for thread in threads:
                thread.start()
            try:
                for _ in range(TENTHS):
                    look_at_scalars(
                        address, options.seconds / TENTHS, measured, "Scalars, meanwhile"
                    )
                    memory.append(held(folder))
            finally:
                until.set()
                for thread in threads:
                    thread.join()
    report(measured, memory, options)


def at_rest(address: str) -> None:
    """One person looks around in a run that does not grow."""
    measured, until = Measured(), threading.Event()
    viewer = threading.Thread(target=browse, args=(address, until, measured, 0))
    viewer.start()
    time.sleep(REST)
    until.set()
    viewer.join()


def run(samples: int = 10_000, clients: int = 50, seconds: float = 60) -> results.Section:
    """Measures the memory of one viewer at rest, and of many viewers of a growing run."""
    measured, until = Measured(), threading.Event()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_run(folder / RUN, samples)
        write_scalars(folder)
        with tensorboard(folder, "--load_fast=true") as address:
            wait_until_read(address, samples)
            at_rest(address)
            rest = held(folder)
            threads = [
                threading.Thread(target=browse, args=(address, until, measured, seed))
                for seed in range(clients)
            ]
            threads.append(threading.Thread(target=train, args=(folder, until, RATE)))
            for thread in threads:
                thread.start()
            most = rest
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(1)
                most = max(most, held(folder), key=_in_processes)
            until.set()
            for thread in threads:
                thread.join()
            most = max(most, held(folder), key=_in_processes)
            written = held(folder)[THE_FILES] - rest[THE_FILES]
    if measured.errors:
        raise RuntimeError(f"{len(measured.errors)} requests failed: {measured.errors[0]}")
    factor = _in_processes(most) / (_in_processes(rest) + written)
    return results.Section(
        "Many viewers",
        [
            results.Figure(
                f"memory with {clients} viewers of a growing run against one viewer at rest plus "
                "what was written",
                f"{factor:.2f}",
                "at most 1.2",
            )
        ],
        ("MB", "one viewer at rest", f"{clients} viewers, the most within {seconds:g} s"),
        [(what, f"{rest[what]:,.0f}", f"{most[what]:,.0f}") for what in rest],
        f"Of a run of {samples:,} digits that gets {RATE:g} captures a second.",
    )


def _in_processes(found: dict[str, float]) -> float:
    """MB of TensorBoard and its data server together."""
    return sum(value for name, value in found.items() if name != THE_FILES)


def held(folder: Path) -> dict[str, float]:
    """MB that each of TensorBoard's processes takes, and the run's files."""
    found = {THE_FILES: sum(path.stat().st_size for path in (folder / RUN).iterdir()) / 1e6}
    for process in child_processes.below():
        name = DATA_SERVER if child_processes.name(process) == "server" else TENSORBOARD
        found[name] = found.get(name, 0) + child_processes.memory(process)
    return found


def report(measured: Measured, memory: list[dict[str, float]], options: argparse.Namespace) -> None:
    """Print what was measured; an error ends the process as a failure."""
    print(
        f"{options.clients} clients, {options.samples:,} samples, {options.seconds:g} s, "
        f"load_fast={options.load_fast}, {os.cpu_count()} cores for all of it, the clients too\n"
    )
    print(f"{'':22} {'requests':>9} {'median':>9} {'p99':>9} {'longest':>9}")
    for kind, seconds in measured.seconds.items():
        p99 = float(np.quantile(seconds, 0.99))
        times = (statistics.median(seconds), p99, max(seconds))
        print(f"{kind:22} {len(seconds):9,}" + "".join(f" {t * 1e3:6.0f} ms" for t in times))
    print(f"\n{'MB, tenths of the time':26}" + "".join(f"{n:6}" for n in range(len(memory))))
    for name in memory[0]:
        print(f"{name:26}" + "".join(f"{found.get(name, 0):6.0f}" for found in memory))
    grown = {name: memory[-1][name] - memory[1].get(name, 0) for name in memory[-1]}
    written = grown.pop(THE_FILES)
    print(
        f"Since the first tenth {sum(grown.values()):.0f} MB were taken, and {written:.0f} written"
    )
    print(f"errors: {len(measured.errors)}")
    if options.seconds >= SETTLED and sum(grown.values()) > SLACK + HELD * written:
        sys.exit("TensorBoard takes more and more memory")
    if measured.errors:
        sys.exit("\n".join(sorted(set(measured.errors))[:10]))


if __name__ == "__main__":
    main()
