"""``GradAscentHandler`` in real trainings by MONAI's engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from tb_gradascent import read_samples
from testing.networks import convolutional, digits
from testing.worst import assert_worst_of_evaluation

engines = pytest.importorskip("monai.engines", reason="monai is not installed")

pytestmark = [
    pytest.mark.slow,  # the import alone takes ten seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

BATCH = 16


def loader(part: str, count: int) -> Any:
    images, labels = digits(part)
    rows: Any = [{"image": images[row], "label": labels[row]} for row in range(BATCH * count)]
    return DataLoader(rows, BATCH)


def test_one_handler_serves_the_trainer_and_the_evaluator(tmp_path: Path) -> None:
    from monai.handlers.validation_handler import ValidationHandler

    from tb_gradascent.monai import GradAscentHandler

    torch.manual_seed(1)
    model = convolutional()
    handler = GradAscentHandler(model, tmp_path, every=4, max_overhead=None, strict=True)
    common: Any = {"device": torch.device("cpu"), "decollate": False}
    evaluator = engines.SupervisedEvaluator(
        val_data_loader=loader("test", 4), network=model, val_handlers=[handler], **common
    )
    trainer = engines.SupervisedTrainer(
        max_epochs=2,
        train_data_loader=loader("train", 8),
        network=model,
        optimizer=torch.optim.Adam(model.parameters(), 1e-3),
        loss_function=nn.CrossEntropyLoss(),
        train_handlers=[ValidationHandler(1, evaluator), handler],
        **common,
    )
    trainer.run()
    handler.close()
    trained = list(read_samples(tmp_path, tag="confused"))
    assert {sample.step for sample in trained} == {1, 4, 8, 12, 16}
    images, labels = digits()
    for sample in trained:
        start = BATCH * ((sample.step - 1) % 8)
        rows = range(start, start + BATCH)
        (row,) = (r for r in rows if np.array_equal(images[r].numpy(), sample.image))
        assert sample.label == labels[row]
    samples = [s for s in read_samples(tmp_path, tag="validation") if s.step == 16]
    images, labels = (tensor[: 4 * BATCH] for tensor in digits("test"))
    with torch.no_grad():
        logits = model.eval()(images)
    assert_worst_of_evaluation(samples, logits, images, labels)
