"""Whether other networks believe a morph: the visible ascent beside the smallest.

A judge is a network of another architecture that was trained by itself, and takes no part in the
ascent. It believes a morph if it says the target. On photographs, where a judge knows a thousand
classes, the gain of the target's log odds is what counts.

The photographs need a pretrained network and pictures. They come as packages, the extra ``photos``.
Without them the photographs are skipped, and the section names the missing packages.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from bench import report
from bench.workloads import DigitsTransformer, digits_cnn, test_digits, trained
from demo import photos
from demo.data import load_digits
from tb_gradascent import Ascent
from tb_gradascent.functional.ascend import ascend
from tb_gradascent.functional.margins import target_margin

CONFIDENCE = 0.95
SEEDS = (0, 1, 2)
DIGITS = 200
TRANSFORMER_EPOCHS = 4
SMALLEST = Ascent.smallest(max_steps=12)
PAIRS = (
    ("chelsea.png", 282, "tiger cat"),
    ("chelsea.png", 207, "golden retriever"),
    ("coffee.png", 968, "cup"),
    ("coffee.png", 925, "consommé"),
    ("motorcycle_left.png", 670, "motor scooter"),
    ("rocket.jpg", 404, "airliner"),
    ("camera.png", 447, "binoculars"),
    ("astronaut.png", 560, "football helmet"),
)
"""A photograph, and the class of ImageNet that it is moved towards."""

PICTURE = Path(__file__).with_suffix(".png")
DRAWN_SIDE = 112
DRAWN_DIGITS = 16


class Morphs(NamedTuple):
    """What an ascent made of some images, and what the networks say.

    Attributes:
        inputs: Shape (N, …).
        passes: Forward passes of a row beyond the first one; about as many backward passes.
        own: The probability of the target, shape (N,).
        blurred: The same after a blur of 3×3 pixels, shape (N,).
        change: Mean absolute change of an element, as a part of the legal range.
        believed: Of each judge, which rows it says the target of, shape (N,).
        gains: Of each judge, by how much the target's log odds rose, shape (N,).
    """

    inputs: Tensor
    passes: int
    own: Tensor
    blurred: Tensor
    change: float
    believed: list[Tensor]
    gains: list[Tensor]


def morph(
    model: nn.Module,
    judges: Sequence[nn.Module],
    images: Tensor,
    targets: Tensor,
    ascent: Ascent,
    bounds: tuple[float, float],
) -> Morphs:
    """Changes images (N, …) towards their targets, and asks the model and the judges."""
    passes = 0

    def forward(x: Tensor) -> Tensor:
        nonlocal passes
        passes += 1
        logits: Tensor = model(x)
        return logits

    low, high = torch.tensor(bounds[0]), torch.tensor(bounds[1])
    # As in a capture, which has asked for the logits before, and counts that pass by itself.
    start = images.clone().requires_grad_()
    logits = model(start)
    ends = ascend(forward, start, targets, ascent, bounds=(low, high), logits=logits).inputs
    blurred = functional.avg_pool2d(functional.pad(ends, (1, 1, 1, 1), mode="reflect"), 3, 1)
    return Morphs(
        ends,
        passes,
        margins(model, ends, targets).sigmoid(),
        margins(model, blurred, targets).sigmoid(),
        ((ends - images).abs().mean() / (high - low)).item(),
        [judge(ends).argmax(1) == targets for judge in judges],
        [margins(judge, ends, targets) - margins(judge, images, targets) for judge in judges],
    )


@torch.no_grad()
def margins(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """The log odds of each target, shape (N,)."""
    return target_margin(model(images), targets)


def convolutional_judge() -> nn.Module:
    """Three by three kernels and batch norm; another architecture than the demo's."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32 * 7 * 7, 10),
    )


def perceptron_judge() -> nn.Module:
    """No convolution at all."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


JUDGES = {"a CNN with batch norm": convolutional_judge, "an MLP": perceptron_judge}


def mean_of(values: Sequence[float], form: str) -> str:
    """The mean, and the lowest and highest value."""
    mean, low, high = (
        form.format(one) for one in (statistics.mean(values), min(values), max(values))
    )
    return f"{mean} ({low} to {high})"


def fraction(rows: Tensor) -> float:
    """The fraction of rows that are true."""
    return rows.float().mean().item()


def reached_fraction(run: Morphs) -> float:
    """The fraction of images whose own probability reached the confidence."""
    return fraction(run.own >= CONFIDENCE - 1e-5)


class Found(NamedTuple):
    """Part of a section."""

    figures: list[report.Figure]
    rows: Sequence[tuple[str, ...]]


def on_digits(picture: list[Image.Image]) -> Found:
    """The demo's network on digits towards their second class; other networks judge."""
    ways = {
        "smallest": SMALLEST,
        "visible, 24 passes": Ascent.visible(steps=14),
        "visible": Ascent.visible(),
        "visible, 96 passes": Ascent.visible(steps=28, draws=3),
    }
    goals = {"visible, 24 passes": "at least 75%", "visible, 96 passes": "at least 85%"}
    return _judged(
        "digits, the demo's CNN",
        lambda seed: trained(digits_cnn, seed=seed),
        JUDGES,
        ways,
        goals,
        "at least 98%",
        picture,
    )


