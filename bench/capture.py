"""What one capture costs the loop.

A capture is a call of the hook that is due; encoding and writing happen elsewhere, and do not
count. Every capture is a full one of four samples with two targets, however sure the network is. It
is compared with

- a training step;
- the bare passes: the forward and backward passes that it cannot avoid, and nothing else. They are
  in eval mode, of the same pixels and in the same pieces, as many as that capture's ascents took;
- the alternatives, see ``alternatives``: on four samples of the same batch.

All times are processor time of the loop's thread, with one thread of torch, so that other processes
hardly change them. Before each of them the network is trained by a step, so that all meet the same
caches.

The health check looks at the captures 1, 2, 4, 8 and so on, and at the few after a doubt. Those are
over before anything is measured, and the next one comes after it.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from bench import report
from bench.alternatives import captum_images, tutorial_figures
from bench.measure import Work, by_turns, ratio, seconds, spread
from bench.workloads import digit_batches, photographs, resnet18
from demo import models
from tb_gradascent import GradAscentHook, ProbabilityMargin, Sample, read_samples
from tb_gradascent.functional.ascent import DEFAULT_ASCENTS, VisibleAscent
from tb_gradascent.functional.capture import STRENGTHS
from tb_gradascent.functional.survival import small_changes
from tb_gradascent.training.top_k import CANDIDATES

SAMPLES, TARGETS = 4, 2

PARTS = ("bare", "alternatives")
"""What captures are compared with: bare passes and training steps, or other ways to show images."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, the batches that it is trained on, and how often each thing is measured.

    Attributes:
        warm_up: Captures before those that are measured.
        rounds: Of captures and bare passes. No health check falls among them.
        slow_rounds: Of the alternatives.
        goal: Of a capture against its bare passes.
        small: Whether drawing figures takes longer than any of the network's passes.
    """

    name: str
    model: nn.Module
    batches: list[tuple[Tensor, Tensor]]
    warm_up: int
    rounds: int
    slow_rounds: int
    goal: str = ""
    small: bool = False


def digits() -> Case:
    """The demo's network on the demo's digits."""
    torch.manual_seed(0)
    model, batches = models.cnn((1, 28, 28), 10), digit_batches(40)
    return Case("demo's CNN", model, batches, 33, 29, 6, "at most 1.25", small=True)


def photos() -> Case:
    """ResNet-18 on made-up photographs."""
    torch.manual_seed(0)
    batches = [
        (images, torch.randint(10, (64,))) for images in photographs(256, (3, 32, 32)).split(64)
    ]
    return Case("ResNet-18", resnet18(), batches, 4, 3, 2, "at most 1.1")


CASES = {"cnn": digits, "resnet": photos}

OFTEN: dict[str, Any] = {
    "every": 1,
    "criterion": ProbabilityMargin(max_margin=1),
    "max_overhead": None,
}
"""Every call is due, and every sample is confused enough."""


class Given(NamedTuple):
    """What a capture gave the network.

    The very pixels matter: with noise on a digit's even black a pass takes a tenth longer.

    Attributes:
        candidates: The rows among which the model's own answers find the confused ones.
        images: For the predictions.
        ascents: Of each ascent, where it began and where it stood after each step; and the points
            for the verdicts on its morphs, piece by piece.
    """

    candidates: Tensor
    images: Tensor
    ascents: Sequence[tuple[Sequence[Tensor], Sequence[Tensor]]]


def given_by(samples: Sequence[Sample], batch: Tensor) -> Given:
    """What the capture of these samples of a batch gave the network.

    All steps of an ascent are taken as equal.
    """
    max_rows = len(batch)
    ascents: list[tuple[Sequence[Tensor], Sequence[Tensor]]] = []
    strengths = torch.tensor(STRENGTHS[1:]).reshape(-1, 1, 1, 1, 1)
    targets = [(sample.image, target) for sample in samples for target in sample.targets]
    for name in dict.fromkeys(name for _, target in targets for name in target.morphs):
        pairs = [(image, target.morphs[name]) for image, target in targets if target.morphs]
        images = torch.tensor(np.stack([image for image, _ in pairs]))
        deltas = torch.tensor(np.stack([morph.delta for _, morph in pairs]))
        steps = torch.tensor([morph.steps for _, morph in pairs]).reshape(-1, 1, 1, 1)
        passes = int(steps.max())
        made_by = DEFAULT_ASCENTS.get(name)
        if isinstance(made_by, VisibleAscent) and passes:
            # The network is also asked while every row rests, and such steps do not count.
            passes = max(passes, made_by.steps * made_by.draws)
        walked = [step / steps.clamp_min(1) for step in range(passes + 1)]
        points: list[Tensor] = []
        ends = images + deltas
        bounds = torch.tensor([samples[0].bounds or ((0.0,), (1.0,))])[0]
        low, high = bounds.reshape(2, -1, 1, 1)
        points_on_the_way = (images + deltas * strengths).clamp(low, high)
        for rows in (points_on_the_way, small_changes(ends, low, high)):
            points += rows.flatten(0, 1).split(max_rows)
        ascents.append(([images + deltas * part.clamp_max(1) for part in walked], points))
    images = torch.tensor(np.stack([sample.image for sample in samples]))
    return Given(batch[: CANDIDATES * SAMPLES], images, ascents)


def bare_passes(model: nn.Module, given: Given) -> None:
    """The passes of a capture, and nothing else."""
    with torch.no_grad():
        model(given.candidates)
    x = given.images.requires_grad_()
    logits = model(x)
    for target in range(TARGETS):
        torch.autograd.grad(logits[:, target].sum(), x, retain_graph=True)
    for (first, *others), points in given.ascents:
        x = first.requires_grad_()
        logits = model(x)
        for after in others:
            torch.autograd.grad(logits[:, 1].sum(), x)
            x = after.requires_grad_()
            logits = model(x)
        with torch.no_grad():
            for piece in points:
                model(piece)


class Loop:
    """A training that makes one step before each measurement."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.steps = 0
        self.inputs, self.labels = case.batches[0]
        self.logits = torch.zeros(())
        self._optimizer = torch.optim.Adam(case.model.parameters(), lr=1e-3)

    def step(self) -> None:
        """The next batch, forward and backward."""
        self.inputs, self.labels = self.case.batches[self.steps % len(self.case.batches)]
        self.steps += 1
        self.case.model.train()
        self.logits = self.case.model(self.inputs)
        self._optimizer.zero_grad()
        functional.cross_entropy(self.logits, self.labels).backward()
        self._optimizer.step()

    def warm_up(self, hooks: Sequence[GradAscentHook], captures: int) -> None:
        """One step, and the first captures of hooks, of the network as it then is."""
        self.step()
        self.logits = self.case.model(self.inputs)
        for _ in range(captures):
            self.steps += 1
            for hook in hooks:
                hook(self.inputs, self.logits, step=self.steps)


