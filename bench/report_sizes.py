"""How large a report is: of 200 digits, and of 50 photographs with the hook's default records.

A trained network scans images with the hook's defaults, and ``report`` writes the file. The
photographs are squares of those that scikit-image ships. They and their network come as packages,
the extra ``photos``. Without them that row is left out.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from bench import report
from bench.workloads import test_digits, trained_cnn
from demo import photos
from demo.data import load_digits
from tb_gradascent import GradAscentHook, ProbabilityMargin
from tb_gradascent import report as write_report
from tb_gradascent.plugin.assets import Assets
from tb_gradascent.plugin.report_page import report_page

DIGITS = 200
PHOTOGRAPHS = 50
BATCH_SIZE = 10
CORNERS = tuple(itertools.product((0.0, 1.0), repeat=2))
SQUARES = ((1.0, 0.5, 0.5), *((0.7, *corner) for corner in CORNERS), (0.5, 0.5, 0.5), (0.6, 0.5, 0))
"""The part, x and y of :func:`demo.photos.photograph`."""


def photographs() -> Tensor:
    """Return squares of photographs as the network takes them, shape (50, 3, 224, 224)."""
    pairs = itertools.product(SQUARES, photos.PHOTOGRAPHS)
    chosen = itertools.islice(pairs, PHOTOGRAPHS)
    return torch.stack([photos.photograph(name, *square) for square, name in chosen])


def megabytes(model: nn.Module, images: Tensor, mean: float, std: float) -> float:
    """Record all images with the hook's defaults, and return the size of their report."""
    with tempfile.TemporaryDirectory() as folder:
        channels = images.shape[1]
        with GradAscentHook(
            model,
            folder,
            criterion=ProbabilityMargin(max_margin=1),
            mean=[mean] * channels,
            std=[std] * channels,
            strict=True,
        ) as hook:
            hook.scan([(part,) for part in images.split(BATCH_SIZE)], top_k=len(images))
        path = Path(folder, "report.html")
        count = write_report(folder, path)
        if count != len(images):
            raise RuntimeError(f"the report must hold {len(images)} samples, got {count}")
        return path.stat().st_size / 1e6


def run() -> report.Section:
    """Measure the report without samples, and those of digits and of photographs."""
    code = "code, bundled" if Assets().bundled else "code, without the bundle"
    kilobytes = len(report_page([]).encode()) / 1e3
    rows = [(code, f"{kilobytes:.0f} kB")]
    figures = [report.Figure(f"a report's {code}", rows[0][1], "at most 250 kB")]
    digits = load_digits()
    (mean,), (std,) = digits.mean, digits.std
    found = [
        (f"{DIGITS} digits", 3, megabytes(trained_cnn(), test_digits()[0][:DIGITS], mean, std))
    ]
    note = ""
    if absent := photos.missing():
        note = f"Photographs were left out: {', '.join(absent)} must be installed."
    else:
        size = megabytes(photos.efficientnet(0), photographs(), photos.PIXEL_MEAN, photos.PIXEL_STD)
        found.append((f"{PHOTOGRAPHS} photographs", 28, size))
    for what, goal, size in found:
        rows.append((what, f"{size:.1f} MB"))
        figures.append(report.Figure(f"a report of {what}", rows[-1][1], f"at most {goal} MB"))
    return report.Section("Size of a report", figures, ("report of", "size"), rows, note)


if __name__ == "__main__":
    report.show(run())
