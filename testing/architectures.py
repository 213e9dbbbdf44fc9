"""Small classifiers of many designs, each with another trap for a tool that asks it questions.

Images are (N, 1, 8, 8) unless a class says otherwise, and there are ``CLASSES`` classes. Random
weights come from the caller's seed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from testing.zoo import CLASSES, plain


class Block(nn.Module):
    """Adds what another module returns to its input."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.inner(x)
        return out


def head(channels: int = 8) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, CLASSES))


def group_norm() -> nn.Module:
    conv = nn.Conv2d(1, 8, 3, padding=1)
    return nn.Sequential(conv, nn.GroupNorm(4, 8), nn.SiLU(), head())


def layer_norm() -> nn.Module:
    conv = nn.Conv2d(1, 8, 3, padding=1)
    return nn.Sequential(conv, nn.LayerNorm([8, 8, 8]), nn.GELU(), head())


def instance_norm() -> nn.Module:
    conv = nn.Conv2d(1, 8, 3, padding=1)
    return nn.Sequential(conv, nn.InstanceNorm2d(8, affine=True), nn.ELU(), head())


def residual() -> nn.Module:
    conv = nn.Conv2d(8, 8, 3, padding=1)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        Block(nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), conv)),
        head(),
    )


def batch_statistics() -> nn.Module:
    """Batch norm that uses the statistics of its batch in eval mode, too."""
    norm = nn.BatchNorm2d(8, track_running_stats=False)
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), norm, nn.Tanh(), head())


def batch_statistics_of_vectors() -> nn.Module:
    """As :func:`batch_statistics`, but it cannot be asked about one image."""
    norm = nn.BatchNorm1d(12, track_running_stats=False)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), norm, nn.Tanh(), nn.Linear(12, CLASSES))


def softmax() -> nn.Module:
    return nn.Sequential(plain(), nn.Softmax(1))


def sigmoid() -> nn.Module:
    return nn.Sequential(plain(), nn.Sigmoid())


def log_softmax() -> nn.Module:
    return nn.Sequential(plain(), nn.LogSoftmax(1))


def one_logit() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, 1))


def one_sigmoid() -> nn.Module:
    return nn.Sequential(one_logit(), nn.Sigmoid())


def one_flat_logit() -> nn.Module:
    return nn.Sequential(one_logit(), nn.Flatten(0))


def signals() -> nn.Module:
    """A network of signals (N, 2, 32)."""
    return nn.Sequential(
        nn.Conv1d(2, 8, 5),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(4),
        nn.Flatten(),
        nn.Linear(32, CLASSES),
    )


def segments() -> nn.Module:
    """Logits for each pixel, (N, classes, 8, 8)."""
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, CLASSES, 1))


class SqueezeExcite(nn.Module):
    """Weights each channel by what all of them hold."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.gate = nn.Sequential(nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 8), nn.Sigmoid())
        self.head = head()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        out: Tensor = self.head(x * self.gate(x.mean((2, 3)))[:, :, None, None])
        return out


class ClassToken(nn.Module):
    """A vision transformer that reads its class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.position = nn.Parameter(torch.randn(5, 8) / 3)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).mT
        tokens = torch.cat((self.token.expand(len(x), 1, 8), tokens), 1)
        out: Tensor = self.head(self.encoder(tokens + self.position)[:, 0])
        return out


