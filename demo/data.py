"""The demo's data sets: the repository's digits, and torchvision's data sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from demo.optional import torchvision_module

DIGITS = Path(__file__).with_name("data") / "mnist_subset.npz"

Example = tuple[Tensor, Tensor, Tensor]
"""A normalised image, its label, and its row in the published data set."""


@dataclasses.dataclass(frozen=True)
class Data:
    """Training and test examples.

    Attributes:
        train, test: Examples ``(image, label, row)``. ``mean`` and ``std`` normalise the images.
        shape: An image's (channels, height, width).
        class_names: The name of class 0, 1, …
        mean, std: One value for each channel. ``image * std + mean`` is in [0, 1].
    """

    train: Dataset[Example]
    test: Dataset[Example]
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def one_of_each_class(self) -> tuple[Tensor, Tensor, list[str]]:
        """Return the first test image of each class: images, labels and names."""
        first: dict[int, Example] = {}
        for number in range(len(self.test)):  # type: ignore[arg-type]  # every data set here has a length
            example = self.test[number]
            first.setdefault(int(example[1]), example)
            if len(first) == len(self.class_names):
                break
        images, labels, rows = (
            torch.stack(column) for column in zip(*(first[c] for c in sorted(first)), strict=True)
        )
        return images, labels, [f"test/{row}" for row in rows.tolist()]


def load_digits(path: Path = DIGITS) -> Data:
    """Load 10,000 training and 2,000 test images of MNIST from the repository."""
    mean, std = 0.1307, 0.3081
    with np.load(path) as arrays:

        def split(name: str) -> Dataset[Example]:
            images = torch.from_numpy(arrays[f"{name}_images"])[:, None].float() / 255
            labels = torch.from_numpy(arrays[f"{name}_labels"]).long()
            rows = torch.from_numpy(arrays[f"{name}_index"]).long()
            examples: Dataset[Any] = TensorDataset((images - mean) / std, labels, rows)
            return examples

        return Data(
            train=split("train"),
            test=split("test"),
            shape=(1, 28, 28),
            class_names=tuple("0123456789"),
            mean=(mean,),
            std=(std,),
        )


@dataclasses.dataclass(frozen=True)
class _Source:
    """One of torchvision's data sets and its normalisation."""

    name: str
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]


_TORCHVISION = {
    "mnist": _Source("MNIST", (1, 28, 28), (0.1307,), (0.3081,)),
    "fashion-mnist": _Source("FashionMNIST", (1, 28, 28), (0.2860,), (0.3530,)),
    "cifar10": _Source("CIFAR10", (3, 32, 32), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
}
NAMES = ("digits", *_TORCHVISION)


class _Rows(Dataset[Example]):
    """Append its row to each example ``(image, label)``."""

    def __init__(self, examples: Sequence[tuple[Tensor, int]]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, row: int) -> Example:
        image, label = self.examples[row]
        return image, torch.tensor(label), torch.tensor(row)


def load_torchvision(name: str, folder: Path) -> Data:
    """Load one of torchvision's data sets. Download it into ``folder`` if it is not there."""
    option = f"--dataset {name}"
    source = _TORCHVISION[name]
    v2 = torchvision_module("transforms.v2", option)
    make: Callable[..., Sequence[tuple[Tensor, int]]]
    make = getattr(torchvision_module("datasets", option), source.name)
    transform = v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(source.mean, source.std),
            v2.ToPureTensor(),
        ]
    )
    train, test = (
        make(str(folder), train=train, transform=transform, download=True)
        for train in (True, False)
    )
    class_names = tuple(train.classes)  # type: ignore[attr-defined]
    return Data(_Rows(train), _Rows(test), source.shape, class_names, source.mean, source.std)


def load(name: str, folder: Path) -> Data:
    """Load the data set of this name, one of ``NAMES``."""
    return load_digits() if name == "digits" else load_torchvision(name, folder)
