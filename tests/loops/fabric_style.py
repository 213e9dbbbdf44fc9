"""Digits, in the style of Lightning Fabric's example of an image classifier."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from lightning.fabric import Fabric, seed_everything
from torch.nn import functional as F  # noqa: N812  # as in the example
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

from testing.networks import digits
from tests.loops.mnist_example import Net


def run(hparams: Any) -> None:
    fabric = Fabric(accelerator="cpu", devices=1, precision=hparams.precision)
    seed_everything(hparams.seed, verbose=False)
    images, labels = digits()
    train_loader: Any = DataLoader(TensorDataset(images[:128], labels[:128]), 16)
    test_loader: Any = DataLoader(TensorDataset(images[128:192], labels[128:192]), 32)
    train_loader, test_loader = fabric.setup_dataloaders(train_loader, test_loader)
    model: Any = Net()
    optimizer: Any = torch.optim.Adadelta(model.parameters(), lr=hparams.lr)
    model, optimizer = fabric.setup(model, optimizer)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    for epoch in range(1, hparams.epochs + 1):
        model.train()
        for batch_idx, (data, target) in enumerate(train_loader):
            optimizer.zero_grad()
            output = model(data)
            loss = F.nll_loss(output, target)
            fabric.backward(loss)
            optimizer.step()
            if batch_idx % 4 == 0:
                print(f"Train Epoch: {epoch} [{batch_idx}] Loss: {loss.item():.6f}")
        scheduler.step()
        model.eval()
        with torch.no_grad():
            hits = sum(int((model(x).argmax(1) == y).sum()) for x, y in test_loader)
        print(f"Test set: {hits} correct")
    fabric.save("model.pt", model.state_dict())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fabric MNIST Example")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--precision", default="32-true")
    run(parser.parse_args())
