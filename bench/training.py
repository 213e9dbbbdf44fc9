"""What the hook costs a training.

One training goes on, and the hook is called in every other block of steps, with one capture a
block. Two blocks that follow each other differ in nothing else. The hook's writing thread has its
work to do within the block, and that counts, too.

On a CPU a block has ten steps, and what the one capture costs is spread over the interval that is
the default: the other calls do nothing, and in so short a block a capture is ten times easier to
tell from noise. On a GPU, where a step is quickly done, blocks are as long as that interval.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import report
from bench.measure import Spread, by_turns, ratio, spread
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
    """

    name: str
    model: Callable[[], nn.Module]
    batches: Callable[[], list[tuple[Tensor, Tensor]]]
    every: int
    pairs: int
    device: str = "cpu"
    autocast: bool = False
    compiled: bool = False


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
        Case("demo's CNN, batch 64", digits_cnn, digit_batches, every=10, pairs=200),
        Case("ResNet-18, batch 128", resnet18, lambda: colour_batches(128), every=10, pairs=4),
        Case("ViT, batch 64", VisionTransformer, lambda: colour_batches(64), every=10, pairs=12),
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


def measure(case: Case) -> tuple[Spread, Spread]:
    """Seconds of a step without the hook, and what training costs with it, against without."""
    torch.manual_seed(0)
    model = case.model().to(case.device)
    trained: Any = torch.compile(model) if case.compiled else model
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
    cost = ratio(took["with"], took["without"])
    spread_out = case.every / DEFAULT_EVERY
    return (
        spread([block / case.every for block in took["without"]]),
        Spread(*(1 + (value - 1) * spread_out for value in cost)),
    )


def run() -> report.Section:
    """Measures all cases."""
    figures, rows = [], []
    for case in cases():
        step, cost = measure(case)
        figures.append(
            report.Figure(
                f"training with the hook at its defaults against without: {case.name}",
                cost.text("{:.3f}"),
                "at most 1.01",
            )
        )
        milliseconds = Spread(*(value * 1e3 for value in step)).text("{:.3g}")
        rows.append((case.name, milliseconds, str(case.every), cost.text("{:.4f}")))
    return report.Section(
        "Cost to a training",
        figures,
        ("network", "a step, ms", "steps in a block", "with / without"),
        rows,
        f"By default captures are {DEFAULT_EVERY} steps apart; of blocks with fewer the cost is "
        "spread over as many.",
    )


if __name__ == "__main__":
    report.show(run())
