"""How many bytes a sample takes in the event file: ours, and the alternatives'.

Each way logs the same four images, with two classes each, to its own event file. The file's size is
divided by four. Ours comes from a hook at its defaults, with scalars. The network of the digits is
trained, the others are not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from tqdm.auto import tqdm

from bench import report
from bench.alternatives import captum_images, tutorial_figures
from bench.workloads import photographs, resnet18, test_digits, trained_cnn
from tb_gradascent import GradAscentHook, ProbabilityMargin

SAMPLES = 4


def captured(folder: Path, model: nn.Module, images: Tensor) -> None:
    """By the hook."""
    criterion = ProbabilityMargin(max_margin=1)
    with (
        GradAscentHook(model, folder, every=1, top_k=SAMPLES, criterion=criterion) as hook,
        torch.no_grad(),
    ):
        hook(images, model(images))


def logged(
    way: Callable[[SummaryWriter, nn.Module, Tensor, int], None],
) -> Callable[[Path, nn.Module, Tensor], None]:
    """By one of the alternatives."""

    def log(folder: Path, model: nn.Module, images: Tensor) -> None:
        with SummaryWriter(str(folder)) as writer:
            way(writer, model, images, 0)

    return log


WAYS = {
    "ours": captured,
    "tutorial's figures": logged(tutorial_figures),
    "captum, add_images": logged(captum_images),
}


def subjects() -> list[tuple[Tensor, nn.Module]]:
    """Images of three shapes, each with a network."""
    digits = test_digits()[0][:SAMPLES]
    small, large = (photographs(SAMPLES, (3, side, side)) for side in (32, 224))
    return [(digits, trained_cnn()), (small, resnet18()), (large, resnet18(large=True))]


def run() -> report.Section:
    """Measures all shapes."""
    torch.manual_seed(0)
    rows, figures = [], []
    for images, model in tqdm(subjects(), desc="sizes", leave=False, disable=None):
        shape = "×".join(map(str, images.shape[1:]))
        sizes = [bytes_of(way, model, images) / SAMPLES for way in WAYS.values()]
        rows.append((shape, *(f"{size / 1e3:.1f}" for size in sizes)))
        goal = {28: "at most 6 kB", 224: "at most 400 kB"}.get(images.shape[-1], "")
        figures.append(
            report.Figure(f"bytes a sample of {shape}", f"{sizes[0] / 1e3:.1f} kB", goal)
        )
    return report.Section(
        "Bytes a sample", figures, ("shape", *(f"{way}, kB" for way in WAYS)), rows, "kB are 1,000."
    )


def bytes_of(
    way: Callable[[Path, nn.Module, Tensor], None], model: nn.Module, images: Tensor
) -> int:
    """How many bytes a way writes for some images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        way(folder, model, images)
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    report.show(run())
