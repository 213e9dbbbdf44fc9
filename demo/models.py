"""The demo's classifiers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from demo.optional import torchvision_module

NAMES = ("cnn", "resnet18")


class Noise(nn.Module):
    """Gaussian noise on the input in training mode. A capture runs in eval mode, without noise."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs, with noise in training mode."""
        return inputs + self.std * torch.randn_like(inputs) if self.training else inputs


def cnn(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return a network of two convolutions and a linear layer: 29,000 parameters on digits."""
    channels, height, width = shape
    return nn.Sequential(
        nn.Conv2d(channels, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (height // 4) * (width // 4), classes),
    )


def resnet18(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return torchvision's ResNet-18 with the usual stem for images of about 32 pixels."""
    models = torchvision_module("models", "--model resnet18")
    model: nn.Module = models.resnet18(num_classes=classes)
    model.conv1 = nn.Conv2d(shape[0], 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model


def make(name: str, shape: tuple[int, int, int], classes: int, *, noise: float = 0.0) -> nn.Module:
    """Return the model of this name, one of ``NAMES``, with noise on its inputs."""
    model = cnn(shape, classes) if name == "cnn" else resnet18(shape, classes)
    return nn.Sequential(Noise(noise), model) if noise else model
