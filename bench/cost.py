"""What the hook costs the demo's training: ``make bench``.

The same model is trained on the same batches without the hook, with it at its defaults, and with a
capture every 10 steps, in turn, several times over. Each is divided by the training without that
came just before it, so that what slows the machine for a while slows both; the median is printed,
and in brackets the least and the greatest. Other work on the machine makes them meaningless.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from tqdm.auto import trange

from demo import models
from demo.data import load_digits
from tb_gradascent import GradAscentHook

Batch = tuple[Tensor, Tensor]


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds that one training took: all of it, and the writing that remained at its end."""

    training: float
    closing: float


def batches(size: int = 64) -> list[Batch]:
    """An epoch of the demo's digits."""
    digits = load_digits()
    examples = [digits.train[row] for row in range(10_000)]
    images = torch.stack([image for image, _, _ in examples])
    labels = torch.stack([label for _, label, _ in examples])
    return list(zip(images.split(size), labels.split(size), strict=True))


def train(epoch: Sequence[Batch], epochs: int, every: int | None) -> Timing:
    """Train the demo's network, with the hook every so many steps or without it."""
    torch.manual_seed(0)
    model = models.cnn((1, 28, 28), 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        hook = None
        if every is not None:
            hook = stack.enter_context(GradAscentHook(model, Path(folder), every=every))
        start = time.perf_counter()
        for _ in range(epochs):
            for inputs, labels in epoch:
                logits = model(inputs)
                loss = functional.cross_entropy(logits, labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if hook:
                    hook(inputs, logits, labels)
        trained = time.perf_counter()
        stack.close()
        return Timing(trained - start, time.perf_counter() - trained)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="of each kind (%(default)s)")
    parser.add_argument("--epochs", type=int, default=3, help="of each training (%(default)s)")
    parser.add_argument("--threads", type=int, help="torch's (by default as many as it chooses)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    epoch = batches()
    steps = options.epochs * len(epoch)
    kinds = {"without the hook": None, "every 100 steps (default)": 100, "every 10 steps": 10}
    train(epoch, 1, 100)  # the first one warms up caches, and is not counted
    timings: dict[str, list[Timing]] = {kind: [] for kind in kinds}
    for _ in trange(options.repeats, unit="round", disable=None):
        for kind, every in kinds.items():
            timings[kind].append(train(epoch, options.epochs, every))

    plain = timings["without the hook"]
    step = statistics.median(timing.training for timing in plain) / steps
    print(
        f"{steps} steps of 64 digits, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    print(f"a step without the hook takes {step * 1e3:.2f} ms (median of {options.repeats})\n")
    print(f"{'':26} {'time, ratio':>16} {'a capture':>16} {'left at close':>16}")
    for kind, every in kinds.items():
        ratios = [a.training / b.training for a, b in zip(timings[kind], plain, strict=True)]
        ratio = statistics.median(ratios)
        row = f"{kind:26} {ratio:6.3f} ({min(ratios):.2f}-{max(ratios):.2f})"
        if every is not None:
            captures = -(-steps // every)
            closing = statistics.median(timing.closing for timing in timings[kind])
            row += f" {(ratio - 1) * steps / captures:10.1f} steps {closing * 1e3:13.0f} ms"
        print(row)
    if max(timing.training for timing in plain) > 1.3 * min(timing.training for timing in plain):
        print("\nThe same training took over 30 % longer at times: is other work running?")


if __name__ == "__main__":
    main()
