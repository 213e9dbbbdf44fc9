"""The hook in real loops, and its samples as ``read_samples`` reads them."""

from __future__ import annotations

import copy
import io
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tb_gradascent import (
    Ascent,
    Entropy,
    GradAscentHook,
    LogitMargin,
    ProbabilityMargin,
    Sample,
    read_samples,
)
from testing.brief import BRIEF
from testing.networks import MEAN, STD, Quadratic, convolutional, digits


def loop(
    model: nn.Module,
    hook: Callable[..., int] | None = None,
    *,
    steps: int = 12,
    before_backward: bool = False,
) -> list[int]:
    """Run a seeded training on digits, and return the hook's result at each step."""
    images, labels = digits()
    torch.manual_seed(5)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    captured = []
    for step in range(steps):
        rows = slice(32 * step, 32 * step + 32)
        logits = model(images[rows])
        loss = nn.functional.cross_entropy(logits, labels[rows])
        optimizer.zero_grad()
        if hook and before_backward:
            captured.append(hook(images[rows], logits, labels[rows]))
        loss.backward()
        optimizer.step()
        if hook and not before_backward:
            captured.append(hook(images[rows], logits, labels[rows], ids=range(32)))
    return captured


def steps_of(samples: Iterable[Sample]) -> list[int]:
    return sorted({sample.step for sample in samples})


def saved_and_loaded(model: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    loaded: nn.Module = torch.load(file, weights_only=False)
    return loaded


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        saved_and_loaded,
        lambda model: torch.optim.swa_utils.AveragedModel(model).module,
    ],
    ids=["deepcopy", "saved", "averaged"],
)
def test_the_hook_of_a_copied_model_records_nothing(
    tmp_path: Path,
    copied: Callable[[nn.Module], nn.Module],
    caplog: pytest.LogCaptureFixture,
) -> None:
    images, labels = digits()
    model = convolutional()
    with GradAscentHook(model, tmp_path / "run", every=1, ascent=None, strict=True) as hook:
        model.hook = hook  # type: ignore[assignment]
        assert loop(model, hook, steps=1) == [4]
        other = copied(copied(model))
        model.hook = None  # type: ignore[assignment]
        theirs: Any = other.hook
        assert isinstance(theirs, GradAscentHook)
        assert not caplog.records
        assert loop(other, theirs, steps=2) == [0, 0]
        (warning,) = caplog.messages
        assert "Make the hook in the process that trains" in warning
        optimizer = torch.optim.SGD(other.parameters(), 0.1)
        handle = theirs.attach(optimizer)
        theirs.probe(images[:2], labels[:2])
        other(images[:4]).sum().backward()
        optimizer.step()
        handle.remove()
        assert theirs.scan([(images[:8], labels[:8])]) == 0
        theirs.close()
        assert theirs.stats.captured == theirs.stats.failed == 0
        assert len(caplog.records) == 1
        assert loop(model, hook, steps=1) == [4]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert len(list(read_samples(tmp_path))) == 8


def test_the_readmes_three_lines_record_samples(tmp_path: Path) -> None:
    model = convolutional()
    hook = GradAscentHook(model, tmp_path / "run", class_names=list("0123456789"))
    captured = loop(model, hook)
    hook.close()
    samples = list(read_samples(tmp_path))
    assert captured[0] == len(samples) == 4
    assert captured[1:] == [0] * 11
    images, labels = digits()
    for place, sample in enumerate(samples):
        assert (sample.run, sample.tag, sample.step, sample.index) == ("run", "confused", 0, place)
        assert sample.id is not None
        row = int(sample.id)
        assert np.array_equal(sample.image, images[row].numpy())
        assert sample.label == labels[row]
        assert sample.class_names == tuple("0123456789")
        said = sample.classes[:2].tolist()
        truth = [] if sample.label in said else [sample.label]
        assert [target.index for target in sample.targets] == said + truth
        assert not sample.probe


