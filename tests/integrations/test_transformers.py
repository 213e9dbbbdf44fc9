"""``GradAscentCallback`` in real trainings by Transformers' Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tb_gradascent import Sample, read_samples
from tb_gradascent.transformers import GradAscentCallback
from testing.networks import digits, vision_transformer
from testing.transformers_training import BATCH, STEPS, train

pytestmark = [
    # This is Transformers' own warning.
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]


def steps(samples: list[Sample]) -> list[int]:
    return sorted({sample.step for sample in samples})


def assert_true_labels(samples: list[Sample]) -> None:
    images, labels = digits()
    for sample in samples:
        rows = [r for r in range(BATCH * STEPS) if np.array_equal(images[r].numpy(), sample.image)]
        assert sample.label in labels[rows].tolist()


def test_samples_are_written_beside_the_trainers_own_logs(tmp_path: Path) -> None:
    (tmp_path / "runs" / "older").mkdir(parents=True)
    (tmp_path / "runs" / "older" / "events.out.tfevents.1.other").touch()
    callback = GradAscentCallback(every=3, strict=True)
    train(vision_transformer(), tmp_path, callback, eval_strategy="steps", eval_steps=2)
    samples = list(read_samples(tmp_path))
    assert steps(samples) == [1, 3, 6]
    assert_true_labels(samples)
    (run,) = {sample.run for sample in samples}
    files = sorted(path.name.split(".")[3] for path in (tmp_path / run).glob("events*"))
    assert files[0] == "0"
    assert len(files) == 2, "the hook's and the Trainer's own"


def test_training_with_the_callback_is_bit_for_bit_the_same(tmp_path: Path) -> None:
    with_it, without = vision_transformer(), vision_transformer()
    train(with_it, tmp_path / "with", GradAscentCallback(every=1, strict=True))
    train(without, tmp_path / "without", None)
    for name, value in without.state_dict().items():
        assert torch.equal(value, with_it.state_dict()[name]), name
    assert steps(list(read_samples(tmp_path))) == list(range(1, STEPS + 1))
    assert not with_it._forward_hooks


@pytest.mark.slow
def test_accumulated_batches_are_one_step_and_resuming_continues_the_run(
    tmp_path: Path,
) -> None:
    options: Any = {"gradient_accumulation_steps": 2, "report_to": "none", "save_strategy": "steps"}
    options |= {"save_steps": 2, "num_train_epochs": 2}
    callback = GradAscentCallback(tmp_path / "run", every=2, strict=True)
    train(vision_transformer(), tmp_path / "out", callback, max_steps=4, **options)
    callback = GradAscentCallback(tmp_path / "run", every=2, strict=True)
    trainer = train(
        vision_transformer(), tmp_path / "out", callback, max_steps=8, resume=True, **options
    )
    assert trainer.state.global_step == 8
    samples = list(read_samples(tmp_path))
    assert steps(samples) == [1, 2, 4, 5, 6, 8]
    assert {sample.run for sample in samples} == {"run"}


@pytest.mark.slow
def test_mixed_precision_samples_are_written_without_the_trainers_own_logs(tmp_path: Path) -> None:
    network = vision_transformer()
    callback = GradAscentCallback(strict=True)
    train(network, tmp_path, callback, bf16=True, report_to="none", max_steps=1)
    samples = list(read_samples(tmp_path / "runs"))
    assert samples
    network.eval().float()
    for sample in samples:
        exact = network(torch.from_numpy(sample.image)[None]).logits.softmax(1)[0]
        expected = exact[list(sample.classes)].detach().numpy()
        np.testing.assert_allclose(sample.probabilities, expected, atol=1e-6)


def test_an_environment_variable_names_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "there"))
    train(vision_transformer(), tmp_path, GradAscentCallback(strict=True), max_steps=1)
    assert {sample.run for sample in read_samples(tmp_path)} == {"there"}


def test_an_unknown_option_is_rejected() -> None:
    with pytest.raises(TypeError, match="evry"):
        GradAscentCallback(evry=3)
