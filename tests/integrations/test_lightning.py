"""``GradAscentCallback`` in real trainings by Lightning's Trainer."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch
import numpy as np
import pytest
import pytorch_lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tb_gradascent import (
    Ascent,
    GradAscentHook,
    LogitMargin,
    ProbabilityMargin,
    Sample,
    read_samples,
)
from tb_gradascent.lightning import GradAscentCallback
from testing.brief import BRIEF
from testing.lightning_training import BATCH, BATCHES, Classifier, data, fit
from testing.networks import convolutional, digits
from testing.worst import assert_worst_of_evaluation

pytestmark = [
    # These are Lightning's own warnings.
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:Precision bf16-mixed"),
]


def steps(samples: list[Sample]) -> list[int]:
    return sorted({sample.step for sample in samples})


def assert_of_batch(sample: Sample, step: int, part: str = "train") -> None:
    """Assert that the sample's image and label are from the batch of a step."""
    images, labels = digits(part)
    rows = range(BATCH * step, BATCH * (step + 1))
    places = [row for row in rows if np.array_equal(sample.image, images[row].numpy())]
    assert sample.label in labels[places].tolist()


def test_the_callback_alone_captures_due_training_steps(tmp_path: Path) -> None:
    callback = GradAscentCallback(every=5, strict=True, ascent=BRIEF)
    fit(Classifier(), tmp_path, callback)
    samples = list(read_samples(tmp_path, tag="confused"))
    assert steps(samples) == [0, 5, 10]
    assert {sample.run for sample in samples} == {"digits/run"}
    assert list((tmp_path / "digits" / "run").glob("events.out.tfevents.1*")), "the logger's own"
    for sample in samples:
        assert_of_batch(sample, sample.step)
    assert callback.hook is not None
    assert callback.hook.stats.written == len(list(read_samples(tmp_path))) > len(samples) > 0


def test_training_with_the_callback_is_bit_for_bit_the_same(tmp_path: Path) -> None:
    with_it, without = Classifier(), Classifier()
    callback = GradAscentCallback(every=1, validation=True, ascent=Ascent(max_steps=2), strict=True)
    few: Any = {"limit_train_batches": 6, "limit_val_batches": 6}
    fit(with_it, tmp_path / "with", callback, **few)
    fit(without, tmp_path / "without", None, **few)
    assert steps(list(read_samples(tmp_path, tag="confused"))) == list(range(6))
    for name, value in without.state_dict().items():
        assert torch.equal(value, with_it.state_dict()[name]), name
    assert not any(module._forward_hooks for module in with_it.modules())


class Part(Classifier):
    """The step calls a submodule, and the module itself has no forward."""

    forward = lightning.pytorch.LightningModule.forward

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return {"loss": self.criterion(nn.functional.log_softmax(self.net(x), 1), y)}

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.net(batch[0])


class Distilled(Part):
    """A teacher runs after the student."""

    def __init__(self) -> None:
        super().__init__()
        self.teacher = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).requires_grad_(False)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, _ = batch
        logits = self.net(x)
        with torch.no_grad():
            taught = self.teacher(x)
        return self.criterion(logits, taught.softmax(1))


class Composed(Classifier):
    """No submodule that the step calls maps images to logits, but ``forward`` does."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = self.net[:-1], self.net[-1]

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(x))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return self.criterion(self.head(self.backbone(x)), y)


class Cosine(Classifier):
    """``forward`` is called directly, so that only the backbone's pass is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = self.net[:-1]
        self.prototypes = nn.Parameter(torch.randn(10, 256))

    def forward(self, x: Tensor) -> Tensor:
        features = nn.functional.normalize(self.backbone(x))
        return 10 * nn.functional.linear(features, nn.functional.normalize(self.prototypes))

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return self.criterion(self.forward(x), y)


class Told(Composed):
    """The step returns the logits."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        logits = self.head(self.backbone(x))
        return {"loss": self.criterion(logits, y), "logits": logits}


class Manual(Classifier):
    """It steps its optimizer itself."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        optimizer: Any = self.optimizers()
        loss = super().training_step(batch, batch_idx)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()


class Scripted(Classifier):
    """A submodule is TorchScript."""

    def __init__(self) -> None:
        super().__init__()
        self.net: Any = torch.jit.script(self.net)