def against_bare_passes(case: Case, loop: Loop, folder: Path) -> dict[str, list[float]]:
    """Seconds of training steps, captures, bare passes and captures of the gradients alone."""
    with (
        GradAscentHook(case.model, folder / "full", **OFTEN) as full,
        GradAscentHook(case.model, folder / "gradients", ascent=None, **OFTEN) as gradients,
    ):
        loop.warm_up((full, gradients), case.warm_up)
        given = Given(loop.inputs, loop.inputs, [])
        steps: list[float] = []

        def before(name: str) -> None:
            nonlocal given
            full._capturer.writer.flush()
            gradients._capturer.writer.flush()
            if name == "bare passes":
                samples = [*read_samples(folder / "full", step=loop.steps)]
                given = given_by(samples, loop.inputs)
            took = seconds(loop.step, time.thread_time)
            if name == "capture":
                steps.append(took)
            if name == "bare passes":
                case.model.eval()

        works: dict[str, Work] = {
            "capture": lambda: full(loop.inputs, loop.logits, step=loop.steps),
            "bare passes": lambda: bare_passes(case.model, given),
            "gradients alone": lambda: gradients(loop.inputs, loop.logits, step=loop.steps),
        }
        what = f"capture, {case.name}"
        took = by_turns(
            works, case.rounds, what=what, before=before, warm_up=0, clock=time.thread_time
        )
    return {"step": steps, **took}


