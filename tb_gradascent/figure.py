"""A sample as a figure of matplotlib, for papers and notebooks."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tb_gradascent.format.samples import Array, Morph, Sample, Target

PANEL = 1.8
"""Width and height of a panel, in inches."""


class SampleFigure(Figure):
    """A figure that a notebook shows, with and without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi)
        return buffer.getvalue()


def draw(sample: Sample, strength: float) -> SampleFigure:
    """Draw the image, and for each target the gradient, the morphs and the network's answers.

    Args:
        sample: What is drawn.
        strength: How much of each morph's change is added to the image.

    Returns:
        A figure with one row for each target.
    """
    morphs = list(dict.fromkeys(name for target in sample.targets for name in target.morphs))
    rows, columns = max(len(sample.targets), 1), 2 + 2 * len(morphs)
    figure = SampleFigure(figsize=(PANEL * columns, (PANEL + 0.35) * rows), layout="compressed")
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    figure.suptitle(_verdict(sample), fontsize="medium")
    _draw_image(grid[0, 0], sample, sample.image, "original")
    for row, target in zip(grid, sample.targets, strict=False):
        name = class_name(sample, target.index)
        _draw_gradient(row[1], target.gradient, f"gradient of {name}")
        for place, own in enumerate(morphs):
            if own in target.morphs:
                morph = target.morphs[own]
                point = at_strength(sample, morph, strength)
                _draw_image(row[2 + 2 * place], sample, point, f"{own}, {name}")
                _draw_response(row[3 + 2 * place], sample, target, morph, strength)
    return figure


def class_name(sample: Sample, index: int) -> str:
    """Return the name of a class, or its number if it has none."""
    names = sample.class_names
    return names[index] if names and 0 <= index < len(names) else str(index)


def at_strength(sample: Sample, morph: Morph, strength: float) -> Array:
    """Return the image at a strength, clipped to the sample's bounds, as the network saw it."""
    point = sample.image + np.float32(strength) * morph.delta
    if sample.bounds is not None:
        low, high = (_for_channels(np.array(values), point) for values in sample.bounds)
        point = point.clip(low, high)
    return np.asarray(point, np.float32)


def brightness(sample: Sample, values: Array) -> Array:
    """Return an image of model space as a person would see it: from 0 (black) to 1 (white)."""
    if sample.mean is not None and sample.std is not None:
        std, mean = (_for_channels(np.array(each), values) for each in (sample.std, sample.mean))
        shown = values * std + mean
    else:
        low, high = sample.bounds or ((float(sample.image.min()),), (float(sample.image.max()),))
        shown = (values - min(low)) / ((max(high) - min(low)) or 1)
    return shown.clip(0, 1).astype(np.float32)


def _for_channels(numbers: Array, values: Array) -> Array:
    return numbers.astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))


def _verdict(sample: Sample) -> str:
    chances = zip(sample.classes[:2], sample.probabilities, strict=False)
    told = ", ".join(
        f"{class_name(sample, index)} ({100 * chance:.0f} %)" for index, chance in chances
    )
    label = "" if sample.label is None else f"; labelled {class_name(sample, sample.label)}"
    return f"predicts {told}{label}"


def _draw_image(axes: Axes, sample: Sample, values: Array, title: str) -> None:
    """Draw an image in its colours, or a signal as lines."""
    axes.set_title(title, fontsize="small")
    if values.ndim == 2:
        axes.plot(values.T, linewidth=0.8)
        low, high = sample.image.min(), sample.image.max()
        axes.set_ylim(low - 0.1 * (high - low) - 1e-6, high + 0.1 * (high - low) + 1e-6)
        return
    shown = brightness(sample, values)
    if len(shown) < 3:
        axes.imshow(shown.mean(0), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        axes.imshow(shown[:3].transpose(1, 2, 0), interpolation="nearest")


def _draw_gradient(axes: Axes, gradient: Array, title: str) -> None:
    """Draw the sum over the channels, red where a brighter pixel raises the score."""
    axes.set_title(title, fontsize="small")
    if gradient.ndim == 2:
        axes.plot(gradient.T, linewidth=0.8)
        return
    total = gradient.sum(0)
    end = float(np.abs(total).max()) or 1.0
    axes.imshow(total, cmap=mpl.colormaps["RdBu_r"], vmin=-end, vmax=end, interpolation="nearest")


def _draw_response(
    axes: Axes, sample: Sample, target: Target, morph: Morph, strength: float
) -> None:
    """Draw the probabilities of the target and of the original class along the morph."""
    axes.set_axis_on()
    axes.plot(morph.strengths, morph.probabilities, label=class_name(sample, target.index))
    original = class_name(sample, int(sample.classes[0]))
    axes.plot(morph.strengths, morph.original_probabilities, "--", label=original)
    axes.axvline(strength, color="0.6", linewidth=0.8)
    axes.set_ylim(-0.03, 1.03)
    axes.set_box_aspect(1)
    axes.tick_params(labelsize="x-small")
    axes.set_title("probability", fontsize="small")
    axes.legend(fontsize="x-small", loc="center right")
