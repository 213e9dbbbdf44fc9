"""Other networks are asked about each morph, without a trace and without an influence on it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import Ascent, GradAscentHook, Morph, ProbabilityMargin, Sample, read_samples
from testing import zoo
from testing.brief import BRIEF
from testing.networks import Quadratic, Scaled, aged, convolutional
from testing.painted import painted
from testing.traces import differences, untouched

CRITERION = ProbabilityMargin(1.0)

IMAGES = torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(0))


class Failing(nn.Module):
    """A judge that raises at its pass number ``after``."""

    def __init__(self, after: int = 0) -> None:
        super().__init__()
        self.inner = convolutional(seed=5)
        self.left = after

    def forward(self, inputs: Tensor) -> Tensor:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("on purpose")
        logits: Tensor = self.inner(inputs)
        return logits


class Text(nn.Module):
    """A judge that returns no logits."""

    def forward(self, inputs: Tensor) -> str:
        return f"{len(inputs)} images"


def record(
    model: nn.Module, judges: Mapping[str, nn.Module] | None, folder: Path, **options: Any
) -> list[Sample]:
    """Record one capture of the images."""
    given: dict[str, Any] = {"ascent": BRIEF, "criterion": CRITERION, "strict": True} | options
    with GradAscentHook(model, folder, judges=judges, **given) as hook:
        assert hook(IMAGES, None) == 4
        assert hook.stats.failed == 0
    return list(read_samples(folder))


def morphs(samples: list[Sample]) -> list[tuple[Sample, Morph]]:
    found = [(s, morph) for s in samples for t in s.targets for morph in t.morphs.values()]
    assert len(found) == 8, "four samples, one class that is not predicted, two ascents"
    return found


def points(sample: Sample, morph: Morph) -> Tensor:
    """The stored images along a morph, shape (A, …)."""
    return torch.cat([painted(sample, strength, morph.delta) for strength in morph.strengths])


def assert_answers(judge: Callable[[Tensor], Tensor], sample: Sample, name: str) -> None:
    """The judge's recorded answers are what it says about the stored arrays."""
    for target in sample.targets:
        for morph in target.morphs.values():
            with torch.no_grad():
                logits = judge(points(sample, morph))
            chances = logits.softmax(1).numpy()
            answer = morph.judges[name]
            original = sample.classes[0]
            for recorded, expected in (
                (answer.probabilities, chances[:, morph.target]),
                (answer.original_probabilities, chances[:, original]),
            ):
                np.testing.assert_allclose(recorded, expected, atol=1e-5)
            np.testing.assert_array_equal(answer.predictions, logits.argmax(1).numpy())


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, logger="tb_gradascent")
    return lambda: [record.getMessage() for record in caplog.records]


def test_the_recorded_answers_are_those_of_each_judge_about_the_stored_arrays(
    tmp_path: Path,
) -> None:
    judges = {"first": convolutional(seed=1), "second": convolutional(seed=2)}
    samples = record(convolutional(), judges, tmp_path)
    for sample, morph in morphs(samples):
        assert list(morph.judges) == ["first", "second"]
        first, second = morph.judges.values()
        assert not np.array_equal(first.probabilities, second.probabilities)
        for name, judge in judges.items():
            assert_answers(judge.eval(), sample, name)


def test_judges_do_not_influence_the_morphs(tmp_path: Path) -> None:
    alone = record(convolutional(), None, tmp_path / "alone")
    judged = record(convolutional(), {"other": convolutional(seed=1)}, tmp_path / "judged")
    for (_, one), (_, other) in zip(morphs(alone), morphs(judged), strict=True):
        np.testing.assert_array_equal(one.delta, other.delta)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert one.survived == other.survived
        assert (one.judges, list(other.judges)) == ({}, ["other"])


def test_the_model_may_judge_itself(tmp_path: Path) -> None:
    model = convolutional()
    for sample, morph in morphs(record(model, {"itself": model}, tmp_path)):
        own = morph.judges["itself"]
        np.testing.assert_allclose(own.probabilities, morph.probabilities, atol=1e-6)
        np.testing.assert_array_equal(own.predictions, morph.predictions)
        assert_answers(model.eval(), sample, "itself")


