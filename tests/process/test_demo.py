"""The demo: its command once, and its parts. torchvision's data sets are made-up files."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import pickle
import signal
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import Subset

from demo import data, models, photos
from demo.__main__ import fresh, main, parse
from demo.optional import torchvision_module
from demo.train import Settings, train
from tb_gradascent import read_samples
from testing.interrupts import heeding_interrupts
from testing.paths import ROOT
from testing.tensorboard_process import PATIENCE


@pytest.mark.process
@pytest.mark.slow
def test_the_demo_trains_two_runs_and_serves_them_until_it_is_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo", "--epochs", "1", "--port", "0"]
    command += ["--logdir", str(tmp_path)]
    with (
        heeding_interrupts(),
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(process.kill)
        assert process.stdout is not None
        accuracies = []
        for line in process.stdout:
            if "test accuracy" in line:
                accuracies.append(float(line.split()[-1].rstrip("%")))
            if line.startswith("Open"):
                break
        assert len(accuracies) == 2
        assert min(accuracies) > 90
        address, tab = line.split()[1].split("#")
        assert tab == "gradascent"
        with urllib.request.urlopen(f"{address}data/plugin/{tab}/runs") as answer:
            assert {run["run"] for run in json.load(answer)["runs"]} <= {"baseline", "noise"}
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert_runs_follow_one_image_of_each_digit(tmp_path)


def assert_runs_follow_one_image_of_each_digit(logdir: Path) -> None:
    assert sorted(path.name for path in logdir.iterdir()) == ["baseline", "noise"]
    for run in ("baseline", "noise"):
        samples = list(read_samples(logdir, run=run))
        steps = sorted({sample.step for sample in samples})
        assert steps == list(range(0, 157, 20))
        for step in steps:
            probes = [sample for sample in samples if sample.step == step and sample.probe]
            assert [sample.label for sample in probes] == list(range(10))
        confused = [sample for sample in samples if not sample.probe]
        assert all(sample.id and sample.id.startswith("train/") for sample in confused)
        assert all(sample.class_names == tuple("0123456789") for sample in samples)


def test_each_call_makes_new_runs(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        run = fresh(tmp_path, "baseline")
        run.mkdir()
        names.append(run.name)
    assert names == ["baseline", "baseline-2", "baseline-3"]


@pytest.mark.slow
def test_the_same_seed_trains_the_same_model(tmp_path: Path) -> None:
    digits = data.load_digits()
    few = dataclasses.replace(digits, train=Subset(digits.train, range(128)))
    accuracies = {
        train(few, tmp_path / str(number), Settings(epochs=1, seed=3)) for number in range(2)
    }
    assert len(accuracies) == 1


def test_digits_are_as_the_readme_says() -> None:
    digits = data.load_digits()
    images, labels, names = digits.one_of_each_class()
    assert images.shape == (10, *digits.shape)
    assert labels.tolist() == list(range(10))
    assert len(set(names)) == 10
    everything = torch.stack([image for image, _, _ in digits.train])  # type: ignore[attr-defined]
    assert everything.shape == (10_000, 1, 28, 28)
    assert abs(everything.mean()) < 0.02
    assert abs(everything.std() - 1) < 0.02


def test_noise_is_for_training_only() -> None:
    model = models.make("cnn", (1, 28, 28), 10, noise=1.0)
    inputs = torch.zeros(2, 1, 28, 28)
    model.train()
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


@pytest.mark.parametrize("arguments", [["--epochs", "0"], ["--dataset", "imagenet"], ["--oops"]])
def test_invalid_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize("failure", [None, "broken"])
def test_one_line_says_that_torchvision_cannot_be_imported(
    failure: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    if failure:
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('operator nms')")
        monkeypatch.syspath_prepend(tmp_path)
    else:
        monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(SystemExit, match="pip install --upgrade torch torchvision") as exit_:
        torchvision_module("models", "--model resnet18")
    assert "\n" not in str(exit_.value)
    assert str(exit_.value).startswith("--model resnet18 needs")


def test_one_line_says_which_packages_the_photographs_need(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(photos, "PACKAGES", ("PIL", "no_such_network", "no_such_pictures"))
    with pytest.raises(SystemExit) as exit_:
        main(["--dataset", "photos", "--no-serve", "--logdir", str(tmp_path)])
    assert str(exit_.value) == (
        "--dataset photos needs no_such_network, no_such_pictures; "
        "run: pip install -c constraints.txt -e '.[photos]'"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(bool(photos.missing()), reason=f"needs {', '.join(photos.missing())}")
def test_photographs_are_recorded_with_both_morphs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cat = {"chelsea.png": photos.PHOTOGRAPHS["chelsea.png"]}
    monkeypatch.setattr(photos, "PHOTOGRAPHS", cat)
    main(["--dataset", "photos", "--no-serve", "--logdir", str(tmp_path)])
    (sample,) = read_samples(tmp_path, run="photos")
    assert (sample.id, sample.tag, sample.image.shape) == (
        "chelsea.png",
        "photographs",
        (3, 224, 224),
    )
    names = sample.class_names
    assert names is not None
    assert len(names) == 1000
    assert sample.label is not None
    assert (names[sample.label], names[sample.classes[0]]) == ("tabby", "Egyptian cat")
    assert [names[target.index] for target in sample.targets] == ["tiger cat", "golden retriever"]
    for target in sample.targets:
        assert set(target.morphs) == {"smallest", "visible"}
        assert all(set(morph.judges) == {"Lite1"} for morph in target.morphs.values())


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a file in the format of MNIST's authors."""
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + array.astype(np.uint8).tobytes())
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))


def write_mnist(folder: Path, images: np.ndarray) -> None:
    """Write a tiny MNIST of ten training and ten test images."""
    for split in ("train", "t10k"):
        write_idx(folder / "raw" / f"{split}-images-idx3-ubyte", images)
        write_idx(folder / "raw" / f"{split}-labels-idx1-ubyte", np.arange(10))


@pytest.mark.torchvision
@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")]
)
def test_mnist_and_fashion_mnist_are_read(name: str, folder: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 28, 28))
    write_mnist(tmp_path / folder, images)
    loaded = data.load_torchvision(name, tmp_path)
    assert len(loaded.class_names) == 10
    image, label, row = loaded.train[7]
    assert (int(label), int(row)) == (7, 7)
    shown = image * loaded.std[0] + loaded.mean[0]
    np.testing.assert_allclose(shown[0] * 255, images[7], atol=1e-3)


@pytest.mark.torchvision
def test_cifar_is_read_and_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    folder = tmp_path / datasets.CIFAR10.base_folder
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (10, 3, 32, 32), dtype=np.uint8)
    batch = {"data": pixels.reshape(10, -1), "labels": list(range(10))}
    names = [name for name, _ in datasets.CIFAR10.train_list + datasets.CIFAR10.test_list]
    for name in names:
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    monkeypatch.setattr(datasets.CIFAR10, "_check_integrity", lambda _: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    loaded = data.load("cifar10", tmp_path)
    image, label, _ = loaded.train[13]
    assert (image.shape, int(label)) == ((3, 32, 32), 3)
    assert loaded.class_names == tuple("abcdefghij")

    train(loaded, tmp_path / "run", Settings(model="resnet18", epochs=1, every=100))
    samples = list(read_samples(tmp_path / "run"))
    assert {sample.image.shape for sample in samples} == {(3, 32, 32)}
    probes = {sample.label: sample for sample in samples if sample.probe}
    assert set(probes) == set(range(10))
    for image, label in zip(*loaded.one_of_each_class()[:2], strict=True):
        np.testing.assert_array_equal(probes[int(label)].image, image)
