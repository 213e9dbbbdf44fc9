"""``hook.stats``, and the scalars that are written with the captures."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tb_gradascent import Ascent, GradAscentHook, LogitMargin, read_samples
from tb_gradascent.format.event_file import EventFile
from testing.brief import BRIEF
from testing.networks import MEAN, STD, convolutional, digits, trained


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """The scalars as TensorBoard's own reader returns them."""
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return {
        tag: {event.step: event.value for event in accumulator.Scalars(tag)}
        for tag in accumulator.Tags()["scalars"]
    }


def test_stats_count_captured_written_dropped_and_failed_samples(tmp_path: Path) -> None:
    model = convolutional()
    batch = torch.rand(8, 1, 12, 12)
    with GradAscentHook(model, tmp_path, every=2, ascent=None) as hook:
        assert hook.stats.captured == hook.stats.written == hook.stats.failed == 0
        for _ in range(5):
            hook(batch, torch.zeros(8, 10))
        hook(batch.long(), torch.zeros(8, 10))
        hook(batch.long(), torch.zeros(8, 10))
    stats = hook.stats
    assert (stats.captured, stats.written, stats.dropped, stats.failed) == (12, 12, 0, 1)
    assert stats.every == 2
    assert stats.waited >= 0
    assert stats.bytes == next(tmp_path.iterdir()).stat().st_size


def test_scalars_hold_the_batchs_confusion_and_the_flip_distance(tmp_path: Path) -> None:
    model = trained()
    images, labels = digits("test")
    expected: dict[int, tuple[float, float]] = {}
    with GradAscentHook(
        model, tmp_path, every=10, criterion=LogitMargin(1.0), strict=True, ascent=Ascent.smallest()
    ) as hook:
        hook.probe(images[-3:], labels[-3:])
        for step in range(25):
            rows = slice(64 * step, 64 * step + 64)
            with torch.no_grad():
                logits = model(images[rows])
            hook(images[rows], logits, labels[rows])
            sorted_logits = logits.double().sort(1).values.numpy()
            chances = logits.double().softmax(1).sort(1).values.numpy()
            expected[step] = (
                float(np.mean(sorted_logits[:, -1] - sorted_logits[:, -2] <= 1.0)),
                float(np.mean(chances[:, -1] - chances[:, -2])),
            )
    found = scalars(tmp_path)
    assert set(found) == {
        f"gradascent/{n}"
        for n in ("confused_fraction", "margin", "selected/flip_distance", "probes/flip_distance")
    }
    for values in found.values():
        assert list(values) == [0, 10, 20]
    for step in (0, 10, 20):
        assert found["gradascent/confused_fraction"][step] == pytest.approx(expected[step][0])
        assert found["gradascent/margin"][step] == pytest.approx(expected[step][1], abs=1e-5)
        for group, probe in (("selected", False), ("probes", True)):
            distances = [
                np.inf if target.flip is None else np.linalg.norm(target.delta) * target.flip
                for sample in read_samples(tmp_path, step=step)
                for target in sample.targets
                if sample.probe == probe and target.delta is not None
            ]
            assert distances
            assert found[f"gradascent/{group}/flip_distance"][step] == pytest.approx(
                np.median(distances)
            )


def test_a_digit_with_both_kinds_of_morph_takes_at_most_6_kb(tmp_path: Path) -> None:
    """The size includes the scalars, the file's header and the session's metadata.

    An untrained network has noisy gradients, which take more.
    """
    model = trained()
    images, labels = digits("test")
    with GradAscentHook(
        model, tmp_path, every=1, mean=MEAN, std=STD, class_names=list("0123456789"), strict=True
    ) as hook:
        for rows in torch.arange(1024).split(64):
            hook(images[rows], model(images[rows]), labels[rows], ids=rows)
    assert hook.stats.written >= 60
    for sample in read_samples(tmp_path):
        assert all(len(target.morphs) == 2 for target in sample.targets[1:])
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size / hook.stats.written <= 6000


