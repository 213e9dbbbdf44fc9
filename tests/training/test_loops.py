"""The hook in other people's scripts, and with models of many kinds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import GradAscentHook, read_samples
from testing.fork_server import ForkServer
from testing.networks import convolutional, digits
from testing.patched_script import patch_of, run, same


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "options"),
    [("mnist_example", ()), ("reference_classification", ("--amp", "--model-ema"))],
)
def test_at_most_four_lines_add_the_hook_to_an_existing_script(
    programs: ForkServer, tmp_path: Path, script: str, options: tuple[str, ...]
) -> None:
    patch = patch_of(script)
    plain = run(script, None, tmp_path / "plain", programs, *options)
    patched = run(script, patch, tmp_path / "patched", programs, *options)
    assert same(plain, patched), "bit for bit"
    samples = list(read_samples(tmp_path / "patched" / "runs"))
    assert sorted({sample.step for sample in samples}) == [0, 10, 20]
    images, labels = digits()
    for sample in samples:
        (row, *_) = (r for r in range(384) if np.array_equal(images[r].numpy(), sample.image))
        assert sample.label == labels[row]


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("mixup", ["0.0", "0.8"])
def test_four_lines_record_the_training_and_the_validation_of_a_script_like_timms(
    programs: ForkServer, tmp_path: Path, mixup: str
) -> None:
    patch = patch_of("timm_style")
    plain = run("timm_style", None, tmp_path / "plain", programs, "--mixup", mixup)
    patched = run("timm_style", patch, tmp_path / "patched", programs, "--mixup", mixup)
    assert same(plain, patched), "bit for bit"
    trained = list(read_samples(tmp_path / "patched" / "runs", tag="confused"))
    assert {sample.step for sample in trained} == {0, 8, 16, 24}
    if mixup != "0.0":
        assert None in {sample.label for sample in trained}, "of two classes"
    samples = list(read_samples(tmp_path / "patched" / "runs", tag="validation"))
    assert {sample.step for sample in samples} == {15, 31}
    network = convolutional()
    network.load_state_dict(patched["model"])
    images = digits("test")[0][:128]
    with torch.no_grad():
        chances = network.eval()(images).softmax(1)
    first, second = chances.topk(2).values.unbind(1)
    confused = [r for r in (first - second).argsort().tolist() if (first - second)[r] <= 0.5][:4]
    last = [sample for sample in samples if sample.step == 31]
    assert [sample.id for sample in last] == list(map(str, confused))
    for row, sample in zip(confused, last, strict=True):
        assert np.array_equal(images[row].numpy(), sample.image)
        np.testing.assert_allclose(
            sample.probabilities, chances[row][list(sample.classes)], atol=1e-5
        )


@dataclasses.dataclass
class Output:
    """An output as Transformers' models return it."""

    loss: Tensor | None
    logits: Tensor


@dataclasses.dataclass
class OwnOutput:
    """An output of an unknown class."""

    features: Tensor
    scores: Tensor


class Wrapped(nn.Module):
    """A classifier that returns more than the logits."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.net = convolutional()
        self.kind = kind

    def forward(self, x: Tensor) -> Any:
        logits = self.net(x)
        outputs: dict[str, Any] = {
            "log-softmax": logits.log_softmax(1),
            "tuple": (logits, x.mean()),
            "mapping": {"features": x, "logits": logits},
            "dataclass": Output(None, logits),
            "own": OwnOutput(x, logits),
        }
        return outputs[self.kind]


@pytest.mark.parametrize("kind", ["log-softmax", "tuple", "mapping", "dataclass", "own"])
def test_a_models_output_can_be_given_to_the_hook_unchanged(tmp_path: Path, kind: str) -> None:
    model = Wrapped(kind)
    images, labels = digits()
    own = kind == "own"
    forward = (lambda model, x: model(x).scores) if own else None
    with GradAscentHook(model, tmp_path, forward=forward, ascent=None, strict=True) as hook:
        output = model(images[:16])
        assert hook(images[:16], output.scores if own else output, labels[:16]) == 4
    model.eval()
    for sample in read_samples(tmp_path):
        exact = model.net(torch.from_numpy(sample.image)[None]).softmax(1)[0].detach().numpy()
        np.testing.assert_allclose(sample.probabilities, exact[sample.classes], atol=1e-6)


def test_a_model_with_several_inputs_in_dictionaries_is_captured(tmp_path: Path) -> None:
    class Aged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = convolutional()
            self.bias = nn.Embedding(100, 10)

        def forward(self, image: Tensor, age: Tensor) -> Tensor:
            logits: Tensor = self.net(image) + self.bias(age)
            return logits

    images, labels = digits()
    batches = [
        {"image": images[rows], "age": torch.arange(16) + rows.start, "label": labels[rows]}
        for rows in (slice(start, start + 16) for start in range(0, 64, 16))
    ]
    model = Aged()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    ages = dict(zip((image.numpy().tobytes() for image in images[:64]), range(64), strict=True))
    with GradAscentHook(model, tmp_path, every=3, ascent=None, strict=True) as hook:
        for batch in batches:
            logits = model(batch["image"], batch["age"])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, batch["label"]).backward()
            optimizer.step()
            hook(batch["image"], logits, batch["label"], additional_forward_args=(batch["age"],))
    samples = list(read_samples(tmp_path))
    assert sorted({sample.step for sample in samples}) == [0, 3]
    model.eval()
    for sample in samples[-4:]:  # of the last step, so the weights are the current ones
        age = torch.tensor([ages[sample.image.tobytes()]])
        assert sample.label == labels[age]
        exact = model(torch.from_numpy(sample.image)[None], age).softmax(1)[0].detach().numpy()
        np.testing.assert_allclose(sample.probabilities, exact[sample.classes], atol=1e-6)
