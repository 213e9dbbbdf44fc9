"""Small scans, in the style of MONAI's tutorial of classification: dictionaries and transforms."""

from __future__ import annotations

from typing import Any

import torch
from monai.data.dataloader import DataLoader
from monai.data.dataset import Dataset
from monai.engines.evaluator import SupervisedEvaluator
from monai.engines.trainer import SupervisedTrainer
from monai.handlers.validation_handler import ValidationHandler
from monai.transforms.compose import Compose
from monai.transforms.intensity.dictionary import ScaleIntensityd
from monai.transforms.utility.dictionary import EnsureTyped
from torch import nn

from testing.networks import convolutional, digits


def loader(part: str, size: int) -> Any:
    images, labels = digits(part)
    files: Any = [{"image": images[row], "label": labels[row]} for row in range(size)]
    transforms = Compose(
        [EnsureTyped(keys="image", track_meta=False), ScaleIntensityd(keys="image")]
    )
    return DataLoader(Dataset(files, transforms), batch_size=16)


def main() -> None:
    torch.manual_seed(0)
    device = torch.device("cpu")
    net = convolutional()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    train_handlers: list[Any] = []
    val_handlers: list[Any] = []
    evaluator = SupervisedEvaluator(device, loader("test", 64), net, val_handlers=val_handlers)
    train_handlers.append(ValidationHandler(1, evaluator))
    trainer = SupervisedTrainer(
        device=device,
        max_epochs=2,
        train_data_loader=loader("train", 128),
        network=net,
        optimizer=optimizer,
        loss_function=nn.CrossEntropyLoss(),
        train_handlers=train_handlers,
    )
    trainer.run()
    torch.save(net.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
