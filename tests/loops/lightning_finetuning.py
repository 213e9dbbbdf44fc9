"""Digits, in the style of Lightning's example of fine-tuning: a frozen part is set free later."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import BaseFinetuning
from torch import Tensor, nn, optim
from torch.nn import functional as F  # noqa: N812  # as in the example
from torch.utils.data import DataLoader, TensorDataset

from testing.networks import convolutional, digits


class MilestonesFinetuning(BaseFinetuning):
    """Trains the classifier alone at first, then the feature extractor too."""

    def freeze_before_training(self, pl_module: Any) -> None:
        self.freeze(pl_module.feature_extractor, train_bn=False)

    def finetune_function(self, pl_module: Any, epoch: int, optimizer: Any) -> None:
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.feature_extractor, optimizer, train_bn=True)


class TransferLearningModel(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        network = convolutional()
        self.feature_extractor = network[:-2]
        self.fc = nn.Sequential(nn.Dropout(0.3), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.feature_extractor(x))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x), y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_acc", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        parameters = [p for p in self.parameters() if p.requires_grad]
        optimizer = optim.Adam(parameters, lr=1e-3)
        return [optimizer], [optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1], gamma=0.1)]


def main() -> None:
    seed_everything(0, verbose=False)
    loaders: list[Any] = []
    for part, size in (("train", 128), ("test", 64)):
        images, labels = digits(part)
        loaders.append(DataLoader(TensorDataset(images[:size], labels[:size]), 16))
    model = TransferLearningModel()
    callbacks: list[Any] = [MilestonesFinetuning()]
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        callbacks=callbacks,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        logger=False,
    )
    trainer.fit(model, *loaders)
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