def against_alternatives(case: Case, loop: Loop, folder: Path) -> dict[str, list[float]]:
    """Seconds of captures and of other ways to show the same images."""
    with (
        GradAscentHook(case.model, folder / "full", **OFTEN) as full,
        GradAscentHook(case.model, folder / "gradients", ascent=None, **OFTEN) as gradients,
        SummaryWriter(str(folder / "figures")) as figures,
        SummaryWriter(str(folder / "images")) as images,
    ):
        loop.warm_up((full, gradients), min(case.warm_up, 8))

        def before(_: str) -> None:
            full._capturer.writer.flush()
            gradients._capturer.writer.flush()
            loop.step()

        def log(
            way: Callable[[SummaryWriter, nn.Module, Tensor, int], None], to: SummaryWriter
        ) -> Work:
            return lambda: way(to, case.model, loop.inputs[:SAMPLES], loop.steps)

        works: dict[str, Work] = {
            "capture": lambda: full(loop.inputs, loop.logits, step=loop.steps),
            "gradients alone": lambda: gradients(loop.inputs, loop.logits, step=loop.steps),
            "tutorial's figures": log(tutorial_figures, figures),
            "captum, add_images": log(captum_images, images),
        }
        what = f"alternatives, {case.name}"
        return by_turns(works, case.slow_rounds, what=what, before=before, clock=time.thread_time)


def measure(
    case: Case, parts: Sequence[str], folder: Path
) -> tuple[list[report.Figure], list[tuple[str, ...]]]:
    """A case's ratios, and all that was measured of it."""
    loop = Loop(case)
    found: list[tuple[str, str, str]] = []
    took: dict[str, list[float]] = {}
    if "alternatives" in parts:
        slow = took = against_alternatives(case, loop, folder / "alternatives")
        tutorial, captum = slow["tutorial's figures"], slow["captum, add_images"]
        found += [
            (
                "tutorial's figures against a capture",
                ratio(tutorial, slow["capture"]).text("{:.0f}"),
                "at least 100" * case.small,
            ),
            (
                "tutorial's figures against a capture of the gradients alone",
                ratio(tutorial, slow["gradients alone"]).text("{:.0f}"),
                "at least 200" * case.small,
            ),
            (
                "captum and `add_images` against a capture of the gradients alone",
                ratio(captum, slow["gradients alone"]).text("{:.1f}"),
                "",
            ),
        ]
    if "bare" in parts:
        quick = against_bare_passes(case, loop, folder / "bare")
        took = {**took, **quick}
        against_bare = ratio(quick["capture"], quick["bare passes"])
        against_step = ratio(quick["capture"], quick["step"])
        found = [
            ("capture against its bare passes", against_bare.text("{:.2f}"), case.goal),
            ("capture against a training step", against_step.text("{:.2f}"), ""),
            *found,
        ]
    rows: list[tuple[str, ...]] = [
        (case.name, name, spread([value * 1e3 for value in values]).text("{:.4g}"))
        for name, values in took.items()
    ]
    return [report.Figure(f"{case.name}: {what}", value, goal) for what, value, goal in found], rows


def run(networks: Sequence[str] = (*CASES,), parts: Sequence[str] = PARTS) -> report.Section:
    """Measures some cases, by default all."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    figures, rows = [], []
    for name in networks:
        with tempfile.TemporaryDirectory() as folder:
            found, measured = measure(CASES[name](), parts, Path(folder))
        figures += found
        rows += measured
    torch.set_num_threads(threads)
    return report.Section(
        "Cost of a capture",
        figures,
        ("network", "what", "ms of the loop's thread"),
        rows,
        f"{SAMPLES} samples with {TARGETS} targets each; batches of 64 × 1×28×28 and "
        "64 × 3×32×32. On a CPU most of a capture of ResNet-18 is its bare passes, so that no "
        "goal is set against figures, which cost the same for any network.",
    )


def main() -> None:
    """Measure and print; write nothing."""
    parser = argparse.ArgumentParser(prog="python -m bench.capture")
    parser.add_argument("--network", nargs="+", choices=CASES, default=[*CASES])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=[*PARTS])
    options = parser.parse_args()
    report.show(run(options.network, options.part))


if __name__ == "__main__":
    main()