@pytest.mark.filterwarnings(r"ignore:`torch\.jit\.\w+` is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    "module",
    [
        Part,
        *(
            pytest.param(m, marks=pytest.mark.slow)
            for m in (Distilled, Composed, Told, Manual, Scripted)
        ),
    ],
)
def test_any_kind_of_training_step_is_captured(tmp_path: Path, module: type[Classifier]) -> None:
    model = module()
    fit(
        model,
        tmp_path,
        GradAscentCallback(strict=True, ascent=BRIEF),
        max_steps=1,
        limit_val_batches=1,
    )
    samples = list(read_samples(tmp_path))
    assert len(samples) == 4
    model.eval()
    for sample in samples:
        assert_of_batch(sample, 0)
        image = torch.from_numpy(sample.image)[None].requires_grad_()
        logits = model.net(image)[0]
        np.testing.assert_allclose(
            sample.probabilities, logits.softmax(0).detach()[list(sample.classes)], atol=1e-6
        )
        for target in sample.targets:
            (gradient,) = torch.autograd.grad(logits[target.index], image, retain_graph=True)
            largest = gradient.abs().max().item()
            np.testing.assert_allclose(target.gradient, gradient[0].numpy(), atol=largest / 1000)


def test_features_are_not_recorded_as_the_classes(tmp_path: Path) -> None:
    model = Cosine()
    callback = GradAscentCallback(criterion=ProbabilityMargin(1), strict=True, ascent=BRIEF)
    fit(model, tmp_path, callback, max_steps=1, limit_val_batches=1)
    assert callback.hook is not None
    assert callback.hook.health == ()
    samples = list(read_samples(tmp_path))
    assert len(samples) == 4
    model.eval()
    for sample in samples:
        assert_of_batch(sample, 0)
        chances = model(torch.from_numpy(sample.image)[None])[0].softmax(0).detach()
        np.testing.assert_allclose(sample.probabilities, chances[list(sample.classes)], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("package", [lightning.pytorch, pytorch_lightning])
def test_the_trainers_of_both_packages_take_the_callback(tmp_path: Path, package: Any) -> None:
    members = {name: value for name, value in vars(Classifier).items() if name != "__init__"}

    def init(self: Any) -> None:
        package.LightningModule.__init__(self)
        self.net, self.criterion = convolutional(), nn.CrossEntropyLoss()

    module = type("Other", (package.LightningModule,), members | {"__init__": init})()
    trainer = fit(module, tmp_path, GradAscentCallback(strict=True, ascent=BRIEF), package=package)
    assert isinstance(trainer, package.Trainer)
    assert steps(list(read_samples(tmp_path, tag="confused"))) == [0]


def test_accumulated_batches_count_as_one_step(tmp_path: Path) -> None:
    callback = GradAscentCallback(every=1, ascent=None, validation=False, strict=True)
    trainer = fit(Classifier(), tmp_path, callback, accumulate_grad_batches=4)
    samples = list(read_samples(tmp_path, tag="confused"))
    assert trainer.global_step == 3
    assert steps(samples) == [0, 1, 2]
    for sample in samples:
        assert_of_batch(sample, 4 * sample.step)


def assert_the_worst(samples: list[Sample], classify: Any) -> None:
    """Assert that the samples are the most confused of all test images, and the surest errors."""
    images, labels = (tensor[: BATCH * BATCHES] for tensor in digits("test"))
    with torch.no_grad():
        logits = classify(images)
    assert_worst_of_evaluation(samples, logits, images, labels)


@pytest.mark.parametrize("module", [Classifier, pytest.param(Part, marks=pytest.mark.slow)])
def test_the_worst_of_each_validation_are_captured(
    tmp_path: Path, module: type[Classifier]
) -> None:
    options: Any = {"max_epochs": 2, "val_check_interval": 6, "num_sanity_val_steps": 2}
    model = module()
    callback = GradAscentCallback(every=12, max_overhead=None, ascent=None, strict=True)
    trainer = fit(model, tmp_path, callback, **options)
    samples = list(read_samples(tmp_path, tag="validation"))
    assert steps(samples) == [6, 12, 18, 24]
    assert_the_worst([sample for sample in samples if sample.step == 24], model.eval().net)
    assert steps(list(read_samples(tmp_path, tag="confused"))) == [0, 12]
    assert not any(part._forward_hooks for part in model.modules())
    assert trainer.global_step == 24


@pytest.mark.parametrize("verb", ["validate", pytest.param("test", marks=pytest.mark.slow)])
def test_a_validation_or_a_test_alone_is_captured(tmp_path: Path, verb: str) -> None:
    model = Classifier()
    model.test_step = model.validation_step  # type: ignore[method-assign]
    logger = lightning.pytorch.loggers.TensorBoardLogger(tmp_path, "digits", "run")
    callback = GradAscentCallback(strict=True, ascent=BRIEF)
    trainer = lightning.pytorch.Trainer(
        accelerator="cpu", callbacks=[callback], logger=logger, enable_progress_bar=False
    )
    getattr(trainer, verb)(model, data("test"), verbose=False)
    tag = {"validate": "validation", "test": "test"}[verb]
    samples = list(read_samples(tmp_path))
    assert {(sample.tag, sample.run) for sample in samples} == {(tag, "digits/run")}
    assert_the_worst(samples, model.eval().net)


@pytest.mark.slow
def test_a_validation_without_a_pass_of_the_classifier_captures_its_first_batch(
    tmp_path: Path,
) -> None:
    model = Cosine()
    callback = GradAscentCallback(criterion=ProbabilityMargin(1), max_overhead=None, strict=True)
    model.validation_step = lambda batch, batch_idx: model.backbone(batch[0])  # type: ignore[method-assign]
    fit(model, tmp_path, callback)
    samples = list(read_samples(tmp_path, tag="validation"))
    assert samples
    model.eval()
    for sample in samples:
        assert_of_batch(sample, 0, "test")
        chances = model(torch.from_numpy(sample.image)[None])[0].softmax(0).detach()
        np.testing.assert_allclose(sample.probabilities, chances[list(sample.classes)], atol=1e-5)


def test_validations_can_be_left_out(tmp_path: Path) -> None:
    fit(Classifier(), tmp_path, GradAscentCallback(validation=False, strict=True, ascent=BRIEF))
    assert {sample.tag for sample in read_samples(tmp_path)} == {"confused"}


def test_class_names_and_colours_are_those_of_the_data(tmp_path: Path) -> None:
    loader: Any = data()
    loader.dataset.classes = list("0123456789")
    fit(
        Classifier(),
        tmp_path,
        GradAscentCallback(strict=True, ascent=BRIEF),
        loader=loader,
        max_steps=1,
    )
    assert {sample.class_names for sample in read_samples(tmp_path)} == {tuple("0123456789")}


@pytest.mark.parametrize("batches", [True, pytest.param(3, marks=pytest.mark.slow)])
def test_fast_dev_run_captures_all_steps_and_keeps_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    monkeypatch.chdir(tmp_path)
    callback = GradAscentCallback(every=1, validation=True, strict=True, ascent=BRIEF)
    fit(Classifier(), tmp_path, callback, fast_dev_run=batches)
    assert callback.hook is not None
    assert callback.hook.stats.written == callback.hook.stats.captured >= 4
    assert list(tmp_path.rglob("*tfevents*")) == []


@pytest.mark.slow
def test_a_resumed_training_continues_its_run(tmp_path: Path) -> None:
    saving: Any = {"enable_checkpointing": True, "max_steps": 12, "max_epochs": -1}
    trainer = fit(Classifier(), tmp_path, GradAscentCallback(every=4, strict=True), **saving)
    path = trainer.checkpoint_callback.best_model_path
    callback = GradAscentCallback(every=4, strict=True)
    fit(Classifier(), tmp_path, callback, checkpoint=path, **(saving | {"max_steps": 24}))
    samples = list(read_samples(tmp_path, tag="confused"))
    assert {sample.run for sample in samples} == {"digits/run"}
    assert steps(samples) == [0, 4, 8, 12, 16, 20]


@pytest.mark.slow
def test_mixed_precision_samples_match_the_model(tmp_path: Path) -> None:
    model = Classifier()
    callback = GradAscentCallback(strict=True)
    fit(model, tmp_path, callback, precision="bf16-mixed", max_steps=1, limit_val_batches=0)
    samples = list(read_samples(tmp_path))
    assert samples
    model.eval()
    for sample in samples:
        exact = model(torch.from_numpy(sample.image)[None]).softmax(1)[0].detach().numpy()
        np.testing.assert_allclose(sample.probabilities, exact[sample.classes], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("logger", ["csv first", "csv", "none", "given"])
def test_the_default_log_directory_is_the_loggers(tmp_path: Path, logger: str) -> None:
    csv = lightning.pytorch.loggers.CSVLogger(tmp_path, "csv", "0")
    board = lightning.pytorch.loggers.TensorBoardLogger(tmp_path, "board", "0")
    loggers: Any = {"csv first": [csv, board], "csv": csv, "none": False, "given": board}[logger]
    log = tmp_path / "here" if logger == "given" else None
    fit(Classifier(), tmp_path, GradAscentCallback(log, strict=True), logger=loggers, max_steps=1)
    expected = {"csv first": "board/0", "csv": "csv/0", "none": ".", "given": "here"}[logger]
    assert {sample.run for sample in read_samples(tmp_path)} == {expected}


def named(rows: int) -> list[dict[str, Any]]:
    """Dictionaries that also hold values other than image and label."""
    images, labels = digits()
    return [
        {"row": row, "age": float(row), "image": images[row], "label": labels[row]}
        for row in range(rows)
    ]


class Aged(Classifier):
    """The model has two named inputs, and batches are dictionaries."""

    def forward(self, image: Tensor, *, age: Tensor) -> Tensor:  # type: ignore[override]
        bias = nn.functional.one_hot(age.long() % 10, 10) * 50
        logits: Tensor = self.net(image) + bias
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self.criterion(self(batch["image"], age=batch["age"]), batch["label"])


def test_batches_of_dictionaries_and_further_inputs_are_captured(tmp_path: Path) -> None:
    callback = GradAscentCallback(
        criterion=lambda logits, labels: logits[:, 0], strict=True, ascent=BRIEF
    )
    loader: Any = DataLoader(named(BATCH), BATCH)  # type: ignore[arg-type]
    fit(Aged(), tmp_path, callback, loader=loader, max_steps=1, limit_val_batches=0)
    samples = list(read_samples(tmp_path))
    images, labels = digits()
    assert len(samples) == 4
    for sample in samples:
        (row,) = (r for r in range(BATCH) if np.array_equal(images[r].numpy(), sample.image))
        assert sample.label == labels[row]
        assert sample.classes[0] == row % 10, "the sample's own age decides the class"


@pytest.mark.slow
def test_a_compiled_module_is_captured(tmp_path: Path) -> None:
    model = torch.compile(Classifier(), backend="eager")
    fit(model, tmp_path, GradAscentCallback(every=5, strict=True))
    samples = list(read_samples(tmp_path, tag="confused"))
    assert steps(samples) == [0, 5, 10]
    for sample in samples:
        assert_of_batch(sample, sample.step)


class Blind(Part):
    """No module in it takes an image."""

    def __init__(self) -> None:
        super().__init__()
        self.net: Any = nn.Linear(784, 10)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return self.criterion(self.net(x.flatten(1)), y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        return


def test_a_fault_is_logged_once_with_a_remedy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tb_gradascent"):
        trainer = fit(Blind(), tmp_path, GradAscentCallback(every=1, ascent=BRIEF))
    assert trainer.global_step == BATCHES
    messages = [record.getMessage() for record in caplog.records if record.name == "tb_gradascent"]
    assert len(messages) == 2, messages
    assert "forward" in messages[0]
    again = GradAscentCallback(
        forward=lambda module, x: module.net(x.flatten(1)), strict=True, ascent=BRIEF
    )
    fit(Blind(), tmp_path, again)
    assert steps(list(read_samples(tmp_path, tag="confused"))) == [0]


def test_an_interrupted_training_keeps_its_samples(tmp_path: Path) -> None:
    class Interrupted(Classifier):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if batch_idx == 3:
                raise RuntimeError("as if")
            return super().training_step(batch, batch_idx)

    callback = GradAscentCallback(every=1, strict=True, ascent=None)
    module = Interrupted()
    with pytest.raises(RuntimeError, match="as if"):
        fit(module, tmp_path, callback)
    assert not any(part._forward_hooks for part in module.modules())
    assert steps(list(read_samples(tmp_path))) == [0, 1, 2]


def test_an_error_of_the_training_is_not_hidden_by_an_error_of_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Classifier):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            raise RuntimeError("as if")

    def close(self: GradAscentHook) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(GradAscentHook, "close", close)
    with pytest.raises(RuntimeError, match="as if") as caught:
        fit(Interrupted(), tmp_path, GradAscentCallback(strict=True))
    assert caught.value.__context__ is None


def test_the_old_callbacks_parameters_have_counterparts() -> None:
    GradAscentCallback(top_k=5, every=20, criterion=LogitMargin(max_difference=0.1, min_logit=5.0))
    with pytest.raises(TypeError, match="logging_batch_interval"):
        GradAscentCallback(logging_batch_interval=20)


class TwoOptimizers(Classifier):
    """It steps one optimizer for the features and one for the last layer, each in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def configure_optimizers(self) -> Any:
        features, head = self.net[:-1], self.net[-1]
        return torch.optim.Adam(features.parameters(), 1e-3), torch.optim.SGD(
            head.parameters(), 1e-2
        )

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        for optimizer in optimizers:
            self.toggle_optimizer(optimizer)
            loss = super().training_step(batch, batch_idx)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.untoggle_optimizer(optimizer)


@pytest.mark.slow
def test_several_optimizers_count_their_steps_together(tmp_path: Path) -> None:
    with_it, without = TwoOptimizers(), TwoOptimizers()
    trainer = fit(with_it, tmp_path / "with", GradAscentCallback(every=5, strict=True))
    fit(without, tmp_path / "without", None)
    for name, value in without.state_dict().items():
        assert torch.equal(value, with_it.state_dict()[name]), name
    assert trainer.global_step == 2 * BATCHES, "as Lightning counts"
    samples = list(read_samples(tmp_path, tag="confused"))
    assert steps(samples) == [0, 6, 10, 16, 20]
    for sample in samples:
        assert_of_batch(sample, sample.step // 2)


class SemiSupervised(Part):
    """A batch of each of two loaders; the second one has no labels."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch["labelled"]
        loss = self.criterion(self.net(x), y)
        chances = self.net(batch["unlabelled"][0]).softmax(1)
        return loss - (chances * chances.log()).sum(1).mean() / 10


@pytest.mark.slow
def test_of_several_training_loaders_the_labelled_one_is_captured(tmp_path: Path) -> None:
    images, _ = digits("test")
    unlabelled: Any = TensorDataset(images[: BATCH * BATCHES])
    loaders = {"labelled": data(), "unlabelled": DataLoader(unlabelled, BATCH)}
    fit(SemiSupervised(), tmp_path, GradAscentCallback(every=5, strict=True), loader=loaders)
    samples = list(read_samples(tmp_path, tag="confused"))
    assert steps(samples) == [0, 5, 10]
    for sample in samples:
        assert_of_batch(sample, sample.step)


@pytest.mark.slow
def test_of_several_validation_loaders_the_worst_of_all_are_captured(tmp_path: Path) -> None:
    class Several(Classifier):
        def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
            super().validation_step(batch, batch_idx)

    images, labels = (tensor[: BATCH * BATCHES] for tensor in digits("test"))
    parts = [slice(0, 40), slice(40, None)]
    loaders = [DataLoader(TensorDataset(images[rows], labels[rows]), BATCH) for rows in parts]
    model = Several()
    trainer = lightning.pytorch.Trainer(
        accelerator="cpu",
        callbacks=[GradAscentCallback(tmp_path, strict=True)],
        logger=False,
        enable_progress_bar=False,
    )
    trainer.validate(model, loaders, verbose=False)
    assert_the_worst(list(read_samples(tmp_path, tag="validation")), model.eval().net)


@pytest.mark.slow
def test_the_average_of_the_weights_is_a_judge(tmp_path: Path) -> None:
    class Averaged(Part):
        """Its average is of other weights."""

    average = lightning.pytorch.callbacks.WeightAveraging(
        avg_fn=lambda averaged, current, count: 0.5 * averaged + 0.5 * current
    )
    model = Averaged()
    callback = GradAscentCallback(every=1, average=True, validation=False, strict=True)
    trainer = lightning.pytorch.Trainer(
        accelerator="cpu",
        callbacks=[callback, average],
        logger=lightning.pytorch.loggers.TensorBoardLogger(tmp_path, "digits", "run"),
        max_steps=6,
        enable_progress_bar=False,
        enable_checkpointing=False,
        limit_val_batches=0,
    )
    trainer.fit(model, data(), data("test"))
    samples = [s for s in read_samples(tmp_path, tag="confused") if s.step == 5]
    morphs = [m for s in samples for t in s.targets for m in t.morphs.values()]
    assert morphs
    for morph in morphs:
        answer = morph.judges["average"].probabilities
        own = next(t for s in samples for t in s.targets if morph in t.morphs.values())
        assert not np.allclose(answer, own.probabilities, atol=1e-6)
