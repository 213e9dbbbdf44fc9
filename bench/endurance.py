"""What a training may do to the hook for long: be killed, open it again and again, never end.

Each trial raises AssertionError where the hook breaks its word, and prints what it measured.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import os
import random
import signal
import struct
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.workloads import digit_batches
from demo import models
from tb_gradascent import GradAscentHook, read_samples
from tb_gradascent.format.event_file import find_event_files, locate_events

_SLACK = 24 << 20
"""A process may grow by this many bytes without a leak: allocators keep what they once had."""
_LARGEST_GAP = 0.2
"""Between two captures, as a part of the steps so far: the budget is small."""
_LONGEST = 0.6
"""Seconds of training at the most before it is killed."""


def kill(attempts: int, seed: int = 0) -> None:
    """Kills a training at random moments.

    Every sample that the hook counted as written must be there.
    A process forked from this one trains the demo's network with a capture a step, and passes on
    what ``hook.stats`` says after each.
    """
    rng = random.Random(seed)  # noqa: S311  # it keeps nothing secret
    fork = multiprocessing.get_context("fork")
    batches = digit_batches(8)
    acknowledged = torn = 0
    for _ in range(attempts):
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = fork.Pipe(duplex=False)
            training = fork.Process(target=_train, args=(folder, batches, ours, theirs))
            training.start()
            theirs.close()
            written = ours.recv()
            time.sleep(rng.uniform(0, _LONGEST))
            os.kill(training.pid or 0, signal.SIGKILL)
            training.join()
            with contextlib.suppress(EOFError):
                while True:
                    written = ours.recv()
            ours.close()
            (path,) = find_event_files(Path(folder))
            events = list(locate_events(path))
            assert all(event is not None for _, event in events), "a record inside was torn"
            steps = [sample.step for sample in read_samples(folder)]
            assert len(steps) >= written, "what was acknowledged is not there"
            assert sorted(set(steps)) == list(range(len(set(steps)))), "a capture is missing"
            acknowledged += written
            torn += _end(events, path) < path.stat().st_size
    print(
        f"{attempts} trainings killed: {acknowledged:,} samples acknowledged, none of them lost; "
        f"{torn} files end in a torn record"
    )


def _end(events: list[tuple[int, object]], path: Path) -> int:
    """Where the last whole record of a file ends."""
    with path.open("rb") as file:
        file.seek(events[-1][0])
        (length,) = struct.unpack("<Q", file.read(8))
    return events[-1][0] + 8 + 4 + int(length) + 4


def _train(
    folder: str, batches: list[tuple[Tensor, Tensor]], heard: Connection, told: Connection
) -> None:
    heard.close()  # so that this process ends with the one that listens
    model = models.cnn((1, 28, 28), 10)
    optimizer = torch.optim.Adam(model.parameters())
    with GradAscentHook(model, folder, every=1, top_k=2, max_overhead=None) as hook:
        for images, labels in itertools.cycle(batches):
            logits = model(images)
            optimizer.zero_grad()
            functional.cross_entropy(logits, labels).backward()
            optimizer.step()
            hook(images, logits, labels)
            told.send(hook.stats.written)


def reopen(count: int) -> None:
    """Opens and closes hooks: no thread, no file and no memory may be left of them."""
    model, batch = nn.Identity(), torch.rand(4, 1, 8, 8)
    with tempfile.TemporaryDirectory() as folder:

        def use(number: int) -> None:
            with GradAscentHook(model, Path(folder, str(number % 10)), forward=_sums) as hook:
                assert hook(batch, _sums(model, batch)) == 4

        first = max(count // 10, 1)
        for number in range(first):
            use(number)
        before = _threads(), _files(), _memory()
        for number in range(first, count):
            use(number)
        after = _threads(), _files(), _memory()
    assert after[:2] == before[:2], f"threads and files were {before[:2]}, and are {after[:2]}"
    assert after[2] - before[2] < _SLACK, f"memory grew by {after[2] - before[2]} bytes"
    print(
        f"{count:,} hooks opened and closed: {after[0]} threads, {after[1]} files, "
        f"{(after[2] - before[2]) / 1e6:+.1f} MB after the first {first:,}"
    )


def loop(calls: int) -> None:
    """Calls one hook at every step, with a budget for one in 16 or so of the captures."""
    budget_mb = 6e-5 * calls
    model, batch = nn.Identity(), torch.rand(4, 1, 8, 8)
    logits = _sums(model, batch)
    with tempfile.TemporaryDirectory() as folder:
        hook = GradAscentHook(
            model,
            folder,
            every=1,
            top_k=1,
            forward=_sums,
            ascent=None,
            budget_mb=budget_mb,
            max_overhead=None,
        )
        before = 0
        with hook:
            for step in range(calls):
                hook(batch, logits)
                if step == calls // 10:
                    before = _memory()
            grown = _memory() - before
        stats = hook.stats
        size = sum(path.stat().st_size for path in find_event_files(Path(folder)))
        steps = sorted({sample.step for sample in read_samples(folder)})
    assert size == stats.bytes <= budget_mb * 1e6, "the file is larger than its budget"
    assert stats.every > 1
    assert stats.every > 1, "captures became rarer"
    for earlier, later in itertools.pairwise([*steps, calls]):
        assert later - earlier <= max(1, _LARGEST_GAP * later), f"a gap from {earlier} to {later}"
    assert grown < _SLACK, f"memory grew by {grown} bytes"
    assert stats.dropped == 0
    print(
        f"{calls:,} calls, budget {budget_mb:g} MB: {len(steps):,} captures, {size / 1e6:.2f} MB, "
        f"an interval of 1 to {stats.every} steps, memory {grown / 1e6:+.1f} MB after a tenth"
    )


def _sums(_model: nn.Module, x: Tensor) -> Tensor:
    """A classifier that costs nothing."""
    return x.flatten(1)[:, :3]


def _threads() -> int:
    return threading.active_count()


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """All three, as often as asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.endurance", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="(%(default)s)")
    parser.add_argument("--hooks", type=int, default=1000, help="(%(default)s)")
    parser.add_argument("--calls", type=int, default=1_000_000, help="(%(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)  # a fork inherits no others
    kill(options.kills)
    reopen(options.hooks)
    loop(options.calls)


if __name__ == "__main__":
    main()
