"""What stands for a reader's own things in the blocks of the README and of ``docs/``."""

from __future__ import annotations

from typing import Any

import lightning.pytorch
import torch
from ignite.engine import create_supervised_trainer
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from transformers import TrainingArguments

from testing.networks import convolutional, digits, vision_transformer


class Module(lightning.pytorch.LightningModule):
    """As Lightning's tutorials write it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = convolutional()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        images, labels = batch
        return functional.cross_entropy(self.net(images), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters())


class TwoInputs(nn.Module):
    """A classifier that knows a number beside the image."""

    def __init__(self) -> None:
        super().__init__()
        self.net = convolutional()

    def forward(self, image: Tensor, age: Tensor) -> Tensor:
        logits: Tensor = self.net(image) * age[:, None]
        return logits


def names() -> dict[str, Any]:
    """A fresh set of them, by name."""
    images, labels = digits()
    rows = slice(128)
    dataset = TensorDataset(images[rows], labels[rows])
    model = convolutional()
    optimizer = torch.optim.Adam(model.parameters())
    return {
        "F": functional,
        "torch": torch,
        "model": model,
        "optimizer": optimizer,
        "loader": DataLoader(dataset, 16),
        "validation_loader": DataLoader(dataset, 32),
        "resumed_at": 40,
        "model_of_two_inputs": TwoInputs(),
        "dictionaries": [{"image": images[rows], "age": labels[rows] / 2, "label": labels[rows]}],
        "linear_model": nn.Linear(784, 10),
        "module": Module(),
        "image_classifier": vision_transformer(),
        "arguments": TrainingArguments(
            "trained", max_steps=2, report_to="tensorboard", use_cpu=True, disable_tqdm=True
        ),
        "dataset": [
            {"pixel_values": image, "labels": label}
            for image, label in zip(images[rows], labels[rows], strict=True)
        ],
        "trainer": create_supervised_trainer(model, optimizer, functional.cross_entropy),
    }
