"""Isolation restores a model, torch's modes and all random states."""

from __future__ import annotations

import collections
import copy
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.model.isolation import isolated, unwrap
from testing import zoo
from testing.networks import convolutional


class Restless(nn.Module):
    """Writes a buffer and draws random numbers at every forward, even in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("nothing", None)
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        assert isinstance(self.seen, Tensor)
        self.seen += 1
        noise = torch.rand(3) + np.random.rand() + random.random()  # noqa: NPY002, S311
        out: Tensor = self.linear(x) + noise
        return out


def random_states() -> tuple[object, ...]:
    with np.printoptions(threshold=1000):
        numpys = str(np.random.get_state(legacy=False))  # noqa: NPY002
    return random.getstate(), numpys, tuple(torch.get_rng_state().tolist())


def test_buffers_and_random_states_are_restored() -> None:
    model = Restless()
    buffer, before = model.seen, random_states()
    assert isinstance(buffer, Tensor)
    version = buffer._version
    with isolated(model):
        model(torch.ones(1, 4))
        assert isinstance(model.seen, Tensor)
        assert model.seen.item() == 1
    assert model.seen is buffer
    assert buffer.item() == 0
    assert buffer._version == version, "a pending backward pass may hold it"
    assert random_states() == before


@pytest.mark.parametrize("generator", [np.random.MT19937, np.random.PCG64])
def test_numpys_state_is_restored_for_each_generator(
    generator: Callable[[int], np.random.BitGenerator],
) -> None:
    """A normal draw also stores a second number, which is a part of the state."""
    model = nn.Linear(2, 2)
    kept = np.random.get_bit_generator()  # type: ignore[attr-defined]
    np.random.set_bit_generator(generator(3))  # type: ignore[attr-defined]
    try:
        np.random.randn()  # noqa: NPY002
        before = random_states()
        with isolated(model):
            np.random.randn(4)  # noqa: NPY002
            np.random.randint(9)  # noqa: NPY002
            assert random_states() != before
        assert random_states() == before
    finally:
        np.random.set_bit_generator(kept)  # type: ignore[attr-defined]


def test_a_shared_buffer_stays_shared() -> None:
    first, second = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    second.running_mean = first.running_mean
    model = nn.Sequential(first, second)
    with isolated(model):
        assert first.running_mean is second.running_mean
    assert first.running_mean is second.running_mean


def test_buffers_and_attributes_that_a_pass_adds_are_removed() -> None:
    class Growing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            self.register_buffer("cache", x * 2)
            self.scale = 3
            return x

    model = Growing()
    attributes = set(vars(model))
    with isolated(model):
        model(torch.ones(1))
        assert list(model.state_dict()) == ["cache"]
    assert list(model.state_dict()) == []
    assert set(vars(model)) == attributes


def test_attributes_are_restored() -> None:
    model = zoo.Attributes()
    model(torch.ones(2, *zoo.SHAPE))
    hidden, total, before = model.hidden, model.total, model.total.clone()
    with isolated(model):
        for _ in range(2):
            model(torch.ones(5, *zoo.SHAPE))
        assert vars(model)["passes"] == 3
        assert len(model.hidden) == 5
    assert vars(model)["passes"] == 1
    assert model.hidden is hidden
    assert model.total is total
    assert torch.equal(total, before)


def test_lists_and_dictionaries_get_their_items_back() -> None:
    """LeViT keeps attention biases in a dictionary in eval mode, and reads them from there."""

    class Caching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))
            self.cache: dict[str, Tensor] = {}
            self.seen: list[object] = ["first"]

        def forward(self, x: Tensor) -> Tensor:
            self.seen[0] = len(x)
            self.seen.append(x)
            return x * self.cache.setdefault("weight", 2 * self.weight)

    model = Caching()
    cache, seen = model.cache, model.seen
    for weight in (1.0, 5.0):
        nn.init.constant_(model.weight, weight)
        with isolated(model):
            for _ in range(2):
                assert model(torch.ones(1)).item() == 2 * weight
        assert model.cache is cache
        assert model.seen is seen
        assert (cache, seen) == ({}, ["first"])
    copy.deepcopy(model)
    cache["weight"] = torch.ones(1)
    with isolated(model):
        cache["weight"] = torch.zeros(1)
    assert cache["weight"] == 1


def test_inference_tensors_as_buffers_are_supported() -> None:
    with torch.inference_mode():
        model = zoo.Counting().requires_grad_(False)
    model.inner = zoo.plain()
    buffers = dict(model.named_buffers())
    assert all(buffer.is_inference() for buffer in buffers.values())
    with isolated(model):
        x = torch.ones(1, *zoo.SHAPE).requires_grad_()
        (gradient,) = torch.autograd.grad(model(x).sum(), x)
    assert gradient.any()
    assert all(buffer is buffers[name] for name, buffer in model.named_buffers())
    assert model.count == 0


@pytest.mark.filterwarnings(r"ignore:`torch\.jit\.\w+` is deprecated:DeprecationWarning")
def test_script_modules_are_isolated() -> None:
    script: Any = torch.jit.script(zoo.Scriptable())
    model = nn.Sequential(script)
    x = torch.randn(4, 2)
    with isolated(model):
        assert not script.training
        assert not script.norm.training
        assert torch.equal(model(x), x)
        assert script.count == 1
    assert script.training
    assert script.norm.training
    assert script.count == 0
    assert not torch.equal(model(x), x)
    assert script.count == 1


def test_an_attribute_that_another_replaces_is_restored() -> None:
    class Renaming(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            del self.first
            self.second = None
            return x

    model: Any = Renaming()
    model.first = None
    with isolated(model):
        model(torch.ones(1))
    assert vars(model)["first"] is None
    assert "second" not in vars(model)


def test_a_module_without_tensors_is_isolated() -> None:
    model = nn.Flatten()
    with isolated(model):
        assert not model.training
        assert model(torch.ones(2, 3, 4)).shape == (2, 12)
    assert model.training


def test_the_state_of_a_modules_generator_is_restored() -> None:
    model = zoo.Noisy()
    before = model.generator.get_state()
    with isolated(model):
        model(torch.ones(1, *zoo.SHAPE))
        assert not torch.equal(model.generator.get_state(), before)
    assert torch.equal(model.generator.get_state(), before)


def test_each_module_keeps_its_own_mode_and_no_train_method_runs() -> None:
    class Frozen(nn.BatchNorm2d):
        def train(self, mode: bool = True) -> Frozen:
            raise AssertionError("isolation called train()")

    inner = convolutional()
    model = nn.Sequential(inner, Frozen(1))
    frozen = inner[1]
    frozen.training = False
    before = [module.training for module in model.modules()]
    with isolated(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == before
    assert not frozen.training


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_gradients_are_computed_in_any_gradient_mode(mode: type) -> None:
    model = convolutional()
    with mode():
        x = torch.rand(2, 1, 28, 28)
        modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        with isolated(model):
            leaf = x.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(model(leaf).sum(), leaf)
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == modes
    assert gradient.shape == x.shape


def test_autocast_is_off_inside_and_on_again_after() -> None:
    model = convolutional()
    with torch.autocast("cpu", torch.bfloat16):
        assert model(torch.rand(1, 1, 28, 28)).dtype == torch.bfloat16
        with isolated(model):
            assert model(torch.rand(1, 1, 28, 28)).dtype == torch.float32
        assert model(torch.rand(1, 1, 28, 28)).dtype == torch.bfloat16


def test_autocasts_cache_is_neither_used_nor_filled() -> None:
    model = zoo.SelfAutocast().eval()
    x = torch.rand(1, *zoo.SHAPE)
    with torch.autocast("cpu", torch.bfloat16):
        before = model(x)
        with torch.no_grad():
            model.inner[-1].bias.add_(1)  # type: ignore[operator]
        assert torch.equal(model(x), before), "the loop uses the cached cast"
        with isolated(model):
            assert not torch.equal(model(x), before), "the current weights are used"
        assert torch.equal(model(x), before)
        assert torch.is_autocast_cache_enabled()


@pytest.mark.parametrize(
    "make",
    [zoo.compiled, zoo.compiled_region, zoo.compiled_in_place, zoo.compiled_region_in_place],
    ids=lambda make: make.__name__,
)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_nothing_is_compiled_for_the_extra_passes(make: Callable[[], nn.Module]) -> None:
    torch.compiler.reset()
    model = make()
    counters = torch._dynamo.utils.counters
    counters.clear()
    with isolated(model):
        model(torch.rand(1, *zoo.SHAPE))
    assert not counters
    model(torch.rand(2, *zoo.SHAPE))
    assert counters["stats"]["unique_graphs"] > 0, "the counter must work"


@pytest.mark.parametrize("benchmark", [False, True])
@pytest.mark.parametrize("model", [nn.Linear(2, 2), nn.Sequential(nn.LSTM(2, 2))])
def test_cudnn_is_not_tuned_and_not_used_for_rnns(
    monkeypatch: pytest.MonkeyPatch, model: nn.Module, benchmark: bool
) -> None:
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "benchmark", benchmark)
    others = cudnn.deterministic, cudnn.allow_tf32
    with isolated(model):
        assert not cudnn.benchmark
        assert cudnn.enabled == isinstance(model, nn.Linear)
        assert (cudnn.deterministic, cudnn.allow_tf32) == others
    assert cudnn.benchmark == benchmark
    assert cudnn.enabled


def test_everything_is_restored_after_an_error() -> None:
    model = Restless()
    buffer, before = model.seen, random_states()
    with pytest.raises(RuntimeError, match="on purpose"), isolated(model):
        model(torch.ones(1, 4))
        raise RuntimeError("on purpose")
    assert model.training
    assert model.linear.training
    assert model.seen is buffer
    assert random_states() == before


def test_wrappers_are_removed() -> None:
    model = convolutional()
    assert unwrap(model) is model
    assert unwrap(nn.DataParallel(model)) is model
    assert unwrap(torch.compile(model, backend="eager")) is model  # type: ignore[arg-type]
    assert unwrap(torch.compile(nn.DataParallel(model), backend="eager")) is model  # type: ignore[arg-type]


def test_a_users_own_wrapper_is_kept() -> None:
    class Normalized(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            if name == "inner":
                return super().__getattr__(name)
            return getattr(self.inner, name)

    inner = nn.Linear(2, 2)
    compiled: Any = torch.compile(inner, backend="eager")
    model = Normalized(compiled)
    assert model._orig_mod is inner
    assert unwrap(model) is model


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    """A process group of this process only."""
    store = (tmp_path / "store").as_uri()
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_distributed_data_parallel_is_removed(process_group: None) -> None:
    model = convolutional()
    assert unwrap(nn.parallel.DistributedDataParallel(model)) is model


def test_sharded_weights_are_sharded_again(process_group: None) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = zoo.plain()
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    x = torch.rand(2, *zoo.SHAPE)
    model(x).sum().backward()
    kinds = [type(parameter) for parameter in model.parameters()]
    gradients = [parameter.grad for parameter in model.parameters()]
    with isolated(model):
        leaf = x.clone().requires_grad_()
        torch.autograd.grad(model(leaf).sum(), leaf)
        with torch.no_grad():
            model(x)
    assert [type(parameter) for parameter in model.parameters()] == kinds
    assert all(p.grad is g for p, g in zip(model.parameters(), gradients, strict=True))


def test_the_module_in_deepspeeds_engine_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class DeepSpeedEngine(nn.Module):
        """A stand-in."""

        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

    loaded: Any = ModuleType("deepspeed.runtime.engine")
    loaded.DeepSpeedEngine = DeepSpeedEngine
    monkeypatch.setitem(sys.modules, "deepspeed.runtime.engine", loaded)
    model = zoo.plain()
    assert unwrap(nn.DataParallel(DeepSpeedEngine(model))) is model


@pytest.mark.parametrize(
    "kept",
    [
        collections.OrderedDict(a=1),
        collections.defaultdict(int, a=1),
        collections.Counter(a=1),
        collections.deque([1, 2], maxlen=2),
        {1, 2},
    ],
    ids=lambda kept: type(kept).__name__,
)
def test_other_containers_get_their_items_back(kept: Any) -> None:
    class Remembers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kept = kept.copy()

        def forward(self, x: Tensor) -> Tensor:
            if isinstance(self.kept, dict):
                self.kept["a"] = 5
                self.kept["b"] = 6
            elif isinstance(self.kept, set):
                self.kept.add(3)
            else:
                self.kept.append(3)
            return x

    model = Remembers()
    own = model.kept
    with isolated(model):
        model(torch.zeros(1))
        assert model.kept != kept
    assert model.kept is own
    assert own == kept