@pytest.mark.parametrize(
    ("judge", "why"),
    [
        (Failing(), "RuntimeError: on purpose"),
        (Failing(after=2), "RuntimeError: on purpose"),
        (convolutional(classes=7), "a judge must have the model's 10 classes, got 7"),
        (Text(), "the model (or forward=…) must return"),
        (convolutional(channels=3), "RuntimeError: "),
    ],
    ids=["raises", "raises later", "other classes", "no logits", "other channels"],
)
def test_a_judge_that_fails_is_logged_once_and_asked_no_more(
    tmp_path: Path, warnings: Callable[[], list[str]], judge: nn.Module, why: str
) -> None:
    good = convolutional(seed=1)
    with GradAscentHook(
        convolutional(),
        tmp_path,
        every=1,
        ascent=BRIEF,
        judges={"bad": judge, "good": good},
        criterion=CRITERION,
    ) as hook:
        for _ in range(3):
            assert hook(IMAGES, None) == 4
        assert hook.stats.failed == 0
        assert hook.stats.captured == 12
    (message,) = warnings()
    assert message.startswith("the judge 'bad' failed: ")
    assert why in message
    assert message.endswith("Its answers are not recorded.")
    samples = list(read_samples(tmp_path))
    assert len(samples) == 12
    for sample in samples:
        for target in sample.targets:
            for morph in target.morphs.values():
                assert list(morph.judges) == ["good"]
        assert_answers(good.eval(), sample, "good")


def test_a_strict_hook_goes_on_without_a_judge_that_failed(
    tmp_path: Path, warnings: Callable[[], list[str]]
) -> None:
    samples = record(convolutional(), {"bad": Failing()}, tmp_path)
    assert all(morph.judges == {} for _, morph in morphs(samples))
    assert len(warnings()) == 1


@pytest.mark.parametrize(
    "made",
    [zoo.dropout, zoo.batch_norm, zoo.spectral_norm, zoo.Counting, zoo.Attributes, zoo.Noisy],
)
@pytest.mark.parametrize("training", [True, False], ids=["in training", "in eval"])
def test_a_judge_is_left_as_it_was(
    tmp_path: Path, made: Callable[[], nn.Module], training: bool
) -> None:
    """Its weights, buffers, modes, gradients and attributes, and the random states."""
    model, judge = zoo.plain(), made().train(training)
    inputs = torch.rand(4, *zoo.SHAPE)
    judge(inputs).sum().backward()  # gradients that must stay
    before = untouched(judge)
    with GradAscentHook(
        model, tmp_path, criterion=CRITERION, judges={"judge": judge}, strict=True, ascent=BRIEF
    ) as hook:
        assert hook(inputs, None) == 4
        assert differences(before, untouched(judge)) == []
    samples = list(read_samples(tmp_path))
    assert all("judge" in m.judges for s in samples for t in s.targets for m in t.morphs.values())


def test_a_judge_that_failed_is_left_as_it_was(tmp_path: Path) -> None:
    model, judge = convolutional(), Failing()
    before = untouched(judge.inner)
    record(model, {"bad": judge}, tmp_path)
    assert differences(before, untouched(judge.inner)) == []
    assert judge.training


def test_judges_are_called_through_forward(tmp_path: Path) -> None:
    model, judge = nn.Sequential(nn.Linear(144, 5)), nn.Sequential(nn.Linear(144, 5))
    called: list[nn.Module] = []

    def forward(module: nn.Module, inputs: Tensor) -> Tensor:
        called.append(module)
        logits: Tensor = module(inputs.flatten(1))
        return logits

    samples = record(model, {"flat": judge}, tmp_path, forward=forward)
    assert {id(module) for module in called} == {id(model), id(judge)}
    for sample, _ in morphs(samples):
        assert_answers(lambda inputs: judge(inputs.flatten(1)), sample, "flat")


