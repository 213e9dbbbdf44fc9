"""``GradAscentCallback`` in real trainings by fastai's Learner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tb_gradascent import Sample, read_samples
from testing.networks import convolutional, digits
from testing.worst import assert_worst_of_evaluation

pytest.importorskip("fastai.learner", reason="fastai is not installed")

pytestmark = [
    pytest.mark.slow,  # the import alone takes seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

BATCH, BATCHES = 16, 8


def learner(callback: Any) -> Any:
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.learner import Learner

    torch.manual_seed(1)
    loaders = []
    for part, count in (("train", BATCHES), ("test", 4)):
        images, labels = digits(part)
        data = TensorDataset(images[: BATCH * count], labels[: BATCH * count])
        loaders.append(DataLoader(data, BATCH, num_workers=0))
    loaders = DataLoaders(*loaders, device=torch.device("cpu"))
    loaders.vocab = [f"digit {number}" for number in range(10)]
    return Learner(loaders, convolutional(), nn.CrossEntropyLoss(), cbs=callback)


def assert_the_worst(samples: list[Sample], model: nn.Module) -> None:
    images, labels = (tensor[: 4 * BATCH] for tensor in digits("test"))
    with torch.no_grad():
        logits = model.eval()(images)
    assert_worst_of_evaluation(samples, logits, images, labels)


def test_trainings_and_validations_are_captured(tmp_path: Path) -> None:
    from tb_gradascent.fastai import GradAscentCallback

    callback = GradAscentCallback(tmp_path, every=4, max_overhead=None, strict=True)
    trained = learner(callback)
    with trained.no_logging():
        trained.fit(1)
        trained.fit(1)
    samples = list(read_samples(tmp_path, tag="confused"))
    assert {sample.step for sample in samples} == {1, 4, 8, 9, 12, 16}
    assert {sample.class_names for sample in samples} == {
        tuple(f"digit {number}" for number in range(10))
    }
    images, labels = digits()
    for sample in samples:
        start = BATCH * ((sample.step - 1) % BATCHES)
        rows = range(start, start + BATCH)
        (row,) = (r for r in rows if np.array_equal(images[r].numpy(), sample.image))
        assert sample.label == labels[row]
    validated = list(read_samples(tmp_path, tag="validation"))
    assert {sample.step for sample in validated} == {8, 16}
    assert_the_worst([sample for sample in validated if sample.step == 16], trained.model)
    with trained.no_logging():
        trained.validate()
        trained.get_preds()
    last = [s for s in read_samples(tmp_path, tag="validation") if s.step == 16]
    assert_the_worst(last, trained.model)


def test_training_with_the_callback_is_bit_for_bit_the_same(tmp_path: Path) -> None:
    from tb_gradascent.fastai import GradAscentCallback

    weights = []
    for callback in (GradAscentCallback(tmp_path, every=1, strict=True), None):
        trained = learner(callback)
        with trained.no_logging():
            trained.fit(1)
        weights.append(trained.model.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
