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

from tb_gradascent import GradAscentHook, LogitMargin, Sample, read_samples
from tb_gradascent.lightning import GradAscentCallback
from testing.networks import convolutional, digits

pytestmark = [
    # Lightning's own.
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:Precision bf16-mixed"),
]

BATCH, BATCHES = 16, 12


class Classifier(lightning.pytorch.LightningModule):
    """As the tutorials write it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = convolutional()
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return self.criterion(self(x), y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("accuracy", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-3)


def data(part: str = "train") -> DataLoader[Any]:
    images, labels = digits(part)
    rows = slice(BATCH * BATCHES)
    return DataLoader(TensorDataset(images[rows], labels[rows]), BATCH)


def fit(
    module: Any,
    folder: Path,
    callback: Any,
    *,
    package: Any = lightning.pytorch,
    loader: Any = None,
    checkpoint: str | None = None,
    **options: Any,
) -> Any:
    """Trains, logging to ``folder/digits/run``; gives the Trainer."""
    torch.manual_seed(3)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    logger = package.loggers.TensorBoardLogger(folder, "digits", "run")
    options = {"max_epochs": 1, "logger": logger, "enable_checkpointing": False} | options
    trainer = package.Trainer(
        accelerator="cpu",
        callbacks=[callback] if callback else [],
        default_root_dir=folder,
        **(quiet | options),
    )
    trainer.fit(module, loader or data(), data("test"), ckpt_path=checkpoint)
    return trainer


def steps(samples: list[Sample]) -> list[int]:
    return sorted({sample.step for sample in samples})


def assert_of_batch(sample: Sample, step: int, part: str = "train") -> None:
    """The sample is one of the batch of that number, image and label."""
    images, labels = digits(part)
    rows = range(BATCH * step, BATCH * (step + 1))
    places = [row for row in rows if np.array_equal(sample.image, images[row].numpy())]
    assert sample.label in labels[places].tolist()


def test_a_callback_and_nothing_else(tmp_path: Path) -> None:
    callback = GradAscentCallback(every=5, strict=True)
    fit(Classifier(), tmp_path, callback)
    samples = list(read_samples(tmp_path))
    assert steps(samples) == [0, 5, 10]
    assert {sample.run for sample in samples} == {"digits/run"}
    assert list((tmp_path / "digits" / "run").glob("events.out.tfevents.1*")), "the logger's own"
    for sample in samples:
        assert_of_batch(sample, sample.step)
    assert callback.hook is not None
    assert callback.hook.stats.written == len(samples) > 0


def test_training_with_it_is_bit_for_bit_training_without(tmp_path: Path) -> None:
    with_it, without = Classifier(), Classifier()
    fit(with_it, tmp_path / "with", GradAscentCallback(every=1, validation=True, strict=True))
    fit(without, tmp_path / "without", None)
    assert len(steps(list(read_samples(tmp_path, tag="confused")))) == BATCHES
    for name, value in without.state_dict().items():
        assert torch.equal(value, with_it.state_dict()[name]), name
    assert not any(module._forward_hooks for module in with_it.modules())


class Part(Classifier):
    """The step calls a part of the module, which has no forward of its own."""

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
    """The step is made of parts, none of which maps images to logits, and forward says how."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = self.net[:-1], self.net[-1]

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(x))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return self.criterion(self.head(self.backbone(x)), y)


class Told(Composed):
    """The step says what the logits are."""

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
    """A part is TorchScript."""

    def __init__(self) -> None:
        super().__init__()
        self.net: Any = torch.jit.script(self.net)