def on_digits_by_a_transformer() -> Found:
    """A vision transformer that was trained with label smoothing; other networks judge."""
    ways = {
        "smallest": SMALLEST,
        "visible": Ascent.visible(),
        "visible, 96 passes": Ascent.visible(steps=28, draws=3),
    }
    return _judged(
        "digits, a transformer",
        lambda seed: trained(DigitsTransformer, TRANSFORMER_EPOCHS, seed=seed, label_smoothing=0.1),
        JUDGES,
        ways,
        {"visible, 96 passes": "at least 65%"},
    )


def _judged(
    what: str,
    network: Callable[[int], nn.Module],
    judges: Mapping[str, Callable[[], nn.Module]],
    ways: Mapping[str, Ascent],
    goals: Mapping[str, str],
    own_goal: str = "",
    picture: list[Image.Image] | None = None,
) -> Found:
    """All ways on the test digits, with networks and judges from other seeds."""
    data = load_digits()
    bounds = (0 - data.mean[0]) / data.std[0], (1 - data.mean[0]) / data.std[0]
    images = test_digits()[0][:DIGITS]
    found: dict[str, list[Morphs]] = {way: [] for way in ways}
    bar = tqdm(total=len(SEEDS) * len(ways), desc=what, leave=False, disable=None)
    for seed in SEEDS:
        model = network(seed)
        others = [
            trained(judge, seed=100 * (place + 1) + seed)
            for place, judge in enumerate(judges.values())
        ]
        targets = model(images).topk(2, 1).indices[:, 1]
        for way, ascent in ways.items():
            found[way].append(morph(model, others, images, targets, ascent, bounds))
            bar.update()
    bar.close()
    if picture is not None:
        shown = (images, *(runs[0].inputs for runs in found.values()))
        picture.append(sheet(shown, bounds, DRAWN_DIGITS, 2 * 28))
    figures: list[report.Figure] = []
    rows: list[tuple[str, ...]] = []
    for way, runs in found.items():
        reached = mean_of([reached_fraction(run) for run in runs], "{:.1%}")
        said = [
            mean_of([fraction(run.believed[judge]) for run in runs], "{:.0%}")
            for judge in range(len(judges))
        ]
        rows.append(
            (
                what,
                way,
                f"{max(run.passes for run in runs)}",
                reached,
                f"{statistics.mean(run.own.mean().item() for run in runs):.2f}",
                f"{statistics.mean(run.blurred.mean().item() for run in runs):.2f}",
                *said,
                f"{255 * statistics.mean(run.change for run in runs):.1f}",
            )
        )
        if way in goals:
            figures += [
                report.Figure(f"{what}, {way}: {judge} says the target", value, goals[way])
                for judge, value in zip(judges, said, strict=True)
            ]
            if own_goal:
                figures.append(
                    report.Figure(f"{what}, {way}: reach {CONFIDENCE}", reached, own_goal)
                )
    return Found(figures, rows)