class Mixer(nn.Module):
    """Mixes the patches, and then the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 2, stride=2)
        self.tokens = nn.Sequential(nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 16))
        self.channels = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.norms = nn.ModuleList([nn.LayerNorm(8), nn.LayerNorm(8)])
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).mT
        x = x + self.tokens(self.norms[0](x).mT).mT
        out: Tensor = self.head((x + self.channels(self.norms[1](x))).mean(1))
        return out


class Dense(nn.Module):
    """Each layer reads what all layers before it returned."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, 4, 3, padding=1))
            for n in (4, 8, 12)
        )
        self.stem, self.head = nn.Conv2d(1, 4, 3, padding=1), head(16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat((x, layer(x)), 1)
        out: Tensor = self.head(x)
        return out


class Inception(nn.Module):
    """Branches, and an auxiliary output that it returns in training mode only."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv2d(1, 4, n, padding=n // 2) for n in (1, 3, 5))
        self.aux, self.head = head(12), head(12)

    def forward(self, x: Tensor) -> Any:
        x = torch.cat([branch(x) for branch in self.branches], 1).relu()
        return (self.head(x), self.aux(x)) if self.training else self.head(x)


class StochasticDepth(nn.Module):
    """In training mode, some rows skip the block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.block, self.head = nn.Conv2d(8, 8, 3, padding=1), head()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        kept = torch.ones(len(x), 1, 1, 1)
        if self.training:
            kept = torch.bernoulli(kept * 0.6) / 0.6
        out: Tensor = self.head(x + kept * self.block(x))
        return out


class Several(nn.Module):
    """Returns several tensors: see ``form``."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh())
        self.head, self.other = nn.Linear(12, CLASSES), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Any:
        features = self.body(x)
        logits = self.head(features)
        if self.form == "features, logits":
            return features, logits
        if self.form == "logits, probabilities":
            return logits, logits.softmax(1)
        if self.form == "loss, logits":
            return logits.square().mean(), logits
        other = self.other(features)
        if self.form == "dictionary":
            return {"logits": logits, "parity": other}
        return {"digit": logits, "parity": other}


class BatchAttention(nn.Module):
    """Each row attends to the rows beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(64, 12), nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.body(x.flatten(1)).tanh()
        out: Tensor = self.head(rows + 2 * (rows @ rows.T).softmax(1) @ rows)
        return out


class BatchMean(nn.Module):
    """Subtracts the mean image of its batch, so that one image alone is black."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = plain()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x - x.mean(0))
        return out


class Preceded(nn.Module):
    """A function of the images, and then a plain network."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function, self.inner = function, plain()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(self.function(x))
        return out


def straight_through() -> nn.Module:
    return Preceded(lambda x: x + ((2 * x).round() / 2 - x).detach())


def rounded() -> nn.Module:
    return Preceded(lambda x: (2 * x).round() / 2)


def always_dropout() -> nn.Module:
    return Preceded(lambda x: nn.functional.dropout(x, 0.3))


def without_graph() -> nn.Module:
    return Preceded(lambda x: x.detach())


def standardised() -> nn.Module:
    """Each image is normalised by its own mean and deviation."""
    return Preceded(lambda x: (x - x.mean((1, 2, 3), True)) / (x.std((1, 2, 3), keepdim=True)))


def permuted() -> nn.Module:
    """Works channels last inside."""
    return Preceded(lambda x: x.permute(0, 2, 3, 1).contiguous())


def fourier() -> nn.Module:
    return Preceded(lambda x: torch.fft.fft2(x, norm="ortho").abs())


def bytes_inside() -> nn.Module:
    """Takes bytes."""
    return Preceded(lambda x: (x.float() - 127) / 60)


def noisy_in_training() -> nn.Module:
    class Augmented(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.randn_like(x) / 5 if self.training else x

    return nn.Sequential(Augmented(), plain())


class ChannelsLast(nn.Module):
    """Takes images (N, 8, 8, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 8, 3, padding=1), head()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.conv(x.permute(0, 3, 1, 2)).relu())
        return out


class ComplexLayer(nn.Module):
    """Complex weights in the frequency domain."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 8, 5, dtype=torch.complex64))
        self.head = head(4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.fft.irfft2(torch.fft.rfft2(x) * self.weight, s=(8, 8))
        out: Tensor = self.head(x.tanh())
        return out


class Capsules(nn.Module):
    """The logit of a class is the length of a vector that is squashed to below one."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors = nn.Linear(64, 3 * CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        vectors = self.vectors(x.flatten(1)).unflatten(1, (CLASSES, 3))
        length = vectors.square().sum(2)
        out: Tensor = 5 * length / (1 + length)
        return out


class Cosine(nn.Module):
    """The logits are scaled cosines with the weights of the classes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(64, 12)
        self.weight = nn.Parameter(torch.randn(CLASSES, 12))

    def forward(self, x: Tensor) -> Tensor:
        features = nn.functional.normalize(self.body(x.flatten(1)).tanh())
        return 4 * nn.functional.linear(features, nn.functional.normalize(self.weight))


class Maxout(nn.Module):
    """Each feature is the largest of three."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces, self.head = nn.Linear(64, 36), nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.pieces(x.flatten(1)).unflatten(1, (12, 3)).amax(2))
        return out


class AttentionPooling(nn.Module):
    """Averages the patches with weights that depend on them."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.score = nn.Conv2d(1, 8, 2, stride=2), nn.Linear(8, 1)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).mT.tanh()
        out: Tensor = self.head((self.score(tokens).softmax(1) * tokens).sum(1))
        return out


class Mixture(nn.Module):
    """Each image goes to the one expert that a gate chooses."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(64, 3)
        self.experts = nn.ModuleList(nn.Linear(64, CLASSES) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        best, chosen = self.gate(x).softmax(1).max(1)
        answers = torch.stack([expert(x) for expert in self.experts], 1)
        out: Tensor = best[:, None] * answers[torch.arange(len(x)), chosen]
        return out


class RunningMean(nn.Module):
    """Subtracts a running mean that every pass moves, in eval mode, too."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 8, 8))
        self.inner = plain()

    def forward(self, x: Tensor) -> Tensor:
        self.mean.lerp_(x.detach().mean(0), 0.3)
        out: Tensor = self.inner(x - self.mean)
        return out


class FrozenBackbone(nn.Module):
    """A backbone under ``torch.no_grad()``."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(64, 12), nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.body(x.flatten(1)).tanh()
        out: Tensor = self.head(x)
        return out


class Unknown(torch.autograd.Function):
    """A function without a backward pass, like many extensions in C++."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        return x.abs()


def no_backward() -> nn.Module:
    return Preceded(Unknown.apply)
