"""Small pictures, in the style of airbench: an own loader, a fixed first layer, averages, TTA."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as in the script

from testing.networks import digits


class CifarLoader:
    """All images in one tensor, flipped and shifted by whole batches."""

    def __init__(self, part: str, batch_size: int, size: int, *, aug: bool) -> None:
        images, labels = digits(part)
        self.images = images[:size].expand(-1, 3, -1, -1).contiguous()
        self.images = self.images.to(memory_format=torch.channels_last)
        self.labels = labels[:size]
        self.batch_size = batch_size
        self.aug = aug

    def __len__(self) -> int:
        return len(self.images) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        images = self.images
        if self.aug:
            images = torch.where(
                (torch.rand(len(images)) < 0.5)[:, None, None, None], images.flip(-1), images
            )
        indices = (torch.randperm if self.aug else torch.arange)(len(images))
        for i in range(len(self)):
            rows = indices[i * self.batch_size : (i + 1) * self.batch_size]
            yield images[rows], self.labels[rows]


class Mul(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class ConvGroup(nn.Module):
    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding="same", bias=False)
        self.pool = nn.MaxPool2d(2)
        self.norm1 = nn.BatchNorm2d(channels_out, momentum=0.4)
        self.norm1.weight.requires_grad = False
        self.activ = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.activ(self.norm1(self.pool(self.conv1(x))))
        return output


def make_net() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 2, padding=0, bias=True),
        nn.GELU(),
        ConvGroup(8, 16),
        ConvGroup(16, 16),
        nn.MaxPool2d(3),
        nn.Flatten(),
        nn.Linear(64, 10, bias=False),
        Mul(1 / 9),
    )
    net[0].weight.requires_grad = False
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class LookaheadState:
    """The slow weights that the fast ones are pulled to."""

    def __init__(self, net: nn.Module) -> None:
        self.net_ema = {k: v.clone() for k, v in net.state_dict().items()}

    def update(self, net: nn.Module, decay: float) -> None:
        for ema_param, net_param in zip(
            self.net_ema.values(), net.state_dict().values(), strict=True
        ):
            if net_param.is_floating_point():
                ema_param.lerp_(net_param, 1 - decay)
                net_param.copy_(ema_param)


def infer(model: nn.Module, loader: CifarLoader) -> Tensor:
    """Return the logits by test-time augmentation: each image and its mirror image."""
    model.eval()
    with torch.no_grad():
        return torch.cat([0.5 * model(x) + 0.5 * model(x.flip(-1)) for x, _ in loader])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    train_loader = CifarLoader("train", 32, 256, aug=True)
    test_loader = CifarLoader("test", 32, 64, aug=False)
    model: Any = make_net()
    lookahead_state = LookaheadState(model)
    step_fn: Any = torch.compile(model, backend="aot_eager") if args.compile else model
    norm_biases = [p for k, p in model.named_parameters() if "norm" in k and p.requires_grad]
    other = [p for k, p in model.named_parameters() if "norm" not in k and p.requires_grad]
    param_configs = [{"params": norm_biases, "lr": 0.1}, {"params": other, "lr": 0.05}]
    optimizer = torch.optim.SGD(param_configs, momentum=0.85, nesterov=True)
    current_steps, total_steps = 0, 2 * len(train_loader)
    while current_steps < total_steps:
        model.train()
        for inputs, labels in train_loader:
            outputs = step_fn(inputs)
            loss = F.cross_entropy(outputs, labels, label_smoothing=0.2, reduction="none").sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            current_steps += 1
            if current_steps % 5 == 0:
                lookahead_state.update(model, decay=0.95)
        print(infer(model, test_loader).argmax(1).eq(test_loader.labels).float().mean())
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
