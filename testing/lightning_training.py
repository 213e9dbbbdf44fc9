"""A small training by Lightning's Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from testing.networks import convolutional, digits

BATCH, BATCHES = 16, 12


class Classifier(lightning.pytorch.LightningModule):
    """A LightningModule as the tutorials write it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = convolutional()
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return self.criterion(self(x), y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("accuracy", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-3)


def data(part: str = "train") -> DataLoader[Any]:
    images, labels = digits(part)
    rows = slice(BATCH * BATCHES)
    return DataLoader(TensorDataset(images[rows], labels[rows]), BATCH)


def fit(
    module: Any,
    folder: Path,
    callback: Any,
    *,
    package: Any = lightning.pytorch,
    loader: Any = None,
    checkpoint: str | None = None,
    **options: Any,
) -> Any:
    """Train with logs in ``folder/digits/run``, and return the Trainer."""
    torch.manual_seed(3)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    logger = package.loggers.TensorBoardLogger(folder, "digits", "run")
    options = {"max_epochs": 1, "logger": logger, "enable_checkpointing": False} | options
    trainer = package.Trainer(
        accelerator="cpu",
        callbacks=[callback] if callback else [],
        default_root_dir=folder,
        **(quiet | options),
    )
    trainer.fit(module, loader or data(), data("test"), ckpt_path=checkpoint)
    return trainer
