"""The digits of this repository, for the examples: a part of MNIST."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

MEAN, STD = 0.1307, 0.3081
CLASS_NAMES = list("0123456789")
FILE = Path(__file__).resolve().parent.parent / "demo" / "data" / "mnist_subset.npz"


def load(part: str) -> TensorDataset:
    """Images of shape (1, 28, 28), normalised, with their labels; part is "train" or "test"."""
    with np.load(FILE) as arrays:
        images = torch.from_numpy(arrays[f"{part}_images"]).float() / 255
        labels = torch.from_numpy(arrays[f"{part}_labels"]).long()
    return TensorDataset((images[:, None] - MEAN) / STD, labels)


def network() -> nn.Sequential:
    """A small convolutional network for ten classes."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32 * 7 * 7, 10),
    )
