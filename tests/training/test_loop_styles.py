"""Scripts in the styles of many frameworks, patched, and each sample compared with torch."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tb_gradascent import read_samples
from testing.by_torch import assert_as_by_torch
from testing.fork_server import ForkServer
from testing.networks import convolutional, digits
from testing.patched_script import patch_of, run, same
from testing.worst import assert_worst_of_evaluation

BATCHES = 8
"""In an epoch of each script; there are two."""

#: Steps that are counted from 0 or from 1.
FROM_0, FROM_1 = {0, 5, 10, 15}, {1, 4, 8, 12, 16}


@dataclasses.dataclass(frozen=True)
class Loop:
    """A script.

    Attributes:
        script: Its name.
        network: Makes the network, given the script as a module.
        steps: Those that it captures. The last one is the training's last.
        options: Its command line.
        needs: The packages that it imports.
        forms: Maps the data's images to what may be recorded of them.
        size: How many images of the data it trains with.
        validates: Whether its patch also captures the worst of the validation's 64 images.
        labels: Whether the labels of the training are known.
    """

    script: str
    network: Callable[[Any], Any]
    steps: set[int]
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    forms: Callable[[Tensor], list[Tensor]] = lambda images: [images]
    size: int = 128
    validates: bool = False
    labels: bool = True


def scaled(images: Tensor) -> list[Tensor]:
    """As MONAI's ``ScaleIntensity`` gives them."""
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    return [(images - low) / (high - low)]


def mirrored(images: Tensor) -> list[Tensor]:
    """In three channels, as they are or from right to left."""
    images = images.expand(-1, 3, -1, -1)
    return [images, images.flip(-1)]


def of_transformers(
    script: str, *options: str, lora: bool = False, needs: tuple[str, ...] = ()
) -> Loop:
    def network(module: Any) -> Any:
        build = importlib.import_module("tests.loops.transformers_trainer").build
        return build(lora)

    if script == "transformers_trainer":
        options += ("--output_dir=out", "--use_cpu", "--report_to=none", "--save_strategy=no")
        options += ("--per_device_train_batch_size=16", "--num_train_epochs=2", "--disable_tqdm=1")
        options += ("--learning_rate=5e-3", "--per_device_eval_batch_size=16")
    needs = ("transformers", "accelerate", *needs, *(["peft"] if lora else []))
    validates = script == "transformers_trainer"
    options += ("--lora",) if lora else ()
    return Loop(script, network, FROM_1, options, needs, validates=validates)


