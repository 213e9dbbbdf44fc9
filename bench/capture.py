"""What one capture costs: against a training step, and against the passes it cannot avoid.

A training step, a capture (a call of the hook that is due, writing thread and all) and the bare
passes (the same rows and the same numbers of forward and backward passes, in eval mode, and nothing
else) take turns, so that what slows the machine slows all three. Medians of their ratios are
printed. Every capture is a full one: ``top_k`` samples, however sure the network is.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from bench.workloads import digit_batches, resnet18
from demo import models
from tb_gradascent import GradAscentHook, ProbabilityMargin, read_samples

WARM_UP = 2


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, and the batches that it is trained on."""

    name: str
    model: nn.Module
    batches: list[tuple[Tensor, Tensor]]


def digits_case(rounds: int) -> Case:
    """The demo's network on the demo's digits, batch 64."""
    model = models.cnn((1, 28, 28), 10)
    return Case("demo's CNN, 64 × 1×28×28", model, digit_batches(rounds + WARM_UP))


def resnet_case(rounds: int) -> Case:
    """ResNet-18 on noise in the shape of CIFAR-10, batch 128."""
    batches = [
        (torch.randn(128, 3, 32, 32), torch.randint(10, (128,))) for _ in range(rounds + WARM_UP)
    ]
    return Case("ResNet-18, 128 × 3×32×32", resnet18(), batches)


def bare_passes(model: nn.Module, images: Tensor, steps: int) -> None:
    """The passes of a capture of 4 samples with 2 targets each, whose ascent took so many steps."""
    with torch.no_grad():
        model(images[:4])
    rows = images[:8].detach().requires_grad_()
    logits = model(rows)
    torch.autograd.grad(logits[:, 0].sum(), rows, retain_graph=True)
    for _ in range(steps):
        torch.autograd.grad(logits[:, 1].sum(), rows)
        rows = rows.detach().requires_grad_()
        logits = model(rows)
    with torch.no_grad():
        for piece in images.repeat(2, 1, 1, 1)[:72].split(len(images)):
            model(piece)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(case: Case) -> None:
    """Print a case's ratios."""
    torch.manual_seed(0)
    model, optimizer = case.model, torch.optim.Adam(case.model.parameters(), lr=1e-3)
    table: list[tuple[float, float, float]] = []
    logits = torch.zeros(())

    def step() -> None:
        nonlocal logits
        logits = model(inputs)
        loss = functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    with (
        tempfile.TemporaryDirectory() as folder,
        GradAscentHook(
            model, folder, every=1, criterion=ProbabilityMargin(max_margin=1), strict=True
        ) as hook,
    ):
        for inputs, labels in tqdm(case.batches, desc=case.name, leave=False, disable=None):
            took = seconds(step)
            captured = seconds(lambda: hook(inputs, logits, labels))  # noqa: B023
            hook._writer.flush()
            newest = list(read_samples(folder, step=hook._calls - 1))
            steps = max(target.steps for sample in newest for target in sample.targets)
            step()  # before either, so that both meet the same caches
            model.eval()
            bare = seconds(lambda: bare_passes(model, inputs, steps))  # noqa: B023
            model.train()
            table.append((took, captured, bare))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        samples = hook.stats.written
    rows = table[WARM_UP:]
    against_step = [captured / took for took, captured, _ in rows]
    against_bare = [captured / bare for _, captured, bare in rows]
    print(
        f"{case.name:26} {statistics.median(took for took, _, _ in rows) * 1e3:9.1f} ms"
        f" {statistics.median(against_step):14.2f} {statistics.median(against_step) / 100:12.2%}"
        f" {statistics.median(against_bare):14.2f} {size / samples / 1e3:9.2f} kB"
    )


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.capture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="of the CNN (%(default)s)")
    parser.add_argument("--resnet-rounds", type=int, default=8, help="of ResNet (%(default)s)")
    parser.add_argument("--threads", type=int, help="torch's (by default as many as it chooses)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; medians; kB are 1,000\n")
    print(
        f"{'':26} {'a step':>12} {'capture / step':>14} {'every 100':>12} {'capture / bare':>14}"
        f" {'a sample':>12}"
    )
    measure(digits_case(options.rounds))
    measure(resnet_case(options.resnet_rounds))


if __name__ == "__main__":
    main()
