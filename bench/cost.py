"""What the hook costs the demo's training: ``make bench``.

One training goes on, and the hook is called in every other block of steps, with one capture a
block. Two blocks that follow each other differ in nothing else, so that whatever slows the machine
slows both; the median of their ratios is printed. The hook's writing thread has its work to do
within the block, and that is counted, too.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time

import torch
from torch.nn import functional
from tqdm.auto import trange

from bench.workloads import BATCH_SIZE, digit_batches
from demo import models
from tb_gradascent import GradAscentHook

DEFAULT_EVERY = 100


def measure(every: int, pairs: int) -> tuple[list[float], list[float]]:
    """Seconds that each block of ``every`` steps took: without the hook, and with it."""
    torch.manual_seed(0)
    model = models.cnn((1, 28, 28), 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    data = itertools.cycle(digit_batches())
    seconds: tuple[list[float], list[float]] = ([], [])
    with (
        tempfile.TemporaryDirectory() as folder,
        GradAscentHook(model, folder, every=every) as hook,
    ):
        for block in trange(-2, 2 * pairs, desc=f"every {every}", disable=None, leave=False):
            with_hook = block % 2 == 1
            start = time.perf_counter()
            for step in range(block * every, (block + 1) * every):
                inputs, labels = next(data)
                logits = model(inputs)
                loss = functional.cross_entropy(logits, labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if with_hook:
                    hook(inputs, logits, labels, step=step)
            if block >= 0:  # the first two warm up caches
                seconds[with_hook].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--steps", type=int, default=4000, help="of each row (%(default)s)")
    parser.add_argument("--threads", type=int, help="torch's (by default as many as it chooses)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    print(f"batches of {BATCH_SIZE} digits, {torch.get_num_threads()} threads, torch", end=" ")
    print(f"{torch.__version__}; medians, and in brackets their quartiles\n")
    print(f"{'':25} {'a step without':>24} {'with / without':>24} {'a capture':>12}")
    for every in (10, DEFAULT_EVERY):
        without, with_hook = measure(every, max(options.steps // every // 2, 2))
        pairs = [a / b for a, b in zip(with_hook, without, strict=True)]
        name = f"every {every} steps" + " (default)" * (every == DEFAULT_EVERY)
        steps = spread([block / every * 1e3 for block in without], "{:.2f}")
        capture = (statistics.median(pairs) - 1) * every
        print(f"{name:25} {steps + ' ms':>24} {spread(pairs, '{:.3f}'):>24} {capture:6.1f} steps")


def spread(values: list[float], form: str) -> str:
    """The median, and the quartiles in brackets."""
    low, middle, high = (form.format(value) for value in statistics.quantiles(values, n=4))
    return f"{middle} ({low} to {high})"


if __name__ == "__main__":
    main()