@pytest.mark.parametrize("keyword", [False, True], ids=["tuple", "keyword"])
def test_judges_get_each_samples_own_further_arguments(tmp_path: Path, keyword: bool) -> None:
    model, judge = Scaled(), Scaled()
    with torch.no_grad():
        judge.a.mul_(-0.5)
    images, ages = aged(6)
    with GradAscentHook(
        model,
        tmp_path,
        criterion=CRITERION,
        ascent=Ascent.smallest(),
        judges={"scaled": judge},
        strict=True,
    ) as hook:
        given: Any = {"age": ages} if keyword else (ages,)
        assert hook(images, None, ids=range(6), additional_forward_args=given) == 4
    for sample in read_samples(tmp_path):
        age = ages[int(sample.id or "")]

        def ask(inputs: Tensor, age: Tensor = age) -> Tensor:
            logits: Tensor = judge(inputs, age.expand(len(inputs), 1))
            return logits

        assert any(target.morphs for target in sample.targets)
        assert_answers(ask, sample, "scaled")


@pytest.mark.parametrize(
    "wrap",
    [nn.DataParallel, lambda judge: torch.compile(judge, backend="eager")],
    ids=["DataParallel", "torch.compile"],
)
def test_a_wrapped_judge_is_unwrapped(tmp_path: Path, wrap: Callable[[nn.Module], Any]) -> None:
    judge = Quadratic(10, (1, 12, 12))
    samples = record(convolutional(), {"wrapped": wrap(judge)}, tmp_path)
    for sample, _ in morphs(samples):
        assert_answers(judge, sample, "wrapped")


def test_a_judge_in_another_dtype_answers_in_its_own(tmp_path: Path) -> None:
    judge = convolutional(seed=3).double()
    samples = record(convolutional(), {"double": judge}, tmp_path)
    for sample, _ in morphs(samples):
        assert_answers(lambda inputs: judge.eval()(inputs.double()), sample, "double")


def test_an_average_of_the_weights_can_judge(tmp_path: Path) -> None:
    model = convolutional()
    average = torch.optim.swa_utils.AveragedModel(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05)
    average.update_parameters(model)
    before = untouched(average)
    samples = record(model, {"average": average}, tmp_path)
    assert differences(before, untouched(average)) == []
    for sample, _ in morphs(samples):
        assert_answers(average.eval(), sample, "average")


def test_judges_are_not_asked_without_an_ascent(tmp_path: Path) -> None:
    record(convolutional(), {"bad": Failing()}, tmp_path, ascent=None)


def test_probes_and_scans_are_judged_too(tmp_path: Path) -> None:
    judge = convolutional(seed=1)
    with GradAscentHook(
        convolutional(),
        tmp_path,
        ascent=BRIEF,
        judges={"judge": judge},
        criterion=CRITERION,
        strict=True,
    ) as hook:
        hook.probe(IMAGES[:1])
        assert hook(IMAGES, None) == 5
        assert hook.scan([IMAGES], top_k=2) == 2
    samples = list(read_samples(tmp_path))
    assert len(samples) == 7
    for sample in samples:
        assert any(target.morphs for target in sample.targets)
        assert_answers(judge.eval(), sample, "judge")


@pytest.mark.parametrize(
    "judges",
    [
        nn.Linear(2, 2),
        [nn.Linear(2, 2)],
        {"ema": "model"},
        {"ema": lambda inputs: inputs},
        {f"judge {number}": nn.Linear(2, 2) for number in range(5)},
        3,
    ],
    ids=["a module", "a list", "text", "a function", "too many", "a number"],
)
def test_judges_that_are_no_mapping_to_modules_are_refused(tmp_path: Path, judges: Any) -> None:
    rule = "judges must be a mapping of at most 4 torch.nn.Modules by name, got"
    with pytest.raises(ValueError, match=re.escape(rule)):
        GradAscentHook(nn.Linear(2, 2), tmp_path / "run", judges=judges)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 65, 3], ids=["empty", "line", "long", "number"])
def test_names_of_judges_have_to_be_short_and_printable(tmp_path: Path, name: Any) -> None:
    rule = "judges must have names of 1 to 64 printable characters, got"
    with pytest.raises(ValueError, match=re.escape(rule)):
        GradAscentHook(nn.Linear(2, 2), tmp_path / "run", judges={name: nn.Linear(2, 2)})
    assert list(tmp_path.iterdir()) == []