def test_a_loop_that_reuses_its_buffers_does_not_change_a_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop writes to its buffers while the writing thread still has captures to write."""
    filled = threading.Event()

    def append(self: EventFile, *events: Any) -> None:
        assert filled.wait(60)
        written(self, *events)

    inputs, logits, labels = torch.rand(4, 1, 8, 8), torch.rand(4, 10), torch.tensor([3, 1, 4, 1])
    before = inputs.numpy().copy()
    chances = logits.double().softmax(1).sort(1).values
    with GradAscentHook(convolutional(), tmp_path, every=1, ascent=None, strict=True) as hook:
        probe = torch.rand(1, 1, 8, 8)
        hook.probe(probe, ids=["probe"])
        before_probe = probe.numpy().copy()
        probe.zero_()
        written = EventFile.append
        monkeypatch.setattr(EventFile, "append", append)
        for _ in range(2):  # the thread holds one, and the queue holds the other
            hook(inputs, logits, labels, ids=range(4))
        for tensor in (inputs, logits, labels):
            tensor.zero_()
        filled.set()
    for sample in read_samples(tmp_path):
        row = None if sample.probe else int(sample.id or -1)
        assert np.array_equal(sample.image, before_probe[0] if row is None else before[row])
        assert row is None or sample.label == [3, 1, 4, 1][row]
    expected = (chances[:, -1] - chances[:, -2]).mean().item()
    for value in scalars(tmp_path)["gradascent/margin"].values():
        assert value == pytest.approx(expected, abs=1e-6)


def test_scalars_are_written_for_another_tag_without_confused_samples(tmp_path: Path) -> None:
    sure = torch.tensor([[9.0] + [0.0] * 9] * 4)
    with GradAscentHook(convolutional(), tmp_path, tag="val", strict=True) as hook:
        assert hook(torch.rand(4, 1, 28, 28), sure) == 0
    found = scalars(tmp_path)
    assert found["gradascent/val/confused_fraction"] == {0: 0.0}
    assert found["gradascent/val/margin"][0] == pytest.approx(0.9989, abs=1e-3)
    assert set(found) == {"gradascent/val/confused_fraction", "gradascent/val/margin"}


def test_probes_have_a_schedule_of_their_own(tmp_path: Path) -> None:
    model = convolutional()
    with GradAscentHook(model, tmp_path, every=10, top_k=1, ascent=None, strict=True) as hook:
        hook.probe(torch.rand(2, 1, 8, 8), ids=["often", "often too"], every=4)
        hook.probe(torch.rand(1, 1, 8, 8), ids=["always"])
        captured = [hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10)) for _ in range(21)]
    assert captured == [
        4 if n in (0, 20) else 2 if n in (4, 8, 12, 16) else 2 if n == 10 else 0 for n in range(21)
    ]
    seen: dict[str, list[int]] = {}
    for sample in read_samples(tmp_path):
        if sample.probe and sample.id:
            seen.setdefault(sample.id, []).append(sample.step)
    assert seen == {
        "often": [0, 4, 8, 12, 16, 20],
        "often too": [0, 4, 8, 12, 16, 20],
        "always": [0, 10, 20],
    }


def test_a_binary_model_has_two_classes(tmp_path: Path) -> None:
    """sigmoid(z) is the probability of class 1."""
    model = torch.nn.Sequential(convolutional(classes=1), torch.nn.Flatten(0))
    batch = torch.rand(6, 1, 28, 28)
    with GradAscentHook(
        model, tmp_path, class_names=["no", "yes"], strict=True, ascent=BRIEF
    ) as hook:
        assert hook(batch, model(batch)) == 4
    model.eval()
    for sample in read_samples(tmp_path):
        z = model(torch.tensor(sample.image)[None]).item()
        yes = dict(zip(sample.classes.tolist(), sample.probabilities, strict=True))[1]
        assert yes == pytest.approx(1 / (1 + np.exp(-z)), abs=1e-5)
        assert sorted(target.index for target in sample.targets) == [0, 1]