@pytest.mark.parametrize("before_backward", [False, True])
def test_training_with_the_hook_is_bit_for_bit_the_same(
    tmp_path: Path, before_backward: bool
) -> None:
    def run(with_hook: bool) -> tuple[dict[str, Tensor], list[Tensor], object]:
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        model = convolutional()
        model[1].eval()
        if with_hook:
            folder, ascent = tmp_path / str(before_backward), Ascent(max_steps=2)
            with GradAscentHook(model, folder, every=1, ascent=ascent, strict=True) as hook:
                hook.probe(torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1)))
                captured = loop(model, hook, steps=6, before_backward=before_backward)
                assert min(captured) >= 2
        else:
            loop(model, steps=6)
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        state = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]  # noqa: NPY002
        assert [m.training for m in model].count(False) == 1
        return model.state_dict(), gradients, state

    weights, gradients, state = run(with_hook=False)
    hooked_weights, hooked_gradients, hooked_state = run(with_hook=True)
    assert weights.keys() == hooked_weights.keys()
    assert all(torch.equal(weights[name], hooked_weights[name]) for name in weights)
    assert all(map(torch.equal, gradients, hooked_gradients))
    assert state == hooked_state


def test_the_most_confused_samples_by_the_criterion_are_captured(tmp_path: Path) -> None:
    model = convolutional()
    images, labels = digits()
    logits = torch.zeros(20, 10)
    logits[:, 0] = torch.arange(20) / 4.0
    order = {"first": [0, 1, 2], "last": [19, 18, 17]}
    for name, criterion in (
        ("first", ProbabilityMargin()),
        ("last", lambda logits, labels: logits[:, 0]),
    ):
        with GradAscentHook(
            model, tmp_path / name, top_k=3, criterion=criterion, ascent=None
        ) as hook:
            assert hook(images[:20], logits, labels[:20], ids=range(20)) == 3
        ids = [sample.id for sample in read_samples(tmp_path, run=name)]
        assert ids == [str(row) for row in order[name]]


def test_without_confused_samples_nothing_is_captured(tmp_path: Path) -> None:
    model = convolutional()
    logits = torch.tensor([[9.0] + [0.0] * 9] * 4)
    with GradAscentHook(model, tmp_path, criterion=LogitMargin(), strict=True) as hook:
        assert hook(torch.rand(4, 1, 28, 28), logits) == 0
    assert list(read_samples(tmp_path)) == []


@pytest.mark.parametrize(
    ("steps", "due"),
    [
        (list(range(35)), [0, 10, 20, 30]),
        (list(range(7, 35)), [7, 10, 20, 30]),
        ([0, 0, 10, 10, 10, 11, 20], [0, 10, 20]),
        ([0, 4, 8, 12, 16, 20, 24, 28, 32], [0, 12, 20, 32]),
        ([25, 35, 31, 39, 41, 12, 19, 20], [25, 35, 31, 41, 12, 20]),
    ],
)
def test_captures_are_due_at_multiples_of_the_interval(
    tmp_path: Path, steps: list[int], due: list[int]
) -> None:
    model = convolutional()
    seen = []
    with GradAscentHook(model, tmp_path, every=10, top_k=1, ascent=None, strict=True) as hook:
        for step in steps:
            batch = torch.rand(2, 1, 8, 8), torch.zeros(2, 10)
            was_due = hook.is_due(step)
            captured = hook(*batch, step=torch.tensor(step))
            assert was_due == bool(captured)
            seen += [step] * captured
    assert seen == due


def test_steps_are_counted_if_none_is_given(tmp_path: Path) -> None:
    model = convolutional()
    with GradAscentHook(model, tmp_path, every=5, top_k=1, ascent=None, strict=True) as hook:
        assert hook.is_due()
        assert [bool(n) for n in loop(model, hook)] == [n % 5 == 0 for n in range(12)]
        assert not hook.is_due()
    assert steps_of(read_samples(tmp_path)) == [0, 5, 10]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_model_gets_inputs_of_its_weights_dtype(tmp_path: Path, dtype: torch.dtype) -> None:
    model = convolutional().to(dtype)
    images = torch.rand(4, 1, 28, 28)
    with GradAscentHook(model, tmp_path, strict=True, ascent=BRIEF) as hook:
        assert hook(images, model(images.to(dtype))) == 4


