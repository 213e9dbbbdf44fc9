"""``GradAscentHandler`` in real trainings by Ignite's engines."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import (
    Engine,
    Events,
    create_supervised_evaluator,
    create_supervised_trainer,
)
from ignite.handlers import TensorboardLogger, global_step_from_engine
from torch import nn

from tb_gradascent import Ascent, GradAscentHook, read_samples
from tb_gradascent.ignite import GradAscentHandler
from testing.networks import convolutional, digits

BATCH = 16


def batches(part: str = "train", count: int = 8) -> list[Any]:
    images, labels = digits(part)
    rows = BATCH * count
    return list(zip(images[:rows].split(BATCH), labels[:rows].split(BATCH), strict=True))


def trainer_of(model: nn.Module) -> Engine:
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    return create_supervised_trainer(model, optimizer, nn.CrossEntropyLoss())


def test_the_handler_writes_beside_ignites_own_logger(tmp_path: Path) -> None:
    model = convolutional()
    trainer = trainer_of(model)
    with TensorboardLogger(tmp_path / "run") as logger:
        with GradAscentHandler(model, logger, every=3, ascent=None, strict=True) as handler:
            handler.attach(trainer)
            trainer.run(batches(), max_epochs=2)
    samples = list(read_samples(tmp_path))
    assert {sample.run for sample in samples} == {"run"}
    assert sorted({sample.step for sample in samples}) == [1, 3, 6, 9, 12, 15]
    for sample in samples:
        images, labels = batches()[(sample.step - 1) % 8]
        (row,) = (r for r in range(BATCH) if np.array_equal(images[r].numpy(), sample.image))
        assert sample.label == labels[row]


def test_training_with_the_handler_is_bit_for_bit_the_same(tmp_path: Path) -> None:
    weights = []
    for attached in (True, False):
        model = convolutional()
        trainer = trainer_of(model)
        ascent = Ascent(max_steps=2)
        with GradAscentHandler(
            model, tmp_path / str(attached), every=1, ascent=ascent, strict=True
        ) as handler:
            if attached:
                handler.attach(trainer)
            trainer.run(batches())
            assert (handler.hook.stats.captured > 0) == attached
        assert not model._forward_hooks
        weights.append(model.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_an_error_of_the_training_is_not_hidden_by_an_error_of_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(self: GradAscentHook) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(GradAscentHook, "close", close)
    with pytest.raises(RuntimeError, match="as if"):
        with GradAscentHandler(convolutional(), tmp_path, strict=True):
            raise RuntimeError("as if")
    with pytest.raises(OSError, match="full"):
        with GradAscentHandler(convolutional(), tmp_path, strict=True):
            pass


def test_an_evaluator_is_captured_at_the_trainers_steps(tmp_path: Path) -> None:
    model = convolutional()
    trainer, evaluator = trainer_of(model), create_supervised_evaluator(model)
    trainer.add_event_handler(
        Events.EPOCH_COMPLETED, lambda: evaluator.run(batches("test", count=2))
    )
    with GradAscentHandler(
        model,
        tmp_path,
        global_step_transform=global_step_from_engine(trainer),
        tag="validation",
        every=1,
        ascent=None,
        strict=True,
    ) as handler:
        handler.attach(evaluator)
        trainer.run(batches(), max_epochs=3)
    samples = list(read_samples(tmp_path, tag="validation"))
    assert sorted({sample.step for sample in samples}) == [8, 16, 24]
    first = batches("test")[0][0].numpy()
    for sample in samples:
        assert any(np.array_equal(image, sample.image) for image in first)


def test_the_worst_of_each_run_of_an_evaluator_are_captured(tmp_path: Path) -> None:
    model = convolutional()
    trainer, evaluator = trainer_of(model), create_supervised_evaluator(model)
    evaluated = batches("test", count=4)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(evaluated))
    options: Any = {"max_overhead": None, "ascent": None, "strict": True}
    with GradAscentHandler(model, tmp_path, every=4, **options) as handler:
        handler.attach(trainer)
        handler.attach_evaluator(evaluator)
        trainer.run(batches(), max_epochs=2)
    assert {s.step for s in read_samples(tmp_path, tag="confused")} == {1, 4, 8, 12, 16}
    samples = list(read_samples(tmp_path, tag="validation"))
    assert sorted({sample.step for sample in samples}) == [8, 16]
    images, labels = (torch.cat(parts) for parts in zip(*evaluated, strict=True))
    with torch.no_grad():
        logits = model.eval()(images)
    first, second = logits.softmax(1).topk(2).values.unbind(1)
    confused = [row for row in (first - second).argsort().tolist() if (first - second)[row] <= 0.5]
    last = [sample for sample in samples if sample.step == 16]
    assert [sample.id for sample in last][: len(confused[:4])] == list(map(str, confused[:4]))
    for sample in last:
        assert sample.id is not None
        assert sample.label == labels[int(sample.id)]
        assert np.array_equal(images[int(sample.id)].numpy(), sample.image)


def test_an_evaluation_that_fails_does_not_hide_the_training(tmp_path: Path) -> None:
    model = convolutional()
    trainer, evaluator = trainer_of(model), create_supervised_evaluator(model)

    @evaluator.on(Events.ITERATION_COMPLETED)
    def _fail() -> None:
        raise RuntimeError("as if")

    def evaluate() -> None:
        with contextlib.suppress(RuntimeError):
            evaluator.run(batches("test", count=2))

    trainer.add_event_handler(Events.EPOCH_COMPLETED, evaluate)
    with GradAscentHandler(model, tmp_path, every=4, ascent=None, strict=True) as handler:
        handler.attach(trainer)
        handler.attach_evaluator(evaluator)
        trainer.run(batches(), max_epochs=2)
    assert {(s.tag, s.step) for s in read_samples(tmp_path)} == {
        ("confused", step) for step in (1, 4, 8, 12, 16)
    }
