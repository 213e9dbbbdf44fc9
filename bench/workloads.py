"""What the benchmarks work on: the demo's digits, made-up photographs, networks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from demo import models
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


def trained(
    network: Callable[[], nn.Module],
    epochs: int = 5,
    *,
    seed: int = 0,
    label_smoothing: float = 0.0,
) -> nn.Module:
    """A network trained on the demo's digits; in eval mode."""
    torch.manual_seed(seed)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    batches = digit_batches()
    for _ in range(epochs):
        for batch in torch.randperm(len(batches)).tolist():
            images, labels = batches[batch]
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images), labels, label_smoothing=label_smoothing)
            loss.backward()
            optimizer.step()
    return model.eval().requires_grad_(False)


def digits_cnn() -> nn.Module:
    """The demo's network, not trained."""
    return models.cnn((1, 28, 28), 10)


def trained_cnn(epochs: int = 5) -> nn.Module:
    """The demo's network, trained on the demo's digits to 97 % or more; in eval mode."""
    return trained(digits_cnn, epochs)


def test_digits() -> tuple[Tensor, Tensor]:
    """The demo's 2,000 test digits, images (2000, 1, 28, 28) normalised, and labels."""
    test = load_digits().test
    images, labels, _ = zip(*(test[row] for row in range(2000)), strict=True)
    return torch.stack(images), torch.stack(labels)


def photographs(count: int, shape: tuple[int, int, int]) -> Tensor:
    """Made-up colour images whose spectrum falls as that of photographs, 1/f, in 256 levels.

    Shape (count, channels, height, width), with the mean and deviation that a ``Normalize`` leaves.
    """
    generator = torch.Generator().manual_seed(0)
    channels, height, width = shape
    frequencies = torch.hypot(
        torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    ).clamp_min(1 / max(height, width))
    noise = torch.fft.rfft2(torch.randn(count, channels, height, width, generator=generator))
    images = torch.fft.irfft2(noise / frequencies, s=(height, width))
    # Channels of photographs have most of their variation in common.
    images = 0.8 * images.mean(1, keepdim=True) * channels**0.5 + 0.2 * images
    images = images / images.std((1, 2, 3), keepdim=True)
    levels = (images * 60 + 120).clamp(0, 255).round()
    normalised: Tensor = (levels / 255 - 0.47) / 0.24
    return normalised


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


def resnet18(classes: int = 10, *, large: bool = False) -> nn.Sequential:
    """ResNet-18, with the stem that is usual for 3×32×32, or with that for large images."""
    size, stride = (7, 2) if large else (3, 1)
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
    ]
    if large:
        layers.append(nn.MaxPool2d(3, 2, 1))
    channels = 64
    for width in (64, 128, 256, 512):
        layers += [Block(channels, width, 1 if width == 64 else 2), Block(width, width, 1)]
        channels = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)
    )


class VisionTransformer(nn.Module):
    """Patches of 4×4 as tokens (Dosovitskiy et al., arXiv:2010.11929), small: 0.8 M parameters."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        width, depth = 128, 4
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.position = nn.Parameter(torch.randn(64, width) / 50)  # of images 32 pixels wide
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (N, classes)."""
        tokens = self.patches(x).flatten(2).mT + self.position
        logits: Tensor = self.head(self.encoder(tokens).mean(1))
        return logits


class DigitsTransformer(nn.Module):
    """A vision transformer for digits: patches of 7×7 as tokens; 140,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        width = 64
        self.patches = nn.Conv2d(1, width, 7, stride=7)
        self.position = nn.Parameter(torch.randn(16, width) / 50)
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, 4, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (N, 10)."""
        tokens = self.patches(x).flatten(2).mT + self.position
        logits: Tensor = self.head(self.encoder(tokens).mean(1))
        return logits