def test_half_precision_inputs_of_an_autocast_loop_are_captured(tmp_path: Path) -> None:
    model = convolutional()
    images = torch.rand(4, 1, 28, 28).bfloat16()
    with GradAscentHook(model, tmp_path, strict=True, ascent=BRIEF) as hook:
        with torch.autocast("cpu", torch.bfloat16):
            assert hook(images, model(images)) == 4


class Operations(TorchDispatchMode):
    """Records the names of tensor operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


class Untouchable:
    """An object that raises when any attribute is read."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"{name} was asked for")


def test_a_call_that_is_not_due_does_not_read_its_arguments(tmp_path: Path) -> None:
    batch, nothing = torch.rand(4, 1, 28, 28), Untouchable()
    with GradAscentHook(convolutional(), tmp_path, every=4, ascent=None, strict=True) as hook:
        hook.probe(batch[:1], every=8)
        for step in range(12):
            if step % 4 == 0:
                assert hook(batch, torch.zeros(4, 10)) == 5 - (step == 4)
                continue
            with Operations() as operations:
                assert hook(nothing, nothing, nothing, ids=nothing) == 0  # type: ignore[arg-type]
            assert operations.seen == []


def test_an_attached_hook_that_is_not_due_makes_no_tensor_operation(tmp_path: Path) -> None:
    def last_step(attached: bool) -> list[str]:
        model = convolutional()
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        batch = torch.rand(4, 1, 28, 28)
        with GradAscentHook(
            model, tmp_path / str(attached), every=9, ascent=None, strict=True
        ) as hook:
            if attached:
                hook.attach(optimizer)
            for _ in range(3):
                operations = Operations()
                with operations:
                    model(batch).sum().backward()
                    optimizer.step()
                assert bool(hook.stats.captured) == attached
        return operations.seen

    assert last_step(attached=True) == last_step(attached=False) != []


def test_without_logits_the_hook_runs_the_model(tmp_path: Path) -> None:
    model = Quadratic()
    images = torch.rand(16, 1, 4, 5)
    given = []
    for name, logits in ("asked", None), ("given", model(images)):
        with GradAscentHook(
            model, tmp_path / name, criterion=Entropy(0), strict=True, ascent=None
        ) as hook:
            assert hook(images, logits, ids=range(16)) == 4
        given.append([sample.id for sample in read_samples(tmp_path / name)])
    assert given[0] == given[1]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("label", lambda s: [s.label]),
        ("all", lambda s: list(range(10))),
        ([7, 2], lambda s: [7, 2]),
    ],
)
def test_targets_are_those_that_were_chosen(
    tmp_path: Path, targets: Any, expected: Callable[[Sample], list[int]]
) -> None:
    model = convolutional()
    with GradAscentHook(model, tmp_path, targets=targets, strict=True, ascent=BRIEF) as hook:
        loop(model, hook, steps=1)
    samples = list(read_samples(tmp_path))
    assert len(samples) == 4
    for sample in samples:
        assert [target.index for target in sample.targets] == expected(sample)


def test_with_label_targets_only_labelled_samples_are_captured(tmp_path: Path) -> None:
    model = convolutional()
    labels = torch.tensor([-100, 3, 99, 4])
    with GradAscentHook(model, tmp_path, targets="label", strict=True, ascent=None) as hook:
        assert hook(torch.rand(4, 1, 28, 28), torch.zeros(4, 10), labels) == 2
    assert sorted(s.label for s in read_samples(tmp_path) if s.label is not None) == [3, 4]


def test_probes_are_recorded_at_every_capture(tmp_path: Path) -> None:
    model = convolutional()
    images, labels = digits("test")
    with GradAscentHook(model, tmp_path, every=4, top_k=1, ascent=None, strict=True) as hook:
        hook.probe(images[:2], labels[:2])
        hook.probe(images[2:3], ids=["third"])
        captured = loop(model, hook)
    assert captured[::4] == [4, 4, 4]
    samples = list(read_samples(tmp_path))
    for step in (0, 4, 8):
        probes = [s for s in samples if s.step == step and s.probe]
        assert [s.id for s in probes] == ["probe 0", "probe 1", "third"]
        assert [s.label for s in probes] == [*labels[:2].tolist(), None]
        assert np.array_equal(probes[2].image, images[2].numpy())
        assert [s.probe for s in samples if s.step == step] == [False] + [True] * 3


