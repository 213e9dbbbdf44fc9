"""How good the ascent is: gradients computed against the size of the change, beside attacks.

The attacks are foolbox's DeepFool, projected gradient descent and Carlini-Wagner's, all in L2. They
look for another class, and the ascent for a confidence. So they are given a network of two classes:
the target has a probability below 0.95, or it has more. The logits are 0 and m − m*. Here m is the
margin of the target over all other classes, and m* is the margin at 0.95. An image that is
misclassified there has reached the confidence here. All attack the same network towards the same
targets.

What cannot be known before is counted in the attacks' favour. DeepFool's gradients count until each
digit has reached the confidence, as the ascent's do. Projected gradient descent needs a radius:
bisection finds the smallest of a grid for each digit. The gradients of those runs count, the choice
between two step sizes does not. Of Carlini-Wagner the best of several settings is taken for each
digit, and only that run counts.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from bench import report
from bench.measure import spread
from bench.workloads import DigitsTransformer, test_digits, trained, trained_cnn
from demo.data import load_digits
from tb_gradascent import Ascent
from tb_gradascent.functional.ascend import ascend

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports what scipy will drop
    from foolbox.attacks.carlini_wagner import L2CarliniWagnerAttack
    from foolbox.attacks.deepfool import L2DeepFoolAttack
    from foolbox.attacks.projected_gradient_descent import L2ProjectedGradientDescentAttack
    from foolbox.criteria import Misclassification
    from foolbox.models.pytorch import PyTorchModel

CONFIDENCE = 0.95
DIGITS = 40
"""Confused ones, and as many ordinary ones."""
TRANSFORMER_EPOCHS = 4
FAR = 20.0
"""Bounds that nothing comes near, for attacks that need some."""
DEEPFOOL_STEPS = 12
PGD_STEPS = (1, 2, 4, 8)
PGD_RADII = np.geomspace(0.5, 16, 16)
BISECTIONS = 4
"""Runs that find one of so many radii."""
CARLINI_WAGNER_STEPS = ((1, 8), (1, 32), (2, 32), (4, 64))
PICTURE = Path(__file__).with_suffix(".png")


class Outcome(NamedTuple):
    """What became of each digit.

    Attributes:
        name: Of what changed them.
        gradients: Computed for each, shape (N,).
        chances: The target's probability in the end, shape (N,).
        changes: ‖δ‖₂, infinite where the confidence was not reached, shape (N,).
    """

    name: str
    gradients: Tensor
    chances: Tensor
    changes: Tensor

    def of(self, rows: slice) -> Outcome:
        """Some of the digits."""
        return Outcome(self.name, *(values[rows] for values in self[1:]))


class Convinced(nn.Module):
    """Two classes: whether the target has less than the confidence, or more."""

    def __init__(self, model: nn.Module, targets: Tensor) -> None:
        super().__init__()
        self.model = model
        self.targets = targets

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (N, 2)."""
        surplus = self.margin(x) - math.log(CONFIDENCE / (1 - CONFIDENCE))
        return torch.stack((torch.zeros_like(surplus), surplus), 1)

    def margin(self, x: Tensor) -> Tensor:
        """That of the target, shape (N,), by torch's own means."""
        logits: Tensor = self.model(x)
        column = self.targets[:, None]
        others = logits.scatter(1, column, -torch.inf).logsumexp(1)
        return logits.gather(1, column)[:, 0] - others


class Trial:
    """Images, their targets, and the bounds of what is legal."""

    def __init__(
        self, model: nn.Module, images: Tensor, targets: Tensor, bounds: tuple[float, float] | None
    ) -> None:
        self.model = model
        self.targets = targets
        self.bounds = bounds
        # Of the images' precision, or foolbox finds black to be darker than it may be.
        low, high = torch.tensor(bounds or (-FAR, FAR)).tolist()
        self.images = images.clamp(low, high)
        self._convinced = Convinced(model, targets).eval()
        self._foolbox = PyTorchModel(self._convinced, bounds=(low, high), device=images.device)

    def outcome(self, name: str, ends: Tensor, gradients: Tensor | int) -> Outcome:
        """What images (N, …) that something ended with are worth."""
        with torch.no_grad():
            chances = self._convinced.margin(ends).sigmoid()
        changes = torch.linalg.vector_norm((ends - self.images).flatten(1), dim=1)
        reached = chances >= CONFIDENCE - 1e-5
        counted = torch.as_tensor(gradients).float().expand(len(ends))
        return Outcome(name, counted, chances, changes.where(reached, torch.inf))

    def attack(self, attack: Any, **options: float) -> Tensor:
        """What an attack of foolbox's ends with, each image where it was if it failed."""
        unconvinced = torch.zeros(len(self.images), dtype=torch.int64)
        ends: Tensor = attack.run(
            self._foolbox, self.images, Misclassification(unconvinced), **options
        )
        return ends


