"""Digits, in the style of Lightning's examples: a backbone, a data module, the command line."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as in the examples
from torch.utils.data import DataLoader, TensorDataset

from testing.networks import digits


class Backbone(nn.Module):
    def __init__(self, hidden_dim: int = 32) -> None:
        super().__init__()
        self.l1 = nn.Linear(28 * 28, hidden_dim)
        self.l2 = nn.Linear(hidden_dim, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.l1(x.view(x.size(0), -1)))
        return torch.relu(self.l2(x))


class LitClassifier(LightningModule):
    def __init__(self, learning_rate: float = 0.001) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.backbone = Backbone()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.backbone(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x), y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("valid_loss", F.cross_entropy(self(x), y), on_step=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["learning_rate"])


class MyDataModule(LightningDataModule):
    def __init__(self, batch_size: int = 16) -> None:
        super().__init__()
        self.batch_size = batch_size

    def _loader(self, part: str, size: int) -> Any:
        images, labels = digits(part)
        return DataLoader(TensorDataset(images[:size], labels[:size]), self.batch_size)

    def train_dataloader(self) -> Any:
        return self._loader("train", 128)

    def val_dataloader(self) -> Any:
        return self._loader("test", 64)


def cli_main() -> None:
    defaults: dict[str, Any] = {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 4}
    defaults |= {"enable_progress_bar": False, "enable_checkpointing": False, "callbacks": []}
    cli = LightningCLI(
        LitClassifier,
        MyDataModule,
        seed_everything_default=1234,
        save_config_callback=None,
        run=False,
        trainer_defaults=defaults,
    )
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    torch.save(cli.model.state_dict(), "model.pt")


if __name__ == "__main__":
    cli_main()
