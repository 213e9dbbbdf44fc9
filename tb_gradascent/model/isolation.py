"""Run a model during its training without leaving a trace in it."""

from __future__ import annotations

import collections
import contextlib
import functools
import operator
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from tb_gradascent.model.private_apis import parametrizations_computed

_T = TypeVar("_T")

#: The attributes of every module.
_OF_TORCH: Final = frozenset(vars(nn.Module()))

_CONTAINERS: Final = (
    dict,
    list,
    set,
    collections.Counter,
    collections.OrderedDict,
    collections.defaultdict,
    collections.deque,
)


def _by_state(own: Any) -> Callable[[], object]:
    return functools.partial(own.set_state, own.get_state())


def _by_legacy_state(own: Any) -> Callable[[], object]:
    state = own.get_state(legacy=False)
    if state["bit_generator"] == "MT19937":
        # set_state converts a list faster than an array of 624 words.
        state["state"]["key"] = state["state"]["key"].tolist()
    return functools.partial(own.set_state, state)


#: Maps a type of generator to a function that reads its state and returns a function to restore it.
_GENERATORS: Final[dict[type, Callable[[Any], Callable[[], object]]]] = {
    torch.Generator: _by_state,
    np.random.RandomState: _by_legacy_state,
    np.random.Generator: lambda own: functools.partial(
        setattr, own.bit_generator, "state", own.bit_generator.state
    ),
    random.Random: lambda own: functools.partial(own.setstate, own.getstate()),
}


def unwrap(model: nn.Module) -> nn.Module:
    """Return the user's own module inside the wrappers of data parallelism and of frameworks.

    These are those of ``torch.compile``, Fabric and DeepSpeed, too. Then no gradient reducer and no
    compiler sees the extra passes, and no wrapper asks to make the backward pass itself.
    """
    wrappers: tuple[Any, ...] = (
        nn.DataParallel,
        nn.parallel.DistributedDataParallel,
        *_framework_wrappers(),
    )
    compiled = tuple(_loaded("torch._dynamo.eval_frame", "OptimizedModule"))
    while True:
        if isinstance(model, wrappers):
            model = model.module
        elif isinstance(model, compiled):
            model = model._orig_mod
        else:
            return model


def _framework_wrappers() -> Iterator[Any]:
    for package in ("lightning.fabric", "lightning_fabric"):
        yield from _loaded(f"{package}.wrappers", "_FabricModule")
    yield from _loaded("deepspeed.runtime.engine", "DeepSpeedEngine")


def _loaded(module: str, name: str) -> Iterator[Any]:
    """Yield a class if its module is imported. Otherwise no instance of it can exist."""
    found = getattr(sys.modules.get(module), name, None)
    if found is not None:
        yield found