def ascent(trial: Trial) -> Outcome:
    """The ascent at its defaults."""
    bounds = None
    if trial.bounds:
        bounds = torch.tensor(trial.bounds[0]), torch.tensor(trial.bounds[1])
    end = ascend(trial.model, trial.images, trial.targets, Ascent(), bounds=bounds)
    return trial.outcome("the ascent", end.inputs, torch.tensor(end.steps))


def deepfool(trial: Trial) -> Iterator[Outcome]:
    """DeepFool, stopped where each digit has arrived."""
    runs = [
        trial.outcome("DeepFool", trial.attack(L2DeepFoolAttack(steps=steps)), steps)
        for steps in range(1, DEEPFOOL_STEPS + 1)
    ]
    arrived = torch.stack([run.changes < torch.inf for run in runs])
    first = torch.where(arrived.any(0), arrived.int().argmax(0), len(runs) - 1)
    yield _pick("DeepFool", runs, first)


def projected_gradient_descent(trial: Trial) -> Iterator[Outcome]:
    """With the smallest radius that is large enough, by steps of two lengths."""
    for steps in PGD_STEPS:
        runs = [
            trial.outcome("", trial.attack(attack, epsilon=float(radius)), BISECTIONS * steps)
            for length in (1.0, 2.5)
            for attack in [
                L2ProjectedGradientDescentAttack(
                    rel_stepsize=length / steps, steps=steps, random_start=False
                )
            ]
            for radius in PGD_RADII
        ]
        yield _best(f"PGD, {BISECTIONS} × {steps}", runs)


def carlini_wagner(trial: Trial) -> Iterator[Outcome]:
    """With the best of several step sizes and constants."""
    for searches, steps in CARLINI_WAGNER_STEPS:
        runs = [
            trial.outcome("", trial.attack(attack), searches * steps)
            for step_size in (0.02, 0.1)
            for constant in (1.0, 10.0)
            for attack in [
                L2CarliniWagnerAttack(
                    binary_search_steps=searches,
                    steps=steps,
                    stepsize=step_size,
                    initial_const=constant,
                    abort_early=False,
                )
            ]
        ]
        yield _best(f"Carlini-Wagner, {searches} × {steps}", runs)


def _best(name: str, runs: Sequence[Outcome]) -> Outcome:
    """Of each digit the run with the smallest change."""
    return _pick(name, runs, torch.stack([run.changes for run in runs]).argmin(0))


def _pick(name: str, runs: Sequence[Outcome], which: Tensor) -> Outcome:
    """Of each digit one run."""
    columns = (torch.stack(column) for column in list(zip(*runs, strict=True))[1:])
    return Outcome(name, *(column.gather(0, which[None])[0] for column in columns))


ATTACKS: tuple[Callable[[Trial], Iterator[Outcome]], ...] = (
    deepfool,
    projected_gradient_descent,
    carlini_wagner,
)


def run() -> report.Section:
    """Compares, and draws what was found."""
    cnn = trained_cnn()
    data = load_digits()
    legal = (0 - data.mean[0]) / data.std[0], (1 - data.mean[0]) / data.std[0]
    parts = {"confused": slice(0, DIGITS), "ordinary": slice(DIGITS, None)}
    cases = (
        ("no bounds", cnn, None),
        ("within [0, 1]", cnn, legal),
        ("a transformer, within [0, 1]", trained(DigitsTransformer, TRANSFORMER_EPOCHS), legal),
    )
    found: dict[str, tuple[Outcome, list[Outcome]]] = {}
    for case, model, bounds in cases:
        trial = Trial(model, *_chosen(model), bounds)
        ours = ascent(trial)
        bar = tqdm(ATTACKS, desc=f"quality, {case}", leave=False, disable=None)
        others = [outcome for attack in bar for outcome in attack(trial)]
        for name, rows in parts.items():
            found[f"{name}, {case}"] = ours.of(rows), [other.of(rows) for other in others]
    draw(found)
    compared = section(found)
    return dataclasses.replace(compared, figures=[*compared.figures, *smoothed(legal)])


