"""An ordinary training loop with the hook."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from demo import models
from demo.data import Data
from tb_gradascent import GradAscentHook


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of one run.

    Attributes:
        model: One of ``demo.models.NAMES``.
        noise: The standard deviation of the noise on the inputs. That of the digits is 1.
        epochs: The number of passes over the training data.
        batch_size: The samples of one step.
        learning_rate: The learning rate of Adam.
        every: The steps from one capture to the next.
        seed: Determines the weights, the order of the data and the noise.
    """

    model: str = "cnn"
    noise: float = 0.0
    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 2e-3
    every: int = 20
    seed: int = 0


def train(data: Data, logdir: Path, settings: Settings) -> float:
    """Train a model and write captures and scalars to ``logdir``. Returns the test accuracy."""
    torch.manual_seed(settings.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    classes = len(data.class_names)
    model = models.make(settings.model, data.shape, classes, noise=settings.noise).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    loader = DataLoader(data.train, settings.batch_size, shuffle=True)
    probes, probe_labels, probe_ids = data.one_of_each_class()

    with (
        SummaryWriter(str(logdir)) as writer,
        GradAscentHook(
            model,
            writer,
            every=settings.every,
            max_overhead=None,
            class_names=data.class_names,
            mean=data.mean,
            std=data.std,
        ) as hook,
    ):
        hook.probe(probes.to(device), probe_labels.to(device), probe_ids)
        step = 0
        for epoch in range(1, settings.epochs + 1):
            for images, labels, rows in loader:
                inputs, labels = images.to(device), labels.to(device)  # noqa: PLW2901
                logits = model(inputs)
                loss = functional.cross_entropy(logits, labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

                hook(inputs, logits, labels, ids=[f"train/{row}" for row in rows.tolist()])

                if step % settings.every == 0:
                    writer.add_scalar("loss", loss.item(), step)
                step += 1
            print(f"{logdir}: epoch {epoch} of {settings.epochs}, loss {loss:.3f}", flush=True)
        accuracy = evaluate(model, data)
        writer.add_scalar("test accuracy", accuracy, step)
        print(f"{logdir}: test accuracy {accuracy:.2%}", flush=True)
    return accuracy


def evaluate(model: nn.Module, data: Data) -> float:
    """Return the fraction of test images whose prediction is their label."""
    device = next(model.parameters()).device
    model.eval()
    with torch.no_grad():
        correct = [
            (model(images.to(device)).argmax(1) == labels.to(device))
            for images, labels, _ in DataLoader(data.test, 500)
        ]
    model.train()
    return torch.cat(correct).float().mean().item()