def test_probes_are_captured_without_confused_samples(tmp_path: Path) -> None:
    model = convolutional()
    sure = torch.tensor([[9.0] + [0.0] * 9] * 4)
    with GradAscentHook(model, tmp_path, ascent=None, strict=True) as hook:
        hook.probe(torch.rand(3, 1, 28, 28))
        assert hook(torch.rand(4, 1, 28, 28), sure) == 3


def test_mean_std_and_bounds_are_stored(tmp_path: Path) -> None:
    model = convolutional()
    with GradAscentHook(model, tmp_path, mean=MEAN, std=STD, strict=True, ascent=BRIEF) as hook:
        loop(model, hook, steps=1)
    for sample in read_samples(tmp_path):
        assert sample.mean == pytest.approx((MEAN,))
        assert sample.std == pytest.approx((STD,))
        for target in sample.targets[1:]:
            assert target.delta is not None
            shown = (sample.image + target.delta) * STD + MEAN
            assert shown.min() >= -1e-2
            assert shown.max() <= 1 + 1e-2


@pytest.mark.parametrize("given", [{"mean": 0.5, "std": 0.25}, {"bounds": (0, 1)}])
def test_one_number_serves_all_channels(tmp_path: Path, given: dict[str, Any]) -> None:
    model = convolutional(3)
    with GradAscentHook(model, tmp_path, strict=True, **given, ascent=BRIEF) as hook:
        assert hook(torch.rand(4, 3, 12, 12), torch.zeros(4, 10)) == 4
    for sample in read_samples(tmp_path):
        assert sample.bounds is not None
        assert [len(values) for values in sample.bounds] == [3, 3]


def test_forward_and_ascent_are_used(tmp_path: Path) -> None:
    class Output(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = convolutional()

        def forward(self, pixel_values: Tensor, scale: float) -> dict[str, Tensor]:
            return {"logits": self.inner(pixel_values * scale)}

    model = Output()
    with GradAscentHook(
        model,
        tmp_path,
        forward=lambda m, x: m(pixel_values=x, scale=2.0)["logits"],
        ascent=Ascent(confidence=0.5, max_steps=3),
        strict=True,
    ) as hook:
        assert hook(torch.rand(4, 1, 28, 28), torch.zeros(4, 10)) == 4
    for sample in read_samples(tmp_path):
        for target in sample.targets[1:]:
            assert target.steps <= 3
            with torch.no_grad():
                chances = model.inner.eval()(torch.tensor(sample.image)[None] * 2).softmax(1)[0]
            assert target.probabilities[0] == pytest.approx(chances[target.index].item(), abs=1e-4)


@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        pytest.param(lambda m: torch.compile(m, backend="eager"), marks=pytest.mark.slow),
    ],
)
def test_wrapped_models_are_captured(
    tmp_path: Path, wrap: Callable[[nn.Module], nn.Module]
) -> None:
    model = wrap(convolutional())
    with GradAscentHook(model, tmp_path, every=5, ascent=Ascent(max_steps=2), strict=True) as hook:
        loop(model, hook)
    assert steps_of(read_samples(tmp_path)) == [0, 5, 10]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_an_evaluation_loop_is_captured(tmp_path: Path, mode: type) -> None:
    model = convolutional().eval()
    images, labels = digits("test")
    with GradAscentHook(model, tmp_path, ascent=None, strict=True) as hook, mode():
        batch = images[:32].clone()
        hook.probe(batch[:1])
        assert hook(batch, model(batch), labels[:32]) == 5


