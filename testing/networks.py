"""Small classifiers for the tests. The gradients of two of them are known by hand."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from testing.paths import ROOT

DIGITS = ROOT / "demo" / "data" / "mnist_subset.npz"
MEAN, STD = 0.1307, 0.3081


class Quadratic(nn.Module):
    """logit_c = a_c · x + b_c ‖x‖², so ∂logit_c/∂x = a_c + 2 b_c x."""

    def __init__(self, classes: int = 3, shape: tuple[int, ...] = (1, 4, 5)) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.a = nn.Parameter(torch.randn(classes, *shape, generator=generator))
        self.b = nn.Parameter(torch.randn(classes, generator=generator) / 10)

    def forward(self, x: Tensor) -> Tensor:
        linear = torch.einsum("nchw,kchw->nk", x, self.a)
        return linear + self.b * x.square().sum((1, 2, 3))[:, None]

    def gradient(self, x: Tensor, target: int) -> Tensor:
        """The gradient of the target's logit, solved by hand."""
        return (self.a[target] + 2 * self.b[target] * x).detach()


class Scaled(nn.Module):
    """logit_c = age · (a_c · x) + b_c, so ∂logit_c/∂x = age · a_c."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.a = nn.Parameter(torch.randn(3, 1, 4, 5, generator=generator))
        self.b = nn.Parameter(torch.randn(3, generator=generator))

    def forward(self, x: Tensor, age: Tensor, *, sign: int = 1) -> Tensor:
        assert age.shape[:1] == x.shape[:1]
        return sign * age * torch.einsum("nchw,kchw->nk", x, self.a) + self.b


def aged(count: int) -> tuple[Tensor, Tensor]:
    """Images, shape (count, 1, 4, 5), and their ages 1, 2, …, shape (count, 1)."""
    generator = torch.Generator().manual_seed(2)
    return torch.rand(count, 1, 4, 5, generator=generator), torch.arange(1.0, count + 1)[:, None]


def convolutional(channels: int = 1, classes: int = 10, seed: int = 0) -> nn.Sequential:
    """A convolutional network with batch norm and dropout, for images of any size."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(4),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(256, classes),
    )


def vision_transformer() -> Any:
    """A tiny ViT of Transformers."""
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=28,
        patch_size=7,
        num_channels=1,
    )
    config.num_labels = 10
    return ViTForImageClassification(config)


def digits(part: str = "train") -> tuple[Tensor, Tensor]:
    """Real digits: normalized images, float32, shape (N, 1, 28, 28), and labels, shape (N,).

    All tests of a process share these tensors. A test that writes to them copies them first.
    """
    images, labels = _digits(part)
    assert images._version == labels._version == 0, "a test has written to the shared digits"
    return images, labels


@functools.cache
def _digits(part: str) -> tuple[Tensor, Tensor]:
    with np.load(DIGITS) as data:
        images = torch.tensor(data[f"{part}_images"]).float().div(255)
        labels = torch.tensor(data[f"{part}_labels"]).long()
    return ((images - MEAN) / STD)[:, None], labels


def trained(seed: int = 0) -> nn.Module:
    """A :func:`convolutional` network that names nine of ten digits. A process trains it once."""
    model = _trained(seed)
    torch.manual_seed(seed)
    return copy.deepcopy(model)


@functools.cache
def _trained(seed: int) -> nn.Module:
    images, labels = digits()
    model = convolutional(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(50):
        rows = torch.randint(len(images), (64,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
        optimizer.step()
    return model
