"""Digits, in the style of fastai's examples, with one cycle and an option for mixup."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from fastai.callback.mixup import MixUp
from fastai.callback.schedule import Learner  # with fit_one_cycle
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import accuracy
from torch.utils.data import TensorDataset

from testing.networks import convolutional, digits


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mixup", type=float, default=0.0)
    args = parser.parse_args()
    torch.manual_seed(0)
    loaders: list[Any] = []
    for part, size in (("train", 128), ("test", 64)):
        images, labels = digits(part)
        data = TensorDataset(images[:size], labels[:size])
        loaders.append(DataLoader(data, 16, num_workers=0))
    dls = DataLoaders(*loaders, device=torch.device("cpu"))
    cbs: list[Any] = [MixUp(args.mixup)] if args.mixup else []
    learn = Learner(dls, convolutional(), CrossEntropyLossFlat(), metrics=accuracy, cbs=cbs)
    with learn.no_logging():
        learn.fit_one_cycle(2, 1e-3)
    torch.save(learn.model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