def test_ids_of_every_type_are_stored(tmp_path: Path) -> None:
    model = convolutional()
    for kind in ([7, 8], ["a", "ü"], torch.tensor([7, 8]), [Path("a/b.png"), Path("c")], None):
        with GradAscentHook(
            model, tmp_path / repr(kind)[:4].strip("["), ascent=None, strict=True
        ) as hook:
            assert hook(torch.rand(2, 1, 8, 8), torch.zeros(2, 10), ids=kind) == 2
    ids = {sample.id for sample in read_samples(tmp_path)}
    assert ids == {"7", "8", "a", "ü", "a/b.png", "c", None}


BAD_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("integers", {"inputs": torch.zeros(4, 1, 8, 8).long()}, "inputs must be a float"),
    ("five channels", {"inputs": torch.zeros(4, 5, 8, 8)}, "1 to 4 channels"),
    ("flat", {"inputs": torch.zeros(4, 64)}, "inputs must be"),
    ("an array", {"inputs": np.zeros((4, 1, 8, 8))}, "inputs must be"),
    ("nothing", {"inputs": None}, "inputs must be .* got a NoneType"),
    ("a text", {"inputs": "abc"}, "inputs must be .* got a str: give torch"),
    ("other batch", {"logits": torch.zeros(3, 10)}, r"logits must be logits of shape \(4, classes"),
    ("labels short", {"labels": [1]}, "labels must have one value per sample, 4 in all"),
    ("one-hot", {"labels": torch.full((4, 10), 2)}, "labels must be one class index per sam"),
    ("soft", {"labels": torch.full((4,), 3.0)}, "labels must be class indices"),
    ("ids short", {"ids": ["a"]}, "ids must have one value per sample"),
]


@pytest.mark.parametrize(
    ("given", "message"), [b[1:] for b in BAD_CALLS], ids=[b[0] for b in BAD_CALLS]
)
def test_a_wrong_call_is_logged_once_and_raised_if_strict(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: dict[str, Any], message: str
) -> None:
    call: dict[str, Any] = {"inputs": torch.rand(4, 1, 8, 8), "logits": torch.zeros(4, 10), **given}
    with GradAscentHook(
        convolutional(), tmp_path / "strict", every=1, strict=True, ascent=None
    ) as hook:
        with pytest.raises(ValueError, match=message):
            hook(**call)
    with GradAscentHook(convolutional(), tmp_path / "lenient", every=1, ascent=None) as hook:
        with caplog.at_level(logging.WARNING):
            assert [hook(**call) for _ in range(3)] == [0, 0, 0]
        (record,) = caplog.records
        assert "Training is not affected" in record.message
        assert hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10)) == 4, "the hook goes on"


def test_a_failed_capture_is_not_repeated_before_the_next_is_due(tmp_path: Path) -> None:
    with GradAscentHook(convolutional(), tmp_path, every=10, ascent=None) as hook:
        for _ in range(25):
            hook(torch.zeros(4, 1, 8, 8).long(), torch.zeros(4, 10))
        assert hook.stats.failed == 3
        for _ in range(10):
            hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10))
        assert hook.stats.captured == 4


def test_a_step_that_is_not_a_number_is_a_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batch = torch.rand(4, 1, 8, 8), torch.zeros(4, 10)
    with GradAscentHook(convolutional(), tmp_path / "lenient") as hook:
        with caplog.at_level(logging.WARNING):
            assert hook(*batch, step=0.5) == 0  # type: ignore[arg-type]
        assert ["step must be a whole number" in r.getMessage() for r in caplog.records] == [True]
    with GradAscentHook(convolutional(), tmp_path / "strict", strict=True) as hook:
        with pytest.raises(ValueError, match="step must be a whole number, got 'one'"):
            hook(*batch, step="one")  # type: ignore[arg-type]


def test_probes_need_labels_for_label_targets(tmp_path: Path) -> None:
    with GradAscentHook(convolutional(), tmp_path, targets="label", strict=True) as hook:
        for labels in (None, [3, -100]):
            with pytest.raises(ValueError, match="labels must be known for every probe"):
                hook.probe(torch.rand(2, 1, 8, 8), labels)
        hook.probe(torch.rand(2, 1, 8, 8), [3, 4])


