"""Digits, in the style of timm's training script: mixup, soft targets, an average, validation."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

from testing.networks import convolutional, digits


class Mixup:
    """Mixes each image with the one at the other end of the batch, and their targets."""

    def __init__(self, alpha: float, num_classes: int) -> None:
        self.beta = torch.distributions.Beta(alpha, alpha)
        self.num_classes = num_classes

    def __call__(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        lam = self.beta.sample().item()
        one_hot = nn.functional.one_hot(target, self.num_classes).float()
        return x * lam + x.flip(0) * (1 - lam), one_hot * lam + one_hot.flip(0) * (1 - lam)


class SoftTargetCrossEntropy(nn.Module):
    """timm's loss for mixed targets."""

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return torch.sum(-target * x.log_softmax(-1), dim=-1).mean()


def train_one_epoch(
    epoch: int, model: nn.Module, loader: Any, optimizer: Any, model_ema: Any, args: Any
) -> None:
    model.train()
    mixup_fn = Mixup(args.mixup, 10) if args.mixup else None
    loss_fn = SoftTargetCrossEntropy() if args.mixup else nn.CrossEntropyLoss()
    for batch_idx, (input, target) in enumerate(loader):  # noqa: A001
        given = mixup_fn(input, target) if mixup_fn else (input, target)
        output = model(given[0])
        loss = loss_fn(output, given[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model_ema.update_parameters(model)
        if batch_idx % 8 == 0:
            print(f"Train: {epoch} [{batch_idx}/{len(loader)}]  Loss: {loss.item():.3g}")


def validate(model: nn.Module, loader: Any) -> dict[str, float]:
    model.eval()
    hits = total = 0
    with torch.inference_mode():
        for input, target in loader:  # noqa: A001
            output = model(input)
            hits += int((output.argmax(1) == target).sum())
            total += len(target)
    return {"top1": 100 * hits / total}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mixup", type=float, default=0.0)
    parser.add_argument("--epochs", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(0)
    loaders = {}
    for part, size in (("train", 256), ("test", 128)):
        images, labels = digits(part)
        loaders[part] = DataLoader(TensorDataset(images[:size], labels[:size]), 16)
    model = convolutional()
    model_ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    evaluate = validate
    for epoch in range(args.epochs):
        train_one_epoch(epoch, model, loaders["train"], optimizer, model_ema, args)
        print(evaluate(model, loaders["test"]), validate(model_ema.module, loaders["test"]))
    torch.save({"model": model.state_dict(), "ema": model_ema.module.state_dict()}, "model.pt")


if __name__ == "__main__":
    main()
