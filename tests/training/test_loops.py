"""Loops as people have them: others' scripts with a few lines put in, and models of all kinds."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import GradAscentHook, read_samples
from testing.networks import convolutional, digits
from testing.paths import ROOT

LOOPS = ROOT / "tests" / "loops"


def run(script: str, patch: Path | None, folder: Path, *options: str) -> dict[str, Any]:
    """Trains by a copy of a script, patched; gives what it saved."""
    folder.mkdir()
    (folder / f"{script}.py").write_bytes((LOOPS / f"{script}.py").read_bytes())
    python = [sys.executable, f"{script}.py", *options]
    # Git is not to take the folder for a part of some repository around it.
    variables = {"PYTHONPATH": str(ROOT), "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    for command in [["git", "apply", str(patch)], python] if patch else [python]:
        subprocess.run(command, cwd=folder, check=True, env=os.environ | variables)
    saved: dict[str, Any] = torch.load(folder / "model.pt")
    return saved


@pytest.mark.parametrize(
    ("script", "options"),
    [("mnist_example", ()), ("reference_classification", ("--amp", "--model-ema"))],
)
def test_at_most_four_lines_put_it_into_someone_elses_script(
    tmp_path: Path, script: str, options: tuple[str, ...]
) -> None:
    patch = LOOPS / f"{script}.patch"
    lines = patch.read_text(encoding="utf-8").splitlines()[2:]
    assert sum(line.startswith("+") for line in lines) <= 4
    assert not any(line.startswith("-") for line in lines)
    plain = run(script, None, tmp_path / "plain", *options)
    patched = run(script, patch, tmp_path / "patched", *options)
    assert same(plain, patched), "bit for bit"
    samples = list(read_samples(tmp_path / "patched" / "runs"))
    assert sorted({sample.step for sample in samples}) == [0, 10, 20]
    images, labels = digits()
    for sample in samples:
        (row, *_) = (r for r in range(384) if np.array_equal(images[r].numpy(), sample.image))
        assert sample.label == labels[row]


def same(one: Any, other: Any) -> bool:
    """Whether two nested states are equal, bit for bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, Tensor) else bool(one == other)


@dataclasses.dataclass
class Output:
    """As Transformers' models return it."""

    loss: Tensor | None
    logits: Tensor


@dataclasses.dataclass
class OwnOutput:
    """As some model returns it."""

    features: Tensor
    scores: Tensor


class Wrapped(nn.Module):
    """A classifier whose answer is more than the logits."""

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
def test_what_a_model_returns_goes_to_the_hook_as_it_is(tmp_path: Path, kind: str) -> None:
    model = Wrapped(kind)
    images, labels = digits()
    own = kind == "own"
    forward = (lambda model, x: model(x).scores) if own else None
    with GradAscentHook(model, tmp_path, forward=forward, strict=True) as hook:
        output = model(images[:16])
        assert hook(images[:16], output.scores if own else output, labels[:16]) == 4
    model.eval()
    for sample in read_samples(tmp_path):
        exact = model.net(torch.from_numpy(sample.image)[None]).softmax(1)[0].detach().numpy()
        np.testing.assert_allclose(sample.probabilities, exact[sample.classes], atol=1e-6)


def test_batches_that_are_dictionaries_and_a_model_of_several_inputs(tmp_path: Path) -> None:
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
    with GradAscentHook(model, tmp_path, every=3, strict=True) as hook:
        for batch in batches:
            logits = model(batch["image"], batch["age"])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, batch["label"]).backward()
            optimizer.step()
            hook(batch["image"], logits, batch["label"], additional_forward_args=(batch["age"],))
    samples = list(read_samples(tmp_path))
    assert sorted({sample.step for sample in samples}) == [0, 3]
    model.eval()
    for sample in samples[-4:]:  # those of the last step, with the weights as they are now
        age = torch.tensor([ages[sample.image.tobytes()]])
        assert sample.label == labels[age]
        exact = model(torch.from_numpy(sample.image)[None], age).softmax(1)[0].detach().numpy()
        np.testing.assert_allclose(sample.probabilities, exact[sample.classes], atol=1e-6)