def test_a_forward_that_raises_leaves_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = convolutional()
    before = copy.deepcopy(model.state_dict())

    def forward(module: nn.Module, x: Tensor) -> Tensor:
        module[1].running_mean += 1  # type: ignore[index]
        raise RuntimeError("out of luck")

    with GradAscentHook(model, tmp_path, every=1, forward=forward) as hook:
        state = torch.get_rng_state()
        with caplog.at_level(logging.WARNING):
            results = [hook(torch.zeros(4, 1, 8, 8), torch.zeros(4, 10)) for _ in range(20)]
        assert torch.equal(torch.get_rng_state(), state)
    assert results == [0] * 20
    first, last = (record.message for record in caplog.records)
    assert "RuntimeError: out of luck" in first
    assert "10 captures in a row failed" in last
    assert "tried at 2, 4, 8, … times the interval" in last
    assert all(module.training for module in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "scores",
    [lambda logits, labels: 3, lambda logits, labels: logits, lambda logits, labels: 1 / 0],
)
def test_a_wrong_result_of_a_criterion_is_a_fault(tmp_path: Path, scores: Any) -> None:
    with GradAscentHook(convolutional(), tmp_path, criterion=scores, strict=True) as hook:
        with pytest.raises((ValueError, ZeroDivisionError)):
            hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10))


def test_a_model_without_logits_is_a_fault_with_a_remedy(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Identity())
    model.forward = lambda x: {"scores": x.flatten(1)}  # type: ignore[method-assign]
    with GradAscentHook(model, tmp_path, strict=True) as hook:
        with pytest.raises(ValueError, match="give forward=lambda model, inputs"):
            hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10))


def test_normalization_of_other_channels_is_a_fault(tmp_path: Path) -> None:
    with GradAscentHook(
        convolutional(), tmp_path, mean=[0.1, 0.2, 0.3], std=[1, 1, 1], strict=True
    ) as hook:
        with pytest.raises(ValueError, match="mean and std must have one value or one per channel"):
            hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10))
        with pytest.raises(ValueError, match="mean and std must have one value or one per channel"):
            hook.probe(torch.rand(4, 1, 8, 8))


def test_too_few_class_names_are_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        with GradAscentHook(
            convolutional(), tmp_path, every=1, class_names=["cat", "dog"], ascent=None
        ) as hook:
            for _ in range(3):
                assert hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10)) == 4
    assert [r.message.split(":")[0] for r in caplog.records] == [
        "class_names has 2 names and the logits have 10 classes"
    ]


def test_a_closed_hook_does_nothing_and_logs_it_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hook = GradAscentHook(convolutional(), tmp_path, every=1)
    hook.close()
    hook.close()
    with caplog.at_level(logging.WARNING):
        assert [hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10)) for _ in range(3)] == [0, 0, 0]
    assert ["used after close()" in record.message for record in caplog.records] == [True]
    assert list(read_samples(tmp_path)) == []


def test_capturing_tells_forward_hooks_whether_a_capture_runs(tmp_path: Path) -> None:
    model = convolutional()
    seen: list[bool] = []
    with GradAscentHook(model, tmp_path, strict=True, ascent=BRIEF) as hook:

        def watch(*_: object) -> None:
            seen.append(hook.capturing)
            hook(
                torch.rand(4, 1, 8, 8), torch.zeros(4, 10)
            )  # a call within a capture never starts another

        handle = model.register_forward_hook(watch)
        assert hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10)) == 4
        inside = len(seen)
        model(torch.rand(4, 1, 8, 8))
        handle.remove()
    assert seen[:inside] == [True] * inside
    assert seen[inside:] == [False]
    assert not hook.capturing


def test_two_hooks_share_a_model_and_a_directory(tmp_path: Path) -> None:
    model = convolutional()
    with (
        GradAscentHook(model, tmp_path, every=3, tag="margin", ascent=None, strict=True) as first,
        GradAscentHook(
            model,
            tmp_path,
            every=4,
            tag="margin/logit",
            criterion=LogitMargin(10),
            ascent=None,
            strict=True,
        ) as second,
    ):
        loop(model, lambda *args, **kwargs: first(*args, **kwargs) + second(*args, **kwargs))
    assert steps_of(read_samples(tmp_path, tag="margin")) == [0, 3, 6, 9]
    assert steps_of(read_samples(tmp_path, tag="margin/logit")) == [0, 4, 8]