LOOPS = {
    "PyTorch's RNN": Loop("rnn_example", lambda script: script.Net(), FROM_0),
    "PyTorch's ImageNet": Loop("imagenet_example", lambda script: convolutional(), FROM_0),
    "airbench": Loop(
        "airbench_style", lambda script: script.make_net(), FROM_0, forms=mirrored, size=256
    ),
    "airbench, compiled": Loop(
        "airbench_style",
        lambda script: script.make_net(),
        FROM_0,
        ("--compile",),
        forms=mirrored,
        size=256,
    ),
    "Transformers": of_transformers("transformers_trainer"),
    "Transformers, label smoothing": of_transformers(
        "transformers_trainer", "--label_smoothing_factor=0.1"
    ),
    "Transformers, gradient checkpointing": of_transformers(
        "transformers_trainer", "--gradient_checkpointing"
    ),
    "Transformers, compiled": of_transformers(
        "transformers_trainer", "--torch_compile", "--torch_compile_backend=aot_eager"
    ),
    "Transformers, LoRA": of_transformers("transformers_trainer", lora=True),
    "Transformers, all of it": of_transformers(
        "transformers_trainer",
        "--label_smoothing_factor=0.1",
        "--gradient_checkpointing",
        "--torch_compile",
        "--torch_compile_backend=aot_eager",
        lora=True,
    ),
    "Accelerate": of_transformers("transformers_no_trainer", "--gradient_accumulation_steps=2"),
    "Accelerate, LoRA": of_transformers(
        "transformers_no_trainer", "--gradient_accumulation_steps=2", lora=True
    ),
    "Lightning": Loop(
        "lightning_style",
        lambda script: script.LitClassifier(),
        FROM_0,
        ("--trainer.logger=false", "--data.batch_size=16"),
        ("lightning", "jsonargparse"),
        validates=True,
    ),
    "Lightning, fine-tuning": Loop(
        "lightning_finetuning",
        lambda script: script.TransferLearningModel(),
        FROM_0,
        needs=("lightning",),
        validates=True,
    ),
    "Fabric": Loop("fabric_style", lambda script: script.Net(), FROM_0, needs=("lightning",)),
    "Ignite": Loop(
        "ignite_style", lambda script: script.Net(), FROM_1, needs=("ignite",), validates=True
    ),
    "MONAI": Loop(
        "monai_style",
        lambda script: convolutional(),
        FROM_1,
        needs=("monai", "ignite"),
        forms=scaled,
        validates=True,
    ),
    "fastai": Loop(
        "fastai_style",
        lambda script: convolutional(),
        FROM_1,
        needs=("fastai",),
        validates=True,
    ),
    "fastai, mixup": Loop(
        "fastai_style",
        lambda script: convolutional(),
        FROM_1,
        ("--mixup=0.4",),
        needs=("fastai",),
        validates=True,
        labels=False,
    ),
}


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of the frameworks, which the network's class imports
@pytest.mark.parametrize("name", LOOPS)
def test_four_lines_record_what_torch_says_and_change_nothing(
    programs: ForkServer, tmp_path: Path, name: str
) -> None:
    loop = LOOPS[name]
    for package in loop.needs:
        pytest.importorskip(package, reason=f"{package} is not installed")
    patch = patch_of(loop.script)
    states = [
        run(loop.script, change, tmp_path / folder, programs, *loop.options, warnings="ignore")
        for change, folder in ((None, "plain"), (patch, "patched"))
    ]
    assert same(*states), "bit for bit"
    network = loop.network(importlib.import_module(f"tests.loops.{loop.script}"))
    network.load_state_dict(states[1])
    network.eval()

    def answer(inputs: Tensor) -> Any:
        output = network(inputs)
        return getattr(output, "logits", output)

    samples = list(read_samples(tmp_path / "patched" / "runs", tag="confused"))
    assert {sample.step for sample in samples} == loop.steps
    images, labels = (tensor[: loop.size] for tensor in digits())
    forms = [form.numpy() for form in loop.forms(images)]
    for sample in samples:
        if loop.labels:
            rows = [
                row
                for form in forms
                for row in range(loop.size)
                if np.array_equal(form[row], sample.image)
            ]
            assert sample.label in labels[rows].tolist()
        else:
            assert sample.label is None
    last = [sample for sample in samples if sample.step == max(loop.steps)]
    assert_as_by_torch(last, answer)  # made with the weights that the script saved
    if loop.validates:
        validated = list(read_samples(tmp_path / "patched" / "runs", tag="validation"))
        end = max(sample.step for sample in validated)
        assert end == 2 * BATCHES
        images, labels = (tensor[:64] for tensor in digits("test"))
        (images,) = loop.forms(images)
        worst = [sample for sample in validated if sample.step == end]
        with torch.no_grad():
            assert_worst_of_evaluation(worst, answer(images), images, labels)
        assert_as_by_torch(worst, answer)


def test_every_script_has_a_patch_and_is_run() -> None:
    folder = Path(importlib.import_module("tests.loops").__path__[0])
    scripts = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert scripts == {path.stem for path in folder.glob("*.patch")}
    elsewhere = {"mnist_example", "reference_classification", "timm_style"}
    assert scripts == elsewhere | {loop.script for loop in LOOPS.values()}
