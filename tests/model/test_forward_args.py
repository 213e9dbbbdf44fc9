"""Arguments of a model besides the image: each sample keeps its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import GradAscentHook, ProbabilityMargin, read_samples
from testing.brief import BRIEF
from testing.networks import Quadratic, Scaled, aged
from testing.painted import painted


def swapped(model: nn.Module, x: Tensor, age: Tensor, sign: int = 1) -> Tensor:
    """A ``forward=`` that passes keyword arguments."""
    logits: Tensor = model(x, age=age, sign=sign)
    return logits


@pytest.mark.parametrize(
    ("given", "sign"),
    [
        (lambda age: age, 1),
        (lambda age: (age,), 1),
        (lambda age: {"age": age}, 1),
        (lambda age: {"age": age, "sign": -1}, -1),
    ],
    ids=["tensor", "tuple", "keyword", "with a flag"],
)
@pytest.mark.parametrize("forward", [None, swapped], ids=["", "forward="])
@pytest.mark.parametrize("asked", [False, True], ids=["", "without logits"])
def test_gradients_use_each_samples_own_arguments(
    tmp_path: Path, given: Any, sign: int, forward: Any, asked: bool
) -> None:
    model = Scaled()
    images, ages = aged(6)
    with GradAscentHook(
        model,
        tmp_path,
        criterion=lambda logits, labels: logits[:, 0],
        targets="all",
        ascent=None,
        forward=forward,
        strict=True,
    ) as hook:
        logits = None if asked else model(images, ages, sign=sign)
        assert hook(images, logits, ids=range(6), additional_forward_args=given(ages)) == 4
    samples = list(read_samples(tmp_path))
    assert sorted(sample.index for sample in samples) == [0, 1, 2, 3]
    best = model(images, ages, sign=sign)[:, 0].topk(4).indices.tolist()
    assert {int(sample.id or "") for sample in samples} == set(best)
    for sample in samples:
        age = int(sample.id or "") + 1
        for target in sample.targets:
            expected = (sign * age * model.a[target.index]).detach().numpy()
            largest = np.abs(expected).max()
            np.testing.assert_allclose(target.gradient, expected, atol=largest / 2000)


def test_responses_use_each_samples_own_arguments(tmp_path: Path) -> None:
    model = Scaled()
    images, ages = aged(6)
    with GradAscentHook(model, tmp_path, strict=True, ascent=BRIEF) as hook:
        hook.probe(images[:2], additional_forward_args=(ages[:2],))
        hook(images, model(images, ages), ids=range(6), additional_forward_args=(ages,))
    for sample in read_samples(tmp_path):
        age = ages[int((sample.id or "").split()[-1])]
        for target in sample.targets[1:]:
            assert target.delta is not None
            for strength, probability in zip(target.strengths, target.probabilities, strict=True):
                x = painted(sample, strength, target.delta)
                chance = model(x, age[None]).softmax(1)[0, target.index].item()
                assert probability == pytest.approx(chance, abs=1e-5)


def test_samples_with_common_arguments_run_in_one_pass(tmp_path: Path) -> None:
    class Flagged(nn.Module):
        def forward(self, x: Tensor, scale: Tensor, *, double: bool) -> Tensor:
            rows.append(len(x))
            return x.flatten(1)[:, :3] * scale * (2 if double else 1)

    rows: list[int] = []
    images, _ = aged(6)
    with GradAscentHook(Flagged(), tmp_path, every=1, ascent=None, strict=True) as hook:
        scale = torch.tensor(2.0)
        for _ in range(3):  # the first two are checked
            rows.clear()
            hook(
                images,
                images.flatten(1)[:, :3],
                additional_forward_args={"scale": scale, "double": True},
            )
    assert rows == [6, 4], "the candidates, and the samples"


def test_arguments_of_another_type_are_rejected(tmp_path: Path) -> None:
    images, _ = aged(6)
    with GradAscentHook(Scaled(), tmp_path, strict=True) as hook:
        with pytest.raises(ValueError, match="additional_forward_args must be a tuple"):
            hook.probe(images, additional_forward_args=3)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="got a str"):
            hook.probe(images, additional_forward_args="age")


def test_a_model_that_writes_to_its_arguments_does_not_change_the_loops(tmp_path: Path) -> None:
    """The model gets a memory and updates it in place."""

    class Remembering(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Quadratic()

        def forward(self, x: Tensor, memory: Tensor) -> Tensor:
            memory += 1
            out: Tensor = self.inner(x) + memory
            return out

    memory, images = torch.zeros(3), torch.rand(4, 1, 4, 5)
    criterion = ProbabilityMargin(max_margin=1)
    with GradAscentHook(
        Remembering(), tmp_path, every=1, criterion=criterion, strict=True, ascent=BRIEF
    ) as hook:
        assert hook(images, torch.zeros(4, 3), additional_forward_args=memory) == 4
        assert hook(images, None, additional_forward_args=memory) == 4
    assert memory.eq(0).all()


def test_every_pass_gets_the_original_arguments(tmp_path: Path) -> None:
    """The model writes to its arguments, and the loop would give it new ones each time."""

    class Sharpening(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Quadratic()

        def forward(self, x: Tensor, sharpness: Tensor) -> Tensor:
            sharpness *= 1.5
            out: Tensor = self.inner(x) * sharpness
            return out

    model, images = Sharpening(), torch.rand(4, 1, 4, 5)
    criterion = ProbabilityMargin(max_margin=1)
    with GradAscentHook(model, tmp_path, criterion=criterion, strict=True, ascent=BRIEF) as hook:
        hook(images, torch.zeros(4, 3), ids=range(4), additional_forward_args=torch.ones(()))
    samples = list(read_samples(tmp_path))
    assert len(samples) == 4
    for sample in samples:
        for target in sample.targets[1:]:
            assert target.delta is not None
            for strength, chance in zip(target.strengths, target.probabilities, strict=True):
                morph = painted(sample, strength, target.delta)
                says = model(morph, torch.ones(())).softmax(1)[0, target.index]
                assert chance == pytest.approx(says.item(), abs=1e-5)