def test_no_pass_of_a_capture_is_larger_than_the_batch(tmp_path: Path) -> None:
    """Also if a capture has more rows than the batch."""
    model = convolutional()
    widths: list[int] = []
    handle = model.register_forward_hook(lambda _, inputs, __: widths.append(len(inputs[0])))
    with GradAscentHook(model, tmp_path, targets="all", strict=True, ascent=BRIEF) as hook:
        assert hook(torch.rand(6, 1, 8, 8), torch.zeros(6, 10)) == 4
    handle.remove()
    assert max(widths) == 6


def test_a_model_of_log_probabilities_is_captured(tmp_path: Path) -> None:
    model = nn.Sequential(convolutional(), nn.LogSoftmax(1))
    with GradAscentHook(model, tmp_path, strict=True, ascent=BRIEF) as hook:
        loop(model, hook, steps=1)
    for sample in read_samples(tmp_path):
        assert sample.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_samples_are_written_to_a_summary_writers_directory(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    model = convolutional()
    writer = SummaryWriter(str(tmp_path / "run"))
    with GradAscentHook(model, writer, ascent=None, strict=True) as hook:
        loop(model, hook, steps=2)
        writer.add_scalar("loss", 1.0, 0)
    writer.close()
    names: Sequence[str] = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert len(names) == 2
    assert ".gradascent." in names[0]
    assert [sample.run for sample in read_samples(tmp_path)] == ["run"] * 4


class Tracked(Tensor):
    """A tensor of a class of its own, which cannot be sliced, as some of MONAI's cannot."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in {"__getitem__", "index_select", "__iter__"}:
            raise ValueError("inconsistent metadata")
        return super().__torch_function__(func, types, args, kwargs or {})  # type: ignore[no-untyped-call]


def test_tensors_of_a_class_of_their_own_are_recorded_as_torchs_own(tmp_path: Path) -> None:
    model = convolutional().eval()
    images, labels = (tensor[:8] for tensor in digits())
    logits = model(images)
    batch = [tensor.as_subclass(Tracked) for tensor in (images, logits, labels)]
    with GradAscentHook(
        model, tmp_path, criterion=ProbabilityMargin(1), strict=True, ascent=BRIEF
    ) as hook:
        assert hook(*batch) == 4
        with hook.evaluation(step=1):
            assert hook(*batch) == 0
    samples = list(read_samples(tmp_path, tag="confused"))
    assert len(samples) == 4
    assert len(list(read_samples(tmp_path, tag="validation"))) >= 4
    for sample in samples:
        (row,) = (r for r in range(8) if np.array_equal(images[r], sample.image))
        assert sample.label == labels[row]


def test_a_call_in_the_hooks_own_passes_counts_no_step(tmp_path: Path) -> None:
    """A forward hook of the user sees the passes of captures, too."""
    model = convolutional()
    images = torch.rand(4, 1, 8, 8)
    with GradAscentHook(model, tmp_path, every=1, ascent=None, max_overhead=None) as hook:

        def call(_: nn.Module, args: tuple[Tensor], logits: Tensor) -> None:
            hook(args[0], logits)

        model.register_forward_hook(call)
        for _ in range(3):
            model(images)
        assert hook.stats.failed == 0
    assert sorted({sample.step for sample in read_samples(tmp_path)}) == [0, 1, 2]


@pytest.mark.parametrize("number", [np.uint8(200), np.int64(200), torch.tensor(200)])
def test_a_step_may_be_a_number_of_numpy_or_torch(tmp_path: Path, number: Any) -> None:
    with GradAscentHook(convolutional(), tmp_path, every=1000, ascent=None) as hook:
        assert hook.is_due(number)
        hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10), step=0)
        assert not hook.is_due(number)
