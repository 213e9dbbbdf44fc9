"""``hook.attach``: captures without a call in the loop."""

from __future__ import annotations

import copy
import io
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import Ascent, GradAscentHook, read_samples
from testing import zoo
from testing.brief import BRIEF
from testing.fork_server import ForkServer
from testing.networks import convolutional, digits


def plain_loop(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 10) -> None:
    """A training with validation that does not call the hook."""
    images, labels = digits()
    for step in range(steps):
        rows = slice(16 * step, 16 * step + 16)
        loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            model(images[-8:])
        model.train()


def test_the_batch_of_each_due_step_is_captured(tmp_path: Path) -> None:
    model = convolutional()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with GradAscentHook(model, tmp_path, every=4, ascent=None, strict=True) as hook:
        handle = hook.attach(optimizer)
        plain_loop(model, optimizer)
        handle.remove()
        handle.remove()
        plain_loop(model, optimizer)
    images, _ = digits()
    samples = list(read_samples(tmp_path))
    assert sorted({sample.step for sample in samples}) == [0, 4, 8]
    for sample in samples:
        batch = images[16 * sample.step : 16 * sample.step + 16].numpy()
        assert any(np.array_equal(sample.image, image) for image in batch)
        assert sample.label is None


def test_training_with_an_attached_hook_is_bit_for_bit_the_same(tmp_path: Path) -> None:
    states = []
    for attached in (True, False):
        model = convolutional()
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        with GradAscentHook(
            model, tmp_path / str(attached), every=1, ascent=Ascent(max_steps=2), strict=True
        ) as hook:
            if attached:
                hook.attach(optimizer)
            plain_loop(model, optimizer)
            assert (hook.stats.captured > 0) == attached
        states.append((model.state_dict(), optimizer.state_dict()["state"]))
    (weights, moments), (plain_weights, plain_moments) = states
    assert all(torch.equal(weights[name], plain_weights[name]) for name in weights)
    for number, values in moments.items():
        assert all(torch.equal(values[name], plain_moments[number][name]) for name in values)


def test_no_batch_is_kept_between_captures(tmp_path: Path) -> None:
    model = convolutional()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with GradAscentHook(model, tmp_path, every=5, ascent=None) as hook:
        hook.attach(optimizer)
        plain_loop(model, optimizer, steps=1)
        batch = torch.rand(4, 1, 28, 28)
        model(batch)
        held = weakref.ref(batch)
        del batch
        assert held() is None


def test_passes_outside_of_the_training_are_not_captured(tmp_path: Path) -> None:
    """A validation without ``no_grad``, and an update of batch norm's statistics."""
    model = convolutional()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with GradAscentHook(model, tmp_path, ascent=None, strict=True) as hook:
        hook.attach(optimizer)
        model(torch.zeros(4, 1, 28, 28)).sum().backward()
        model.eval()
        model(torch.ones(4, 1, 28, 28))
        model.train()
        with torch.no_grad():
            model(torch.ones(4, 1, 28, 28))
        optimizer.step()
        assert hook.stats.captured == 4
    assert not any(np.any(sample.image) for sample in read_samples(tmp_path))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: torch.optim.swa_utils.AveragedModel(model).module]
)
def test_a_copy_of_the_model_is_not_recorded(
    tmp_path: Path, copied: Callable[[nn.Module], nn.Module]
) -> None:
    model = convolutional()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with GradAscentHook(model, tmp_path, every=1, ascent=None, strict=True) as hook:
        hook.attach(optimizer)
        plain_loop(model, optimizer, steps=1)
        other = copied(copied(model))
        model(torch.zeros(4, 1, 28, 28)).sum().backward()
        other.train()
        assert other(torch.ones(2, 1, 28, 28)).shape == (2, 10)
        optimizer.step()
    images = [sample.image for sample in read_samples(tmp_path, step=1)]
    assert len(images) == 4
    assert not np.any(images)


