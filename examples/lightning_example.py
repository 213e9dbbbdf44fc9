"""The callback in Lightning's Trainer.

python examples/lightning_example.py && tensorboard --logdir lightning_logs
"""

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from shared_digits import CLASS_NAMES, MEAN, STD, load, network
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from tb_gradascent.lightning import GradAscentCallback


class DigitClassifier(LightningModule):
    """An ordinary LightningModule. Nothing in it knows about the callback."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        inputs, labels = batch
        return functional.cross_entropy(self.network(inputs), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


if __name__ == "__main__":
    seed_everything(0)
    callback = GradAscentCallback(every=20, class_names=CLASS_NAMES, mean=MEAN, std=STD)
    trainer = Trainer(max_epochs=1, accelerator="cpu", callbacks=[callback])
    trainer.fit(DigitClassifier(), DataLoader(load("train"), batch_size=64, shuffle=True))
