"""What ten probes add to a capture: processor time, so that a busy machine may measure it.

A hook without probes and a hook with ten of them capture the same batches by turns. The time is
that of the loop's thread on the processor, with one thread of torch: the writing thread does not
count. A training step comes before each capture.

The health check looks at the captures 1, 2, 4 and 8. They come before those that are measured.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch
from tqdm.auto import trange

from bench import report
from bench.capture import Case, Loop
from bench.measure import ratio, spread
from bench.workloads import digit_batches, photographs, resnet18
from demo import models
from tb_gradascent import GradAscentHook, ProbabilityMargin

PROBES = 10
WARM_UP = 8
MOST_ROUNDS = 7
"""The health check also looks at the 16th capture."""


def cases() -> list[Case]:
    """The demo's network on its digits, and ResNet-18 on images of 3×32×32."""
    torch.manual_seed(0)
    colour = photographs(256, (3, 32, 32)).split(128)
    return [
        Case("demo's CNN", models.cnn((1, 28, 28), 10), digit_batches(40), MOST_ROUNDS, 0),
        Case("ResNet-18", resnet18(), [(x, torch.randint(10, (128,))) for x in colour], 3, 0),
    ]


def measure(case: Case, folder: Path) -> dict[str, list[float]]:
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
    for turn in trange(-WARM_UP, case.rounds, desc=case.name, leave=False, disable=None):
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


def run() -> report.Section:
    """Measure all cases."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    figures, rows = [], []
    for case in cases():
        with tempfile.TemporaryDirectory() as folder:
            took = measure(case, Path(folder))
        plain, probed = took["capture"], took["capture with probes"]
        step = took["step"][::2]
        for what, found in (
            (f"a capture with {PROBES} probes against one without", ratio(probed, plain)),
            ("capture against a training step, processor time", ratio(plain, step)),
        ):
            figures.append(report.Figure(f"{case.name}: {what}", found.text("{:.2f}")))
        rows += [
            (case.name, name, spread([value * 1e3 for value in values]).text("{:.4g}"))
            for name, values in took.items()
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
    report.show(run())
