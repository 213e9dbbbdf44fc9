"""What the hook costs a training.

One training goes on, and the hook is called in every other block of steps, with one capture a
block. Two blocks that follow each other differ in nothing else. The hook's writing thread has its
work to do within the block, and that counts, too. ``max_overhead`` is off, so each block really has
its capture; with it, captures are rarer where they would cost more than one percent.

The results show the median difference of two blocks and its 95 % interval (bootstrap). If the
interval holds 0, no difference was found.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import report
from bench.measure import by_turns
from bench.workloads import VisionTransformer, digit_batches, photographs, resnet18
from demo import models
from tb_gradascent import GradAscentHook

DEFAULT_EVERY = 100


@dataclasses.dataclass(frozen=True)
class Case:
    """What is trained, and how.

    Attributes:
        every: Steps in a block.
        pairs: Of blocks.
        batches: Inputs and labels.
        autocast: Whether the forward pass runs in bfloat16.
        compiled: Whether the model is compiled.
        backend: By what.
    """

    name: str
    model: Callable[[], nn.Module]
    batches: Callable[[], list[tuple[Tensor, Tensor]]]
    every: int
    pairs: int
    device: str = "cpu"
    autocast: bool = False
    compiled: bool = False
    backend: str = "inductor"


def digits_cnn() -> nn.Module:
    """The demo's network for the demo's digits."""
    return models.cnn((1, 28, 28), 10)


def colour_batches(size: int) -> list[tuple[Tensor, Tensor]]:
    """Made-up photographs of 3×32×32, with labels drawn at random."""
    images = photographs(4 * size, (3, 32, 32))
    labels = torch.randint(10, (len(images),), generator=torch.Generator().manual_seed(0))
    return list(zip(images.split(size), labels.split(size), strict=True))


def cases() -> list[Case]:
    """Those that this machine can run."""
    found = [
        Case("demo's CNN, batch 64", digits_cnn, digit_batches, every=10, pairs=150),
        Case("ResNet-18, batch 128", resnet18, lambda: colour_batches(128), every=4, pairs=12),
        Case("ViT, batch 64", VisionTransformer, lambda: colour_batches(64), every=4, pairs=24),
    ]
    if not torch.cuda.is_available():
        return found
    networks = {
        "demo's CNN, CUDA, batch 64": (digits_cnn, digit_batches),
        "ResNet-18, CUDA, batch 256": (resnet18, lambda: colour_batches(256)),
        "ViT, CUDA, batch 256": (VisionTransformer, lambda: colour_batches(256)),
    }
    ways = itertools.product(networks.items(), (False, True), (False, True))
    return found + [
        Case(
            name + ", bfloat16" * autocast + ", compiled" * compiled,
            model,
            batches,
            every=DEFAULT_EVERY,
            pairs=15,
            device="cuda",
            autocast=autocast,
            compiled=compiled,
        )
        for (name, (model, batches)), autocast, compiled in ways
    ]


def measure(case: Case) -> tuple[float, list[float]]:
    """Seconds of a step without the hook, and how many seconds each block with it took longer."""
    torch.manual_seed(0)
    model = case.model().to(case.device)
    trained: Any = torch.compile(model, backend=case.backend) if case.compiled else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = itertools.cycle(
        [(x.to(case.device), y.to(case.device)) for x, y in case.batches()],
    )
    precision: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if case.autocast:
        precision = torch.autocast(case.device, torch.bfloat16)
    steps = itertools.count()

    def steps_of(block: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for inputs, labels in itertools.islice(data, block):
            with precision:
                logits = trained(inputs)
                loss = functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield inputs, logits, labels

    with (
        tempfile.TemporaryDirectory() as folder,
        GradAscentHook(trained, folder, every=case.every, max_overhead=None, strict=True) as hook,
    ):

        def without() -> None:
            for _ in steps_of(case.every):
                pass

        def hooked() -> None:
            for inputs, logits, labels in steps_of(case.every):
                hook(inputs, logits, labels, step=next(steps))

        took = by_turns(
            {"without": without, "with": hooked},
            case.pairs,
            what=f"training, {case.name}",
        )
    longer = [a - b for a, b in zip(took["with"], took["without"], strict=True)]
    return statistics.median(took["without"]) / case.every, longer


def interval(values: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median."""
    draw = random.Random(0)  # noqa: S311  # statistics
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(draws))
    return medians[draws // 40], medians[-draws // 40]


def percent(step: float, longer: Sequence[float]) -> str:
    """What captures that are ``DEFAULT_EVERY`` steps apart cost a training."""
    scale = 100 / (step * DEFAULT_EVERY)
    low, high = (scale * end for end in interval(longer))
    if low <= 0 <= high:
        return f"no difference found; at most {high:.2f} %"
    return f"{scale * statistics.median(longer):.2f} % ({low:.2f} to {high:.2f} %)"


def run(names: Sequence[str] = ("",)) -> report.Section:
    """Measures the cases whose name holds one of these texts, by default all."""
    figures, rows = [], []
    for case in cases():
        if not any(name in case.name for name in names):
            continue
        step, longer = measure(case)
        figures.append(
            report.Figure(
                f"a capture every {DEFAULT_EVERY} steps: {case.name}", percent(step, longer)
            )
        )
        low, high = (1e3 * end for end in interval(longer))
        rows.append(
            (
                case.name,
                f"{1e3 * step:.3g}",
                f"{case.pairs}",
                f"{1e3 * statistics.median(longer):.3g} ({low:.3g} to {high:.3g})",
                percent(step, longer),
            )
        )
    return report.Section(
        "Cost to a training",
        figures,
        (
            "network",
            "a step, ms",
            "pairs of blocks",
            "a capture takes, ms",
            f"of the training, if captures are {DEFAULT_EVERY} steps apart",
        ),
        rows,
        "Without `max_overhead`. With its default of 0.01, captures are made rarer until they take "
        "at most 1 % of the training's time, beyond the first 5 seconds.",
    )


if __name__ == "__main__":
    report.show(run(sys.argv[1:] or [""]))
