"""What the hook accounts for over a training of twenty minutes, on an idle and on a busy machine.

The captures are made and timed for real, of the demo's network. The training between them is not:
each of its steps only moves the clock that ``max_overhead`` goes by. So twenty minutes pass in less
than one. All else is as it is by default, but every sample counts as confused, so that each capture
is a full one. Beside the busy run each core has a process that never rests.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unittest import mock

import torch
from torch import Tensor, nn
from tqdm.auto import trange

from bench import report
from bench.workloads import digit_batches, digits_cnn
from tb_gradascent import GradAscentHook, ProbabilityMargin
from tb_gradascent.training import overhead

MINUTES = 20
MAX_OVERHEAD = 0.01
"""The hook's default."""

STEP_SECONDS = 0.02
"""Of a training step."""


class Clock:
    """Stands in for the module ``time``: seconds pass as usual, and some more at each step."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def perf_counter(self) -> float:
        """Seconds, as ``time.perf_counter`` counts them."""
        return time.perf_counter() + self.skipped


class Accounted(NamedTuple):
    """What became of a training.

    Attributes:
        seconds: What the hook accounted for.
        called: How long all calls of the hook took, by the clock on the wall.
        beyond: By how many seconds that was more at any moment than the hook may take: the first
            seconds, or the part of the training's time so far.
        part: Of the training's time, at the end.
        captures: How many there were.
    """

    seconds: float
    called: float
    beyond: float
    part: float
    captures: int


def train(model: nn.Module, batches: Sequence[tuple[Tensor, Tensor]], minutes: float) -> Accounted:
    """Goes through a training whose steps only move the clock."""
    clock, called, beyond, captures = Clock(), 0.0, 0.0, 0
    with torch.no_grad():
        logits = [model(images) for images, _ in batches]
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(overhead, "time", clock),
        GradAscentHook(
            model,
            folder,
            criterion=ProbabilityMargin(1),
            max_overhead=MAX_OVERHEAD,
            strict=True,
        ) as hook,
    ):
        seconds = 0.0
        steps = round(60 * minutes / STEP_SECONDS)
        for step in trange(steps, desc="long run", leave=False, disable=None):
            place = step % len(batches)
            start = time.perf_counter()
            hook(batches[place][0], logits[place], batches[place][1], step=step)
            called += time.perf_counter() - start
            clock.skipped += STEP_SECONDS
            accounted = hook.stats.overhead
            if accounted != seconds:
                captures += 1
                seconds = accounted
                allowed = max(overhead.FREE_SECONDS, MAX_OVERHEAD * clock.skipped)
                beyond = max(beyond, seconds - allowed)
        hook._capturer.writer.flush()
        seconds = hook.stats.overhead
    return Accounted(seconds, called, beyond, seconds / clock.skipped, captures)


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """One process that never rests for each core."""
    command = [sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def run() -> report.Section:
    """Measures both."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, batches = digits_cnn(), digit_batches(10)
    figures, rows = [], []
    for name, beside in (("idle machine", contextlib.nullcontext()), ("busy machine", busy())):
        with beside:
            found = train(model, batches, MINUTES)
        what = f"captures in a training of {MINUTES} minutes, {name}: accounted part of its time"
        figures.append(report.Figure(what, f"{100 * found.part:.2f} %", "at most 1.0 %"))
        rows.append(
            (
                name,
                f"{found.captures}",
                f"{found.seconds:.1f}",
                f"{found.called:.1f}",
                f"{found.beyond:.1f}" if found.beyond else "never",
                f"{100 * found.part:.2f} %",
            )
        )
    torch.set_num_threads(threads)
    return report.Section(
        "A long training",
        figures,
        (
            "machine",
            "captures",
            "accounted, s",
            "all calls, s",
            f"beyond {overhead.FREE_SECONDS:g} s and {100 * MAX_OVERHEAD:g} % so far, s",
            "part of the training",
        ),
        rows,
        f"Of the demo's network, {60 * MINUTES / STEP_SECONDS:,.0f} steps. The hook accounts for "
        "the loop's time in captures, and for the writing thread's processor time.",
    )


if __name__ == "__main__":
    report.show(run())
