"""Digits, in the style of Ignite's MNIST example."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Accuracy, Loss, RunningAverage
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from testing.networks import digits
from tests.loops.mnist_example import Net


def get_data_loaders(train_batch_size: int, val_batch_size: int) -> tuple[Any, Any]:
    loaders = []
    for part, size, batch in (("train", 128, train_batch_size), ("test", 64, val_batch_size)):
        images, labels = digits(part)
        loaders.append(DataLoader(TensorDataset(images[:size], labels[:size]), batch))
    return loaders[0], loaders[1]


def run(train_batch_size: int, val_batch_size: int, epochs: int, lr: float) -> None:
    torch.manual_seed(0)
    train_loader, val_loader = get_data_loaders(train_batch_size, val_batch_size)
    model = Net()
    optimizer = SGD(model.parameters(), lr=lr, momentum=0.8)
    criterion = nn.NLLLoss()
    trainer = create_supervised_trainer(model, optimizer, criterion)
    RunningAverage(output_transform=lambda loss: loss).attach(trainer, "loss")
    evaluator = create_supervised_evaluator(
        model, metrics={"accuracy": Accuracy(), "nll": Loss(criterion)}
    )

    @trainer.on(Events.EPOCH_COMPLETED)
    def log_validation_results(engine: Any) -> None:
        evaluator.run(val_loader)
        metrics = evaluator.state.metrics
        print(f"Validation Results - Epoch: {engine.state.epoch} {metrics['accuracy']:.2f}")

    trainer.run(train_loader, max_epochs=epochs)
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    run(16, 32, epochs=2, lr=0.05)