def on_photographs(picture: list[Image.Image]) -> Found:
    """EfficientNet-Lite0 on photographs; Lite1 judges."""
    model, judge = (photos.efficientnet(version) for version in (0, 1))
    images = torch.stack([photos.photograph(name) for name, _, _ in PAIRS])
    targets = torch.tensor([target for _, target, _ in PAIRS])
    bounds = (0 - photos.PIXEL_MEAN) / photos.PIXEL_STD, (1 - photos.PIXEL_MEAN) / photos.PIXEL_STD
    ways: dict[str, Callable[[int], Ascent]] = {
        "smallest": lambda _: SMALLEST,
        "visible": lambda seed: Ascent.visible(seed=seed),
        "visible, 60 passes": lambda seed: Ascent.visible(steps=50, seed=seed),
    }
    goals = {"visible": (4.0, 0.55), "visible, 60 passes": (5.0, 0.70)}
    figures: list[report.Figure] = []
    rows: list[tuple[str, ...]] = []
    shown = [images]
    bar = tqdm(total=1 + len(goals) * len(SEEDS), desc="photographs", leave=False, disable=None)
    for way, ascent in ways.items():
        runs = []
        for seed in SEEDS if way in goals else SEEDS[:1]:
            runs.append(morph(model, [judge], images, targets, ascent(seed), bounds))
            bar.update()
        shown.append(runs[0].inputs)
        gain = mean_of([run.gains[0].mean().item() for run in runs], "{:.2f}")
        blurred = mean_of([run.blurred.mean().item() for run in runs], "{:.2f}")
        reached = mean_of([reached_fraction(run) for run in runs], "{:.1%}")
        rows.append(
            (
                "photographs, EfficientNet-Lite0",
                way,
                f"{max(run.passes for run in runs)}",
                reached,
                f"{statistics.mean(run.own.mean().item() for run in runs):.2f}",
                blurred,
                f"log odds rise by {gain}",
                "",
                f"{255 * statistics.mean(run.change for run in runs):.1f}",
            )
        )
        if way in goals:
            least, least_blurred = goals[way]
            figures += [
                report.Figure(
                    f"photographs, {way}: Lite1's log odds rise by", gain, f"at least {least}"
                ),
                report.Figure(
                    f"photographs, {way}: own probability after a blur",
                    blurred,
                    f"at least {least_blurred}",
                ),
                report.Figure(f"photographs, {way}: reach {CONFIDENCE}", reached, "100%"),
            ]
    bar.close()
    picture.insert(0, sheet(shown, bounds, len(PAIRS), DRAWN_SIDE))
    return Found(figures, rows)


def sheet(
    rows: Sequence[Tensor], bounds: tuple[float, float], columns: int, side: int
) -> Image.Image:
    """A row of tiles for each batch of images (N, C, H, W), in colour."""
    low, high = bounds
    tiles = torch.stack([images[:columns].expand(-1, 3, -1, -1) for images in rows])
    tiles = functional.interpolate(tiles.flatten(0, 1), size=(side, side), mode="area")
    levels = ((tiles - low) / (high - low)).clamp(0, 1).mul(255).round().byte()
    grid = levels.unflatten(0, (len(rows), -1)).permute(0, 3, 1, 4, 2)
    return Image.fromarray(grid.reshape(len(rows) * side, -1, 3).numpy())


def draw(parts: Sequence[Image.Image], path: Path = PICTURE) -> None:
    """The sheets, one below another, in 192 colours."""
    whole = Image.new(
        "RGB", (max(image.width for image in parts), sum(image.height for image in parts))
    )
    top = 0
    for image in parts:
        whole.paste(image, (0, top))
        top += image.height
    whole.quantize(192).save(path, optimize=True)


def run() -> report.Section:
    """Measures digits, and photographs if their packages are there."""
    torch.manual_seed(0)
    picture: list[Image.Image] = []
    parts = [on_digits(picture), on_digits_by_a_transformer()]
    if missing := photos.missing():
        note = (
            f"Photographs were left out, because {', '.join(missing)} are missing: "
            f"`{photos.INSTALL}`."
        )
    else:
        parts.append(on_photographs(picture))
        note = (
            "Photographs, from left to right: "
            + ", ".join(f"{Path(name).stem} → {target}" for name, _, target in PAIRS)
            + "."
        )
    draw(picture)
    return report.Section(
        "Visible morphs",
        [figure for found in parts for figure in found.figures],
        (
            "images, network",
            "morphs",
            "passes a row",
            f"reach {CONFIDENCE}",
            "own probability",
            "the same, blurred",
            *(f"{judge} says the target" for judge in JUDGES),
            "mean change, of 255",
        ),
        [row for found in parts for row in found.rows],
        f"{DIGITS} test digits, each towards its second class. The table shows means over "
        f"{len(SEEDS)} seeds, with the lowest and highest in brackets. For digits each seed is "
        "another training of the network and of its judges. For photographs it draws other "
        "transformations. A judge is a network that takes no part in the ascent. A blur is the "
        "mean of 3×3 pixels.\n\n"
        f"{note} The rows of the picture are the originals, then the morphs in the order of the "
        "table.\n\n"
        f"![morphs]({PICTURE.name})",
    )


if __name__ == "__main__":
    found = run()
    report.show(found)
    report.update([found])
    report.quote([found])
