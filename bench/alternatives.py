"""What one would use instead: the tutorial's figures, and captum with ``add_images``.

Both are given the samples, and have to do the rest in the loop.
"""

from __future__ import annotations

from typing import cast

import matplotlib as mpl
import torch
from captum.attr import Saliency  # type: ignore[import-untyped]
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

mpl.use("Agg")


def tutorial_figures(writer: SummaryWriter, model: nn.Module, images: Tensor, step: int) -> None:
    """A figure of five panels a sample, as Falcon and Canziani's tutorial draws them.

    The image, its gradients towards the two most probable classes, and the image plus twice each of
    them, 15×10 inches with colour bars. The gradients come from ``backward``, as there; but here
    each image gets its own.
    """
    from matplotlib import pyplot

    model.eval()
    with torch.no_grad():
        targets = model(images).topk(2, 1).indices
    gradients = [_backward(model, images, targets[:, place]) for place in (0, 1)]
    model.train()
    for row, image in enumerate(images):
        figure, axes = pyplot.subplots(2, 3, figsize=(15, 10))
        _panel(figure, axes[0, 0], image, "original")
        for place, gradient in enumerate(gradients, 1):
            target = targets[row, place - 1].item()
            _panel(figure, axes[0, place], gradient[row], f"gradient of {target}")
            _panel(figure, axes[1, place], image + 2 * gradient[row], f"towards {target}")
        axes[1, 0].axis("off")
        writer.add_figure(f"confused/{row}", figure, step)


def captum_images(writer: SummaryWriter, model: nn.Module, images: Tensor, step: int) -> None:
    """The images, and captum's saliency maps for the two most probable classes, side by side."""
    model.eval()
    with torch.no_grad():
        targets = model(images).topk(2, 1).indices
    saliency = Saliency(model)
    writer.add_images("confused/original", _stretched(images), step)
    for place in (0, 1):
        maps = saliency.attribute(images.clone().requires_grad_(), target=targets[:, place])
        writer.add_images(f"confused/saliency {place}", _stretched(maps), step)
    model.train()


def _backward(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    images = images.clone().requires_grad_()
    model(images).gather(1, targets[:, None]).sum().backward()
    return cast("Tensor", images.grad)


def _panel(figure: Figure, axes: Axes, image: Tensor, title: str) -> None:
    shown = _stretched(image[None])[0].cpu()
    drawn = axes.imshow(shown.squeeze(0) if len(shown) == 1 else shown.permute(1, 2, 0))
    figure.colorbar(drawn, ax=axes)
    axes.set_title(title)


def _stretched(images: Tensor) -> Tensor:
    """Each of (N, channels, height, width) from 0 to 1."""
    flat = images.detach().flatten(1)
    low, high = flat.amin(1)[:, None, None, None], flat.amax(1)[:, None, None, None]
    return (images.detach() - low) / (high - low).clamp_min(1e-12)
