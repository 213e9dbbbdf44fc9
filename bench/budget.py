"""How many captures a budget gives, by the size of the images and the length of the training.

The bytes of a sample are measured. The trainings are counted through, without a network: the hook's
own pacer says at each step if a capture is due, and how many samples it holds.
"""

from __future__ import annotations

import itertools
import logging
from types import SimpleNamespace

import torch
from tqdm.auto import tqdm

from bench import report
from bench.sizes import SAMPLES, bytes_of, captured, subjects
from tb_gradascent.training.budget import Budget
from tb_gradascent.training.health import Health
from tb_gradascent.training.overhead import Overhead
from tb_gradascent.training.pacer import Pacer

EVERY = 100
TOP_K = 4
LENGTHS = (10_000, 100_000, 450_000)
BUDGETS_MB = (64, 256, 1024)


def count(length: int, budget_mb: int, sample: float) -> tuple[int, int, float]:
    """Count through a training at the hook's defaults.

    Args:
        length: Its steps.
        budget_mb: As for the hook.
        sample: Bytes of one sample.

    Returns:
        Captures, samples, and the largest gap beyond ``EVERY`` as a part of the steps so far.
    """
    file = SimpleNamespace(size=0, written=0)
    budget = Budget(budget_mb * 1_000_000)
    budget.watch(file)
    pacer = Pacer(EVERY, TOP_K, budget, Overhead(None), Health(strict=False))
    steps = []
    for step in range(0, length, EVERY):
        if not pacer.is_due(step):
            continue
        pacer.take_due(step)
        samples = pacer.top_k
        if file.size + samples * sample <= budget.total:
            file.size += round(samples * sample)
            file.written += samples
            steps.append(step)
    gaps = [
        (after - before) / after
        for before, after in itertools.pairwise([*steps, length])
        if after - before > EVERY
    ]
    return len(steps), file.written, max(gaps, default=0.0)


def run() -> report.Section:
    """Counts all combinations."""
    torch.manual_seed(0)
    logging.getLogger("tb_gradascent").addHandler(logging.NullHandler())
    rows, figures = [], []
    for images, model in tqdm(subjects(), desc="budget", leave=False, disable=None):
        shape = "×".join(map(str, images.shape[1:]))
        sample = bytes_of(captured, model, images) / SAMPLES
        for length, budget_mb in itertools.product(LENGTHS, BUDGETS_MB):
            captures, samples, gap = count(length, budget_mb, sample)
            row = (shape, f"{length:,}", f"{budget_mb}", f"{captures:,}", f"{samples:,}")
            rows.append((*row, f"{100 * gap:.1f} %" if gap else "as asked"))
            if images.shape[-1] == 224 and (length, budget_mb) == (450_000, 256):
                what = f"captures of {shape} in 450,000 steps at the defaults"
                figures += [
                    report.Figure(what, f"{captures}", "at least 400"),
                    report.Figure(f"{what}: largest gap", f"{100 * gap:.1f} %", "at most 2 %"),
                ]
    head = (
        "shape",
        "steps",
        "budget_mb",
        "captures",
        "samples",
        "largest gap, of the steps so far",
    )
    return report.Section(
        "Captures within a budget",
        figures,
        head,
        rows,
        "A capture every 100 steps with at most 4 samples is asked for. Captures hold fewer "
        "samples before they become rarer.",
    )


if __name__ == "__main__":
    report.show(run())