@pytest.mark.process
def test_an_attached_model_that_was_saved_loads_without_this_package(
    programs: ForkServer, tmp_path: Path
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with GradAscentHook(model, tmp_path / "run") as hook:
        hook.attach(optimizer)
        torch.save(model, tmp_path / "model.pt")
    code = """
        import sys, torch
        for name in [*sys.modules, "tb_gradascent"]:
            if name.partition(".")[0] == "tb_gradascent":
                sys.modules[name] = None  # importing it raises, as if it were not installed
        model = torch.load(sys.argv[1], weights_only=False)
        print(*model(torch.ones(1, 1, 8, 8))[0].tolist())
        """
    done = programs.run(code, tmp_path / "model.pt")
    assert done.returncode == 0, done.stderr
    expected = model(torch.ones(1, 1, 8, 8))[0].tolist()
    assert [float(value) for value in done.stdout.split()] == pytest.approx(expected)


def test_a_model_called_by_keyword_that_returns_a_mapping_is_captured(tmp_path: Path) -> None:
    class Output(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = convolutional()

        def forward(
            self, pixel_values: Tensor, labels: Tensor | None = None, *, scale: float
        ) -> dict[str, Tensor]:
            return {"loss": torch.zeros(()), "logits": scale * self.inner(pixel_values)}

    model = Output()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    labels = torch.tensor([3, 1, 4, 1])
    with GradAscentHook(model, tmp_path, strict=True, ascent=BRIEF) as hook:
        hook.attach(optimizer)
        images = torch.rand(4, 1, 28, 28)
        model(pixel_values=images, labels=labels, scale=2.0)["logits"].sum().backward()
        optimizer.step()
        assert hook.stats.captured == 4
    samples = list(read_samples(tmp_path))
    assert sorted(sample.label or 0 for sample in samples) == [1, 1, 3, 4]


@pytest.mark.parametrize("own", [False, True], ids=["", "forward="])
def test_captures_give_the_model_its_further_inputs(tmp_path: Path, own: bool) -> None:
    class Rotated(nn.Module):
        """The answer is the class that the second input names, times a brightness."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, image: Tensor, kind: Tensor | None = None) -> Tensor:
            kind = torch.zeros(len(image), dtype=torch.int64) if kind is None else kind
            brightness = self.weight * image.flatten(1).mean(1, keepdim=True)
            return brightness * nn.functional.one_hot(kind, 3)

    model = Rotated()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    forward = (lambda model, image: model(image)) if own else None
    with GradAscentHook(model, tmp_path, forward=forward, strict=True, ascent=BRIEF) as hook:
        hook.attach(optimizer)
        model(torch.rand(3, 1, 8, 8), torch.tensor([0, 1, 2])).sum().backward()
        optimizer.step()
    predicted = sorted(int(sample.classes[0]) for sample in read_samples(tmp_path))
    assert predicted == ([0, 0, 0] if own else [0, 1, 2])


def test_a_step_whose_inputs_were_overwritten_is_a_fault(tmp_path: Path) -> None:
    model = convolutional()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    memory = torch.rand(4, 1, 8, 8)
    with GradAscentHook(model, tmp_path, every=1, ascent=None, max_overhead=None) as hook:
        hook.attach(optimizer)
        for overwrites in (False, True):
            model(memory).sum().backward()
            if overwrites:
                memory.copy_(torch.rand(4, 1, 8, 8))
            optimizer.step()
        (notice,) = hook.health
    assert "The last pass has inputs that the loop has written to since" in notice.message
    assert {sample.step for sample in read_samples(tmp_path)} == {0}


def test_a_step_without_a_recorded_pass_is_a_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = nn.Sequential(nn.Linear(64, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with GradAscentHook(model, tmp_path, every=2) as hook:
        hook.attach(optimizer)
        for _ in range(4):
            model(torch.rand(3, 64)).sum().backward()
            optimizer.step()
        assert hook.stats.failed == 2
    (record,) = caplog.records
    assert "the model made no forward pass in training mode that fits" in record.getMessage()


@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        pytest.param(lambda m: torch.compile(m, backend="eager"), marks=pytest.mark.slow),
    ],
)
def test_a_wrapped_model_is_captured(tmp_path: Path, wrap: type) -> None:
    model = wrap(convolutional())
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with GradAscentHook(model, tmp_path, every=4, ascent=None, strict=True) as hook:
        hook.attach(optimizer)
        plain_loop(model, optimizer)
        assert hook.stats.captured > 0


def test_passes_inside_torch_func_transforms_are_not_captured(tmp_path: Path) -> None:
    """Their tensors cannot be used after the transform."""
    images, labels = digits()
    model = convolutional()
    model.get_submodule("1").eval()  # written in place in training, which vmap does not allow
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with GradAscentHook(model, tmp_path, every=1, strict=True, ascent=None) as hook:
        hook.attach(optimizer)
        nn.functional.cross_entropy(model(images[:8]), labels[:8]).backward()
        one_by_one = torch.func.vmap(lambda image: model(image[None])[0], randomness="different")
        assert one_by_one(images[8:12]).shape == (4, 10)
        optimizer.step()
    samples = list(read_samples(tmp_path))
    assert len(samples) == 4
    batch = images[:8].numpy()
    assert all(any(np.array_equal(s.image, image) for image in batch) for s in samples)


class _Answer:
    def __init__(self, logits: Tensor) -> None:
        self.kept = logits

    @property
    def logits(self) -> Tensor:
        raise RuntimeError("not yet")


class _Ragged(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nested.nested_tensor(list(x.flatten(1)))


class _Lazy(nn.Module):
    def forward(self, x: Tensor) -> _Answer:
        return _Answer(x)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("model", [_Ragged(), _Lazy()])
def test_an_unreadable_output_does_not_stop_the_training(
    tmp_path: Path, model: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.01)
    with GradAscentHook(model, tmp_path, every=1) as hook:
        hook.attach(optimizer)
        for _ in range(3):
            model(torch.rand(4, 1, 8, 8))
            optimizer.step()
        assert hook.stats.failed == 3
    (record,) = caplog.records
    assert "Call hook(inputs, logits, labels) in the loop instead" in record.getMessage()


def test_a_handle_kept_by_the_model_can_be_copied_and_saved(tmp_path: Path) -> None:
    model: Any = convolutional()
    with GradAscentHook(model, tmp_path, every=1, strict=True) as hook:
        model.handle = hook.attach(torch.optim.SGD(model.parameters(), 0.01))
        saved = io.BytesIO()
        torch.save(model, saved)
        saved.seek(0)
        for other in (copy.deepcopy(model), torch.load(saved, weights_only=False)):
            other.handle.remove()
        assert model._forward_hooks
        model.handle.remove()
        assert not model._forward_hooks


def test_an_argument_that_is_not_an_optimizer_is_rejected(tmp_path: Path) -> None:
    with GradAscentHook(convolutional(), tmp_path) as hook:
        with pytest.raises(ValueError, match=r"optimizer must be a torch\.optim"):
            hook.attach("adam")  # type: ignore[arg-type]


# Torch's own, with the hook and without.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.filterwarnings(r"ignore:`torch\.jit\.\w+` is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("make", "compiled_step"),
    [
        pytest.param(zoo.batch_norm, True, id="compiled step", marks=pytest.mark.slow),
        pytest.param(zoo.compiled, False, id="compiled model"),
        pytest.param(
            zoo.compiled_in_place, False, id="model compiled in place", marks=pytest.mark.slow
        ),
        pytest.param(zoo.compiled_in_place, True, id="both", marks=pytest.mark.slow),
    ],
)
def test_an_attached_hook_causes_no_further_compilation(
    tmp_path: Path, make: Callable[[], nn.Module], compiled_step: bool
) -> None:
    images, labels = torch.rand(12, 8, *zoo.SHAPE), torch.zeros(8, dtype=torch.int64)

    def graphs(attached: bool) -> int:
        torch.compiler.reset()
        counters = torch._dynamo.utils.counters
        counters.clear()
        model = make()
        optimizer = torch.optim.SGD(model.parameters(), 0.01)

        def step(inputs: Tensor) -> None:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()

        if compiled_step:
            step = torch.compile(step, backend="eager")
        with GradAscentHook(model, tmp_path, every=5, ascent=None, strict=True) as hook:
            if attached:
                hook.attach(optimizer)
            for batch in images:
                step(batch)
        return counters["stats"]["unique_graphs"]

    assert graphs(attached=True) == graphs(attached=False)
    samples = list(read_samples(tmp_path))
    assert sorted({sample.step for sample in samples}) == [0, 5, 10]
    for sample in samples:
        assert any(np.array_equal(sample.image, image) for image in images[sample.step].numpy())