def uncompiled(function: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
    """Call a function outside of the graph if ``torch.compile`` compiles the caller.

    The compiler does not trace the function, and the compiled code does not depend on its state.
    """
    as_written: Callable[..., _T] = torch.compiler.disable(function)
    return as_written(*args, **kwargs)


def is_graph_captured() -> bool:
    """Return whether a CUDA graph is being captured.

    A capture records the work of the GPU for replays, and does not allow to read its results.
    """
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


@contextlib.contextmanager
def isolated(model: nn.Module) -> Iterator[None]:
    """Run a block with the model in eval mode, gradients on and full precision; then restore all.

    - Each module's training flag is set and restored by itself. Frozen modules stay frozen, and no
      ``train`` method runs.
    - Buffers are replaced by copies, so that a module may write to them even in eval mode. The
      original buffers are put back, not overwritten, because a pending backward pass may have saved
      them. The same holds for tensors that are plain attributes. Attributes that a pass sets, such
      as a hidden state for the next batch, are set back. Lists, deques, sets and
      dictionaries that are attributes, such as a cache for eval mode, get their items back.
    - The random states of Python, numpy, torch's CPU and the model's devices are restored, and
      those of generators that modules hold.
    - Gradient mode, inference mode and autocast are set for this block only. The casts that
      autocast caches for the loop are not used and not added to. The same holds for the values that
      ``parametrize.cached()`` keeps.
    - Compiled models and submodules run uncompiled, so that the extra passes compile nothing.
    - Parts that ``torch.utils.checkpoint`` runs with ``use_reentrant=True`` run without it, because
      its backward pass gives no gradient of the input alone.
    - Opacus does not record gradients by sample: its hooks expect a pass in training mode.
    - cudnn does not tune itself to the shapes of the extra passes.
    - Weights that ``fully_shard`` gathers for a pass are sharded again.

    Some side effects are not undone:

    - those of forward hooks that a user registered. ``GradAscentHook.capturing`` tells such a hook
      whether a pass belongs to a capture;
    - writes of a forward pass to the data of its parameters;
    - changes inside other attributes, such as an array, a list in a list or a tensor in a list;
    - in TorchScript, writes to attributes that are not buffers;
    - changes in modules that run but are not submodules of the model. They are not set to eval mode
      either.
    """
    modules = list(model.modules())
    devices = _devices(modules)
    with (
        # First, because a tensor made in inference mode, such as a buffer's copy, has no gradient.
        torch.inference_mode(False),
        torch.enable_grad(),
        _full_precision(devices),
        parametrizations_computed(),
        _not_compiled(),
        _cudnn_untuned(modules),
        _not_checkpointed(),
        _without_sample_gradients(modules),
        _resharded(modules),
        _random_states(modules, devices),
        _attributes(modules),
    ):
        yield


def _devices(modules: Sequence[nn.Module]) -> set[torch.device]:
    devices = {
        tensor.device
        for module in modules
        for tensors in (module._parameters, module._buffers)
        for tensor in tensors.values()
        if tensor is not None
    }
    if torch.cuda.is_initialized():
        # A model without tensors may also run on the GPU.
        devices.add(torch.device("cuda", torch.cuda.current_device()))
    return devices


@contextlib.contextmanager
def _attributes(modules: Sequence[nn.Module]) -> Iterator[None]:
    found: list[tuple[Any, dict[str, Any]]] = []
    containers: list[tuple[Any, Any]] = []
    copies: dict[int, Tensor] = {}
    training = [module for module in modules if module.training]

    def replace_by_copy(attributes: Any, name: str, value: Tensor) -> None:
        # A tensor that two modules share has one copy, which they share too.
        if id(value) not in copies:
            copies[id(value)] = value.detach().clone()
        attributes[name] = copies[id(value)]

    try:
        for module in modules:
            attributes, buffers = vars(module), module._buffers
            kept, kept_buffers = dict(attributes), dict(buffers)
            found += (attributes, kept), (buffers, kept_buffers)
            for name, value in kept.items():
                # A leaf that requires a gradient cannot be written in place. Sharding frameworks
                # keep views of such tensors, whose storage may be freed.
                if isinstance(value, Tensor) and not value.requires_grad:
                    replace_by_copy(attributes, name, value)
                elif type(value) in _CONTAINERS and name not in _OF_TORCH:
                    containers.append((value, value.copy()))
            for name, value in kept_buffers.items():
                if value is not None:
                    replace_by_copy(buffers, name, value)
        for module in training:
            _set_training(module, False)
        yield
    finally:
        for module in training:
            _set_training(module, True)
        for attributes, before in found:
            _put_back(attributes, before)
        for container, before in containers:
            _put_back_items(container, before)


def _set_training(module: nn.Module, training: bool) -> None:
    attributes = vars(module)
    if "training" in attributes:
        # Faster than Module.__setattr__ with its checks.
        attributes["training"] = training
    else:
        module.training = training


def _put_back(now: Any, before: dict[str, Any]) -> None:
    """Restore a module's attributes or buffers."""
    # Mostly nothing has changed, and this comparison is fast.
    if now.keys() == before.keys() and all(map(operator.is_, now.values(), before.values())):
        return
    for name in [name for name in now.keys() if name not in before]:  # noqa: SIM118
        del now[name]
    for name, value in before.items():
        if name not in now or now[name] is not value:
            now[name] = value


def _put_back_items(now: Any, before: Any) -> None:
    """Restore the items of a container."""
    same = len(now) == len(before) and all(map(operator.is_, now, before))
    if isinstance(now, dict):
        same = same and all(map(operator.is_, now.values(), before.values()))
    if not same:
        now.clear()
        (now.update if isinstance(now, (dict, set)) else now.extend)(before)


@contextlib.contextmanager
def _random_states(modules: Sequence[nn.Module], devices: set[torch.device]) -> Iterator[None]:
    # A user's own transforms often draw from Python's and numpy's global generators.
    restore: list[Callable[[], object]] = [
        functools.partial(random.setstate, random.getstate()),
        _by_legacy_state(np.random),
        functools.partial(torch.set_rng_state, torch.get_rng_state()),
    ]
    for device in devices:
        library: Any = getattr(torch, device.type, None)  # torch.cuda, torch.mps, torch.xpu, …
        if device.type != "cpu" and hasattr(library, "get_rng_state"):
            state = library.get_rng_state(device)
            restore.append(functools.partial(library.set_rng_state, state, device))
    try:
        with generators_kept(modules):
            yield
    finally:
        for put_back in restore:
            put_back()


def random_states_kept(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Restore the random states of Python, numpy, torch's CPU and a device after a block."""
    return _random_states((), {device})


@contextlib.contextmanager
def generators_kept(holders: Iterable[object]) -> Iterator[None]:
    """Restore the states of all random generators that are attributes of these objects."""
    restore = [
        remember(value)
        for holder in holders
        for value in getattr(holder, "__dict__", {}).values()
        if (remember := _GENERATORS.get(type(value)))
    ]
    try:
        yield
    finally:
        for put_back in restore:
            put_back()


@contextlib.contextmanager
def _full_precision(devices: set[torch.device]) -> Iterator[None]:
    kinds = [kind for kind in {"cpu", *(device.type for device in devices)} if _autocasts(kind)]
    cached = torch.is_autocast_cache_enabled()
    try:
        for kind in kinds:
            torch.set_autocast_enabled(kind, False)
        # A model may turn autocast on by itself. The loop's cached casts may then be of the weights
        # before its last step.
        torch.set_autocast_cache_enabled(False)
        yield
    finally:
        for kind in kinds:
            torch.set_autocast_enabled(kind, True)
        torch.set_autocast_cache_enabled(cached)


def _autocasts(kind: str) -> bool:
    try:
        return torch.is_autocast_enabled(kind)
    except RuntimeError:  # this kind of device has no autocast
        return False


@contextlib.contextmanager
def _not_compiled() -> Iterator[None]:
    # Without Dynamo nothing is compiled, and its import takes seconds.
    if "torch._dynamo" in sys.modules:
        with torch.compiler.set_stance("force_eager"):
            yield
    else:
        yield


@contextlib.contextmanager
def _cudnn_untuned(modules: Sequence[nn.Module]) -> Iterator[None]:
    cudnn = torch.backends.cudnn
    enabled, benchmark = cudnn.enabled, cudnn.benchmark
    cudnn.benchmark = False
    if any(isinstance(module, nn.RNNBase) for module in modules):
        # cudnn's RNNs have no backward pass in eval mode.
        cudnn.enabled = False
    try:
        yield
    finally:
        cudnn.enabled, cudnn.benchmark = enabled, benchmark


class _PlainCall:
    """Stands in for ``CheckpointFunction``: it keeps all activations."""

    @staticmethod
    def apply(function: Callable[..., _T], _: bool, *args: Any) -> _T:
        """Call the function."""
        return function(*args)


@contextlib.contextmanager
def _not_checkpointed() -> Iterator[None]:
    checkpoint: Any = sys.modules.get("torch.utils.checkpoint")
    kept = getattr(checkpoint, "CheckpointFunction", None)
    if kept is None:
        yield
        return
    checkpoint.CheckpointFunction = _PlainCall
    try:
        yield
    finally:
        checkpoint.CheckpointFunction = kept


@contextlib.contextmanager
def _without_sample_gradients(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Switch off the hooks of Opacus' ``GradSampleModule``, which stay where they are."""
    switches: list[Any] = [
        module for module in modules if isinstance(vars(module).get("hooks_enabled"), bool)
    ]
    before = [module.hooks_enabled for module in switches]
    try:
        for module in switches:
            module.hooks_enabled = False
        yield
    finally:
        for module, enabled in zip(switches, before, strict=True):
            module.hooks_enabled = enabled


@contextlib.contextmanager
def _resharded(modules: Sequence[nn.Module]) -> Iterator[None]:
    try:
        yield
    finally:
        # After a forward pass the root stays gathered, because it expects a backward pass.
        fsdp = sys.modules.get("torch.distributed.fsdp")
        if sharded := getattr(fsdp, "FSDPModule", None):
            for module in modules:
                if isinstance(module, sharded):
                    module.reshard()
