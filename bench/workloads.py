"""What is trained while the cost is measured: the demo's digits in batches, and a ResNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from demo.data import load_digits

BATCH_SIZE = 64


def digit_batches(count: int | None = None) -> list[tuple[Tensor, Tensor]]:
    """Images (64, 1, 28, 28) and labels of the demo's training digits; all, or some batches."""
    train = load_digits().train
    images, labels, _ = zip(
        *(train[row] for row in range(10_000 if count is None else count * BATCH_SIZE)), strict=True
    )
    batched = (torch.stack(images).split(BATCH_SIZE), torch.stack(labels).split(BATCH_SIZE))
    return list(zip(*batched, strict=True))


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut (He et al., arXiv:1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.last = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, shape (N, outputs, H / stride, W / stride)."""
        out: Tensor = self.last(self.body(x) + self.shortcut(x))
        return out


def resnet18(classes: int = 10) -> nn.Sequential:
    """ResNet-18 with the stem that is usual for 3×32×32."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 3, 1, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
    ]
    channels = 64
    for width in (64, 128, 256, 512):
        layers += [Block(channels, width, 1 if width == 64 else 2), Block(width, width, 1)]
        channels = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)
    )