def smoothed(bounds: tuple[float, float]) -> list[report.Figure]:
    """The ascent on a transformer that label smoothing keeps from ever being sure."""
    model = trained(DigitsTransformer, TRANSFORMER_EPOCHS, label_smoothing=0.1)
    trial = Trial(model, *_chosen(model), bounds)
    before = trial.outcome("", trial.images, 0).chances
    after = ascent(trial).chances
    what = "transformer with label smoothing"
    lower = (after < before - 1e-6).float().mean()
    return [
        report.Figure(f"{what}: digits that end with a lower probability", f"{lower:.1%}", "0.0%"),
        report.Figure(f"{what}: probability in the end", f"{after.mean():.2f}", "at least 0.70"),
    ]


def _chosen(model: nn.Module) -> tuple[Tensor, Tensor]:
    """The most confused test digits and as many ordinary ones, and the second class of each."""
    images, _ = test_digits()
    top = model(images).softmax(1).topk(2, 1)
    margin = top.values[:, 0] - top.values[:, 1]
    chosen = torch.cat((margin.argsort()[:DIGITS], torch.arange(DIGITS)))
    return images[chosen], top.indices[chosen, 1]


def section(found: dict[str, tuple[Outcome, list[Outcome]]]) -> report.Section:
    """What was found as tables."""
    rows, better, worse = [], 0, 0.0
    for where, (ours, others) in found.items():
        rows += [_row(where, outcome, ours) for outcome in (ours, *others)]
        for other in others:
            fewer = other.gradients.mean() < ours.gradients.mean()
            better += bool(fewer and other.changes.median() < ours.changes.median())
            beaten = (other.gradients < ours.gradients) & (other.changes < ours.changes)
            worse = max(worse, beaten.float().mean().item())
    count = sum(len(others) for _, others in found.values())
    return report.Section(
        "Quality of the ascent",
        [
            report.Figure(
                "attacks that reach 0.95 with fewer gradients and a smaller change than the ascent",
                f"{better} of {count}",
                "0",
            ),
            report.Figure("digits for which one of them does, at the most", f"{worse:.1%}", "0.0%"),
        ],
        ("digits", "by", "gradients", "reached", "probability", "‖δ‖₂", "‖δ‖₂ / the ascent's"),
        rows,
        f"{DIGITS} confused and {DIGITS} ordinary test digits, each towards its second class. "
        "Gradients are a digit's mean, the rest medians; ‖δ‖₂ of those that reached 0.95.\n\n"
        f"![‖δ‖₂ against gradients]({PICTURE.name})",
    )


def _row(where: str, outcome: Outcome, ours: Outcome) -> tuple[str, ...]:
    reached = outcome.changes < torch.inf
    both = reached & (ours.changes < torch.inf)
    change = ratios = "–"
    if both.any():
        change = spread(outcome.changes[reached].tolist()).text("{:.2f}")
        ratios = spread((outcome.changes / ours.changes)[both].tolist()).text("{:.2f}")
    return (
        where,
        outcome.name,
        f"{outcome.gradients.mean():.1f}",
        f"{reached.float().mean():.0%}",
        spread(outcome.chances.tolist()).text("{:.3f}"),
        change,
        ratios,
    )


def draw(found: dict[str, tuple[Outcome, list[Outcome]]], path: Path = PICTURE) -> None:
    """Gradients against the median change, of those that nearly always reach the confidence."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.5 * math.ceil(len(found) / 2)), layout="constrained")
    for axes, (where, (ours, others)) in zip(
        figure.subplots(math.ceil(len(found) / 2), 2).flat, found.items(), strict=True
    ):
        axes.set(title=where, xlabel="gradients", ylabel="median ‖δ‖₂", xscale="log")
        for kind in dict.fromkeys(other.name.split(",")[0] for other in others):
            points = [
                (other.gradients.mean(), other.changes.median())
                for other in others
                if other.name.startswith(kind) and other.changes.median() < torch.inf
            ]
            axes.plot(*zip(*points, strict=True), "o-", label=kind)
        axes.plot(ours.gradients.mean(), ours.changes.median(), "k*", ms=14, label=ours.name)
        axes.axvline(ours.gradients.mean(), color="0.8", zorder=0)
        axes.axhline(ours.changes.median(), color="0.8", zorder=0)
        axes.legend()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    report.show(run())
