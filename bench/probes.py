"""What ten probes add to a capture: processor time, so that a busy machine may measure it.

A hook without probes and a hook with ten of them capture the same batches by turns. The time is
that of the loop's thread on the processor, with one thread of torch: the writing thread does not
count. A training step comes before each capture.

The health check looks at the captures 1, 2, 4, 8 and so on, and at none that is measured.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm.auto import trange

from bench import report
from bench.capture import CASES, Case, Loop
from bench.measure import ratio, spread
from tb_gradascent import GradAscentHook, ProbabilityMargin

PROBES = 10
ROUNDS = {"cnn": (8, 7), "resnet": (4, 2)}
"""Captures before those that are measured, and those. No health check falls among the latter."""


def measure(case: Case, warm_up: int, rounds: int, folder: Path) -> dict[str, list[float]]:
    """Return the seconds of the loop's thread for each thing that takes its turn."""
    loop = Loop(case)
    took: dict[str, list[float]] = {"step": [], "capture": [], "capture with probes": []}
    hooks = {
        name: GradAscentHook(
            case.model,
            folder / name,
            every=1,
            criterion=ProbabilityMargin(max_margin=1),
            max_overhead=None,
            strict=True,
        )
        for name in list(took)[1:]
    }
    hooks["capture with probes"].probe(case.batches[0][0][:PROBES])
    for turn in trange(-warm_up, rounds, desc=case.name, leave=False, disable=None):
        for name, hook in hooks.items():
            start = time.thread_time()
            loop.step()
            stepped = time.thread_time()
            hook(loop.inputs, loop.logits, step=loop.steps)
            if turn >= 0:
                took["step"].append(stepped - start)
                took[name].append(time.thread_time() - stepped)
    for hook in hooks.values():
        hook.close()
    return took


def run(networks: Sequence[str] = (*ROUNDS,)) -> report.Section:
    """Measure some cases, by default all."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    figures, rows = [], []
    for name in networks:
        case = CASES[name]()
        with tempfile.TemporaryDirectory() as folder:
            took = measure(case, *ROUNDS[name], Path(folder))
        plain, probed = took["capture"], took["capture with probes"]
        step = took["step"][::2]
        for what, found in (
            (f"a capture with {PROBES} probes against one without", ratio(probed, plain)),
            ("capture against a training step, processor time", ratio(plain, step)),
        ):
            figures.append(report.Figure(f"{case.name}: {what}", found.text("{:.2f}")))
        rows += [
            (case.name, what, spread([value * 1e3 for value in values]).text("{:.4g}"))
            for what, values in took.items()
        ]
    torch.set_num_threads(threads)
    return report.Section(
        "Probes",
        figures,
        ("network", "what", "ms of the loop's thread"),
        rows,
        f"{PROBES} probes in each capture, 4 samples of a batch beside them; one thread.",
    )


if __name__ == "__main__":
    report.show(run(sys.argv[1:] or [*ROUNDS]))
