"""``GradAscentCallback`` in real trainings by Transformers' Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Trainer, TrainingArguments

from tb_gradascent import Ascent, Sample, read_samples
from tb_gradascent.transformers import GradAscentCallback
from testing.networks import digits, vision_transformer
from testing.transformers_training import BATCH, STEPS, data, train
from testing.worst import assert_worst_of_evaluation

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
    callback = GradAscentCallback(every=3, ascent=None, strict=True)
    train(vision_transformer(), tmp_path, callback, eval_strategy="steps", eval_steps=2)
    samples = list(read_samples(tmp_path, tag="confused"))
    assert steps(samples) == [1, 3, 6]
    assert_true_labels(samples)
    (run,) = {sample.run for sample in samples}
    files = sorted(path.name.split(".")[3] for path in (tmp_path / run).glob("events*"))
    assert files[0] == "0"
    assert len(files) == 2, "the hook's and the Trainer's own"


def test_training_with_the_callback_is_bit_for_bit_the_same(tmp_path: Path) -> None:
    with_it, without = vision_transformer(), vision_transformer()
    callback = GradAscentCallback(every=1, ascent=Ascent(max_steps=2), strict=True)
    train(with_it, tmp_path / "with", callback, max_steps=4)
    train(without, tmp_path / "without", None, max_steps=4)
    for name, value in without.state_dict().items():
        assert torch.equal(value, with_it.state_dict()[name]), name
    assert steps(list(read_samples(tmp_path))) == [1, 2, 3, 4]
    assert len(with_it._forward_hooks) == 1, "which waits for an evaluation"
    alone = vision_transformer()
    callback = GradAscentCallback(validation=False, strict=True)
    train(alone, tmp_path / "alone", callback, max_steps=1)
    assert not alone._forward_hooks


def assert_the_worst(samples: list[Sample], network: Any) -> None:
    """Assert that the samples are the most confused of the 20, and the surest errors."""
    images, labels = (tensor[:20] for tensor in digits("test"))
    with torch.no_grad():
        logits = network.eval()(images).logits
    assert_worst_of_evaluation(samples, logits, images, labels)


@pytest.mark.slow
def test_the_worst_of_each_evaluation_are_captured(tmp_path: Path) -> None:
    network = vision_transformer()
    callback = GradAscentCallback(max_overhead=None, strict=True)
    options: Any = {"eval_strategy": "steps", "eval_steps": 2, "per_device_eval_batch_size": 8}
    options |= {"max_steps": 4}
    trainer = train(network, tmp_path, callback, **options)
    samples = list(read_samples(tmp_path, tag="validation"))
    assert steps(samples) == [2, 4]
    assert_the_worst([sample for sample in samples if sample.step == 4], network)
    trainer.evaluate()
    again = list(read_samples(tmp_path, tag="validation"))
    assert {sample.run for sample in again} == {sample.run for sample in samples}
    assert_the_worst([sample for sample in again if sample.step == 4], network)
    assert max(sample.wall_time for sample in again) > max(sample.wall_time for sample in samples)
    trainer.predict(data("test")[:20])  # type: ignore[arg-type]  # a list will do
    assert len(list(read_samples(tmp_path, tag="validation"))) == len(again)


def test_an_evaluation_alone_is_captured(tmp_path: Path) -> None:
    network = vision_transformer()
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, report_to="none")
    callback = GradAscentCallback(tmp_path / "run", ascent=None, strict=True)
    Trainer(network, arguments, eval_dataset=data("test")[:20], callbacks=[callback]).evaluate()
    samples = list(read_samples(tmp_path))
    assert {(sample.run, sample.tag, sample.step) for sample in samples} == {
        ("run", "validation", 0)
    }
    assert_the_worst(samples, network)


class OwnLoss(Trainer):
    """It keeps the labels from the model."""

    def compute_loss(  # type: ignore[override]
        self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any
    ) -> Any:
        truth = inputs.pop("labels")
        labels = truth
        output = model(**inputs)
        loss = torch.nn.functional.cross_entropy(output.logits, labels)
        return (loss, output) if return_outputs else loss


# Torch's own, about compiled models, with the callback and without.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Trainer, {"label_smoothing_factor": 0.1}),
        pytest.param(OwnLoss, {}, marks=pytest.mark.slow),
        pytest.param(
            Trainer,
            {"label_smoothing_factor": 0.1, "torch_compile_backend": "eager"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_labels_that_the_model_does_not_get_are_known(
    tmp_path: Path, kind: type[Trainer], options: dict[str, Any]
) -> None:
    callback = GradAscentCallback(every=4, ascent=None, strict=True)
    settings: Any = {"eval_strategy": "steps", "eval_steps": 4, "max_steps": 4}
    train(vision_transformer(), tmp_path, callback, kind=kind, **options, **settings)
    assert_true_labels(list(read_samples(tmp_path, tag="confused")))
    images, labels = digits("test")
    for sample in read_samples(tmp_path, tag="validation"):
        assert sample.id is not None
        assert np.array_equal(images[int(sample.id)].numpy(), sample.image)
        assert sample.label == labels[int(sample.id)]


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
    callback = GradAscentCallback(ascent=None, strict=True)
    train(vision_transformer(), tmp_path, callback, max_steps=1)
    assert {sample.run for sample in read_samples(tmp_path)} == {"there"}


def test_an_unknown_option_is_rejected() -> None:
    with pytest.raises(TypeError, match="evry"):
        GradAscentCallback(evry=3)