@pytest.mark.filterwarnings(r"ignore:`torch\.jit\.\w+` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("module", [Part, Distilled, Composed, Told, Manual, Scripted])
def test_whatever_the_training_step_is_like(tmp_path: Path, module: type[Classifier]) -> None:
    model = module()
    fit(model, tmp_path, GradAscentCallback(strict=True), max_steps=1, limit_val_batches=1)
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


@pytest.mark.parametrize("package", [lightning.pytorch, pytorch_lightning])
def test_each_package_takes_it(tmp_path: Path, package: Any) -> None:
    members = {name: value for name, value in vars(Classifier).items() if name != "__init__"}

    def init(self: Any) -> None:
        package.LightningModule.__init__(self)
        self.net, self.criterion = convolutional(), nn.CrossEntropyLoss()

    module = type("Other", (package.LightningModule,), members | {"__init__": init})()
    trainer = fit(module, tmp_path, GradAscentCallback(strict=True), package=package)
    assert isinstance(trainer, package.Trainer)
    assert steps(list(read_samples(tmp_path))) == [0]


def test_accumulated_batches_are_one_step(tmp_path: Path) -> None:
    callback = GradAscentCallback(every=1, strict=True)
    trainer = fit(Classifier(), tmp_path, callback, accumulate_grad_batches=4)
    samples = list(read_samples(tmp_path))
    assert trainer.global_step == 3
    assert steps(samples) == [0, 1, 2]
    for sample in samples:
        assert_of_batch(sample, 4 * sample.step)


def test_validation_batches_on_request(tmp_path: Path) -> None:
    options: Any = {"max_epochs": 4, "val_check_interval": 6, "num_sanity_val_steps": 2}
    fit(
        Classifier(),
        tmp_path,
        GradAscentCallback(every=12, validation=True, strict=True),
        **options,
    )
    samples = list(read_samples(tmp_path, tag="validation"))
    assert steps(samples) == [6, 12, 24, 36, 48]
    for sample in samples:
        assert_of_batch(sample, 0, "test")
    assert steps(list(read_samples(tmp_path, tag="confused"))) == [0, 12, 24, 36]


@pytest.mark.parametrize("batches", [True, 3])
def test_fast_dev_run_takes_all_steps_and_keeps_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    monkeypatch.chdir(tmp_path)
    callback = GradAscentCallback(every=1, validation=True, strict=True)
    fit(Classifier(), tmp_path, callback, fast_dev_run=batches)
    assert callback.hook is not None
    assert callback.hook.stats.written == callback.hook.stats.captured >= 4
    assert list(tmp_path.rglob("*tfevents*")) == []


def test_a_training_that_is_resumed_goes_on(tmp_path: Path) -> None:
    saving: Any = {"enable_checkpointing": True, "max_steps": 12, "max_epochs": -1}
    trainer = fit(Classifier(), tmp_path, GradAscentCallback(every=4, strict=True), **saving)
    path = trainer.checkpoint_callback.best_model_path
    callback = GradAscentCallback(every=4, strict=True)
    fit(Classifier(), tmp_path, callback, checkpoint=path, **(saving | {"max_steps": 24}))
    samples = list(read_samples(tmp_path))
    assert {sample.run for sample in samples} == {"digits/run"}
    assert steps(samples) == [0, 4, 8, 12, 16, 20]


def test_mixed_precision(tmp_path: Path) -> None:
    model = Classifier()
    callback = GradAscentCallback(strict=True)
    fit(model, tmp_path, callback, precision="bf16-mixed", max_steps=1, limit_val_batches=0)
    samples = list(read_samples(tmp_path))
    assert samples
    model.eval()
    for sample in samples:
        exact = model(torch.from_numpy(sample.image)[None]).softmax(1)[0].detach().numpy()
        np.testing.assert_allclose(sample.probabilities, exact[sample.classes], atol=1e-6)


@pytest.mark.parametrize("logger", ["csv first", "csv", "none", "given"])
def test_where_it_logs(tmp_path: Path, logger: str) -> None:
    csv = lightning.pytorch.loggers.CSVLogger(tmp_path, "csv", "0")
    board = lightning.pytorch.loggers.TensorBoardLogger(tmp_path, "board", "0")
    loggers: Any = {"csv first": [csv, board], "csv": csv, "none": False, "given": board}[logger]
    log = tmp_path / "here" if logger == "given" else None
    fit(Classifier(), tmp_path, GradAscentCallback(log, strict=True), logger=loggers, max_steps=1)
    expected = {"csv first": "board/0", "csv": "csv/0", "none": ".", "given": "here"}[logger]
    assert {sample.run for sample in read_samples(tmp_path)} == {expected}


def named(rows: int) -> list[dict[str, Any]]:
    """Dictionaries, with what is neither image nor label."""
    images, labels = digits()
    return [
        {"row": row, "age": float(row), "image": images[row], "label": labels[row]}
        for row in range(rows)
    ]


class Aged(Classifier):
    """It is given two inputs by name; batches are dictionaries."""

    def forward(self, image: Tensor, *, age: Tensor) -> Tensor:  # type: ignore[override]
        bias = nn.functional.one_hot(age.long() % 10, 10) * 50
        logits: Tensor = self.net(image) + bias
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self.criterion(self(batch["image"], age=batch["age"]), batch["label"])


def test_dictionaries_and_further_inputs(tmp_path: Path) -> None:
    callback = GradAscentCallback(criterion=lambda logits, labels: logits[:, 0], strict=True)
    loader: Any = DataLoader(named(BATCH), BATCH)  # type: ignore[arg-type]
    fit(Aged(), tmp_path, callback, loader=loader, max_steps=1, limit_val_batches=0)
    samples = list(read_samples(tmp_path))
    images, labels = digits()
    assert len(samples) == 4
    for sample in samples:
        (row,) = (r for r in range(BATCH) if np.array_equal(images[r].numpy(), sample.image))
        assert sample.label == labels[row]
        assert sample.classes[0] == row % 10, "which the sample's own age decides"


def test_a_compiled_module(tmp_path: Path) -> None:
    model = torch.compile(Classifier(), backend="eager")
    fit(model, tmp_path, GradAscentCallback(every=5, strict=True))
    samples = list(read_samples(tmp_path))
    assert steps(samples) == [0, 5, 10]
    for sample in samples:
        assert_of_batch(sample, sample.step)


class Blind(Part):
    """Nothing in it takes an image."""

    def __init__(self) -> None:
        super().__init__()
        self.net: Any = nn.Linear(784, 10)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return self.criterion(self.net(x.flatten(1)), y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        return


def test_a_fault_is_logged_once_and_says_what_to_give(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tb_gradascent"):
        trainer = fit(Blind(), tmp_path, GradAscentCallback(every=1))
    assert trainer.global_step == BATCHES
    messages = [record.getMessage() for record in caplog.records if record.name == "tb_gradascent"]
    assert len(messages) == 2, messages
    assert "forward" in messages[0]
    again = GradAscentCallback(forward=lambda module, x: module.net(x.flatten(1)), strict=True)
    fit(Blind(), tmp_path, again)
    assert steps(list(read_samples(tmp_path))) == [0]


def test_an_interrupted_training_keeps_its_samples(tmp_path: Path) -> None:
    class Interrupted(Classifier):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if batch_idx == 3:
                raise RuntimeError("as if")
            return super().training_step(batch, batch_idx)

    callback = GradAscentCallback(every=1, strict=True)
    module = Interrupted()
    with pytest.raises(RuntimeError, match="as if"):
        fit(module, tmp_path, callback)
    assert not any(part._forward_hooks for part in module.modules())
    assert steps(list(read_samples(tmp_path))) == [0, 1, 2]


def test_an_error_of_the_training_is_not_hidden_behind_one_of_the_writing(
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


def test_the_old_callbacks_parameters_have_equals() -> None:
    GradAscentCallback(top_k=5, every=20, criterion=LogitMargin(max_difference=0.1, min_logit=5.0))
    with pytest.raises(TypeError, match="logging_batch_interval"):
        GradAscentCallback(logging_batch_interval=20)
