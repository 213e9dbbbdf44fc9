"""Small networks, each with state that an extra pass could disturb. Inputs are (N, 1, 8, 8)."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

CLASSES = 4
SHAPE = (1, 8, 8)


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, CLASSES))


def dropout() -> nn.Sequential:
    flatten, first, tanh, last = plain()
    return nn.Sequential(flatten, first, tanh, nn.Dropout(0.5), last)


def batch_norm() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout2d(0.2),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, CLASSES),
    )


def frozen_batch_norm() -> nn.Sequential:
    model = batch_norm()
    model[1].eval().requires_grad_(False)
    return model


def normed(norm: Callable[[nn.Linear], nn.Module]) -> nn.Sequential:
    """A network whose weights are computed at each forward pass."""
    return nn.Sequential(
        nn.Flatten(), norm(nn.Linear(64, 12)), nn.Tanh(), norm(nn.Linear(12, CLASSES))
    )


def spectral_norm() -> nn.Sequential:
    return normed(parametrizations.spectral_norm)


def old_spectral_norm() -> nn.Sequential:
    """The older implementation, which keeps the computed weight as a plain attribute."""
    return normed(nn.utils.spectral_norm)


def weight_norm() -> nn.Sequential:
    return normed(parametrizations.weight_norm)


class InPlace(nn.Module):
    """Scales its input in place."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = dropout()

    def forward(self, x: Tensor) -> Tensor:
        x /= 2
        out: Tensor = self.inner(x)
        return out


class Counting(nn.Module):
    """Writes to buffers and replaces them at every forward pass, even in eval mode."""

    count: Tensor
    mean: Tensor
    last: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(64), persistent=False)
        self.register_buffer("last", None)
        self.inner = plain()

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.mean = self.mean.lerp(x.detach().flatten(1).mean(0), 0.1)
        self.last = x.detach()[0]
        out: Tensor = self.inner(x - self.mean.reshape(SHAPE)) / self.count.sqrt()
        return out


class Scriptable(nn.Module):
    """Writes a buffer at every forward pass. In eval mode it is the identity."""

    if TYPE_CHECKING:  # TorchScript reads annotations, and not as text
        count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return self.norm(x) if self.training else x


class Attributes(nn.Module):
    """Writes attributes that are not buffers, such as a hidden state for the next batch."""

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0
        self.total = torch.zeros(())
        self.hidden = torch.zeros(0, CLASSES)
        self.inner = plain()

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        self.total += x.detach().mean()
        out: Tensor = self.inner(x) + self.total / self.passes
        if len(self.hidden) == len(x):
            out = out + self.hidden
        self.hidden = out.detach() / 2
        self.classes_seen = out.argmax(1)
        return out


class Noisy(nn.Module):
    """Draws from every source of random numbers, even in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(1)
        self.numpys = np.random.default_rng(1)
        self.numpys_old = np.random.RandomState(1)
        self.pythons = random.Random(1)  # noqa: S311
        self.inner = plain()

    def forward(self, x: Tensor) -> Tensor:
        x = x + torch.randn_like(x) + torch.randn(x.shape, generator=self.generator)
        noise = random.gauss(0, 1) + np.random.standard_normal()  # noqa: NPY002
        noise += self.numpys.normal() + self.numpys_old.normal() + self.pythons.gauss(0, 1)
        out: Tensor = self.inner(x) * (1 + noise / 9)
        return out


class Recurrent(nn.Module):
    """Reads an image row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 6, num_layers=2, dropout=0.3, batch_first=True)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x[:, 0])
        out: Tensor = self.head(states[:, -1])
        return out


class Transformer(nn.Module):
    """A vision transformer of one layer, with dropout of attention."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, stride=4)
        self.position = nn.Parameter(torch.randn(4, 8) / 9)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.encoder(self.patches(x).flatten(2).mT + self.position)
        tokens, self.attention_map = self.attention(tokens, tokens, tokens)
        out: Tensor = self.head(tokens.mean(1))
        return out


class Tied(nn.Module):
    """Two layers share a weight, and two batch norms share their statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 64)
        self.second.weight = self.first.weight
        self.norms = nn.ModuleList([nn.BatchNorm1d(64), nn.BatchNorm1d(64)])
        self.norms[1].running_mean = self.norms[0].running_mean
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norms[0](self.first(x.flatten(1))).relu()
        out: Tensor = self.head(self.norms[1](self.second(x)))
        return out


class SelfAutocast(nn.Module):
    """Turns autocast on by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = dropout()

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            out: Tensor = self.inner(x)
        return out.float()


class Checkpointed(nn.Module):
    """Computes its activations again in the backward pass, with the same random state."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = dropout()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = checkpoint(self.inner, x, use_reentrant=False)
        return out


class Staged(nn.Module):
    """A stem, followed by another network."""

    def __init__(self, rest: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 1, 3, padding=1)
        self.rest = rest

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.rest(self.stem(x).relu())
        return out


def scripted() -> Any:
    return torch.jit.script(batch_norm())


def traced() -> Any:
    return torch.jit.trace(batch_norm(), torch.rand(2, *SHAPE), check_trace=False)


def compiled() -> Any:
    """Compiled without inductor, which is slow and needs a C++ compiler."""
    return torch.compile(batch_norm(), backend="aot_eager")


def compiled_region() -> nn.Module:
    return Staged(torch.compile(batch_norm(), backend="aot_eager"))  # type: ignore[arg-type]


def compiled_in_place() -> nn.Module:
    model = Staged(batch_norm())
    model.compile(backend="aot_eager")
    return model


def compiled_region_in_place() -> nn.Module:
    return Staged(compiled_in_place())
