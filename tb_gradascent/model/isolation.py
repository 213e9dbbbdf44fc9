"""Run a model that is being trained, and leave no trace in it."""

from __future__ import annotations

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

_T = TypeVar("_T")


def _by_state(own: Any) -> Callable[[], object]:
    return functools.partial(own.set_state, own.get_state())


def _by_legacy_state(own: Any) -> Callable[[], object]:
    state = own.get_state(legacy=False)
    if state["bit_generator"] == "MT19937":
        # Of an array's 624 words numpy would make each a scalar first.
        state["state"]["key"] = state["state"]["key"].tolist()
    return functools.partial(own.set_state, state)


#: For each kind of generator, what remembers one's state, and gives what puts it back.
_GENERATORS: Final[dict[type, Callable[[Any], Callable[[], object]]]] = {
    torch.Generator: _by_state,
    np.random.RandomState: _by_legacy_state,
    np.random.Generator: lambda own: functools.partial(
        setattr, own.bit_generator, "state", own.bit_generator.state
    ),
    random.Random: lambda own: functools.partial(own.setstate, own.getstate()),
}


def unwrap(model: nn.Module) -> nn.Module:
    """The user's own module inside data parallel wrappers, Fabric's and ``torch.compile``.

    Neither a gradient reducer nor a compiler then sees the extra passes, and Fabric does not insist
    on making the backward pass itself.
    """
    wrappers: tuple[Any, ...] = (
        nn.DataParallel,
        nn.parallel.DistributedDataParallel,
        *_fabric_wrappers(),
    )
    compiled = tuple(_loaded("torch._dynamo.eval_frame", "OptimizedModule"))
    while True:
        if isinstance(model, wrappers):
            model = model.module
        elif isinstance(model, compiled):
            model = model._orig_mod
        else:
            return model


def _fabric_wrappers() -> Iterator[Any]:
    for package in ("lightning.fabric", "lightning_fabric"):
        yield from _loaded(f"{package}.wrappers", "_FabricModule")


def _loaded(module: str, name: str) -> Iterator[Any]:
    """A class, if its module is imported: nothing can be one of it otherwise."""
    found = getattr(sys.modules.get(module), name, None)
    if found is not None:
        yield found


def uncompiled(function: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
    """Calls a function as it was written from within what ``torch.compile`` compiles.

    The compiler then neither traces the function nor makes what it compiles depend on its state.
    """
    as_written: Callable[..., _T] = torch.compiler.disable(function)
    return as_written(*args, **kwargs)


@contextlib.contextmanager
def isolated(model: nn.Module) -> Iterator[None]:
    """Eval mode, gradients on, full precision; on leaving, everything is as it was.

    - Each module's training flag is set and restored by itself, so that frozen modules stay frozen
      and nobody's ``train`` method runs.
    - Buffers are replaced by copies, so that a module may write them even in eval mode. They are
      not written back in place: a pending backward pass may have saved them. The same goes for
      tensors that are plain attributes, and attributes that a pass sets, such as a hidden state
      carried to the next batch, are set back.
    - The random states of Python, numpy, torch's CPU, the model's devices and the generators of any
      of them that modules hold are restored.
    - Gradient mode, inference mode and autocast are those of this block alone, and the casts that
      autocast caches for the loop's next pass are neither used nor added to. The same goes for
      what ``parametrize.cached()`` keeps.
    - What is compiled, be it the whole model or a part, runs as it was written, so that nothing is
      compiled anew for the extra passes.
    - cudnn does not tune itself to their shapes.
    - Weights that ``fully_shard`` gathers for a pass are sharded again.

    Not undone is what forward hooks that a user registered do on the side, which is why
    ``GradAscentHook.capturing`` tells them whose pass it is; nor what a forward pass does to the
    data of its parameters, to the insides of other attributes, such as a list, or in TorchScript to
    attributes that are no buffers; nor anything of modules that run, too, without being part of the
    model, which are not set to eval mode either.
    """
    modules = list(model.modules())
    devices = _devices(modules)
    with (
        # First, since what is made in inference mode, such as a copy of a buffer, has no gradient.
        torch.inference_mode(False),
        torch.enable_grad(),
        _full_precision(devices),
        _parametrizations_computed(),
        _not_compiled(),
        _cudnn_untuned(modules),
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
        # A model that holds no tensor may still run there.
        devices.add(torch.device("cuda", torch.cuda.current_device()))
    return devices


@contextlib.contextmanager
def _attributes(modules: Sequence[nn.Module]) -> Iterator[None]:
    found: list[tuple[Any, dict[str, Any]]] = []
    copies: dict[int, Tensor] = {}
    training = [module for module in modules if module.training]

    def shield(place: Any, name: str, value: Tensor) -> None:
        # What is shared stays shared.
        if id(value) not in copies:
            copies[id(value)] = value.detach().clone()
        place[name] = copies[id(value)]

    try:
        for module in modules:
            attributes, buffers = vars(module), module._buffers
            kept, kept_buffers = dict(attributes), dict(buffers)
            found += (attributes, kept), (buffers, kept_buffers)
            for name, value in kept.items():
                # One that requires a gradient cannot be written in place; and as such, sharding
                # frameworks keep views of storage that is freed at times.
                if isinstance(value, Tensor) and not value.requires_grad:
                    shield(attributes, name, value)
            for name, value in kept_buffers.items():
                if value is not None:
                    shield(buffers, name, value)
        for module in training:
            _set_training(module, False)
        yield
    finally:
        for module in training:
            _set_training(module, True)
        for place, before in found:
            _put_back(place, before)


def _set_training(module: nn.Module, training: bool) -> None:
    attributes = vars(module)
    if "training" in attributes:
        # Without the many checks of Module.__setattr__.
        attributes["training"] = training
    else:
        module.training = training


def _put_back(place: Any, before: dict[str, Any]) -> None:
    # Nearly always all is as before, which is quickly seen.
    if place.keys() == before.keys() and all(map(operator.is_, place.values(), before.values())):
        return
    for name in [name for name in place.keys() if name not in before]:  # noqa: SIM118
        del place[name]
    for name, value in before.items():
        if name not in place or place[name] is not value:
            place[name] = value


@contextlib.contextmanager
def _random_states(modules: Sequence[nn.Module], devices: set[torch.device]) -> Iterator[None]:
    # Python's and numpy's global generators are what a user's own transforms draw from.
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


@contextlib.contextmanager
def generators_kept(holders: Iterable[object]) -> Iterator[None]:
    """Restores the states of all random generators that are attributes of these objects."""
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
        # For a model too that turns autocast on by itself: what the loop left there may be the
        # weights of before its last step.
        torch.set_autocast_cache_enabled(False)
        yield
    finally:
        for kind in kinds:
            torch.set_autocast_enabled(kind, True)
        torch.set_autocast_cache_enabled(cached)


def _autocasts(kind: str) -> bool:
    try:
        return torch.is_autocast_enabled(kind)
    except RuntimeError:  # this kind of device knows no autocast
        return False


@contextlib.contextmanager
def _parametrizations_computed() -> Iterator[None]:
    # What parametrize.cached() keeps is of training mode, and perhaps of before the last step.
    parametrize: Any = nn.utils.parametrize
    if not getattr(parametrize, "_cache_enabled", False):
        yield
        return
    kept, parametrize._cache = parametrize._cache, {}
    try:
        yield
    finally:
        parametrize._cache = kept


@contextlib.contextmanager
def _not_compiled() -> Iterator[None]:
    # Where Dynamo is not imported nothing is compiled, and importing it takes seconds.
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
        # cudnn's have no backward pass in eval mode.
        cudnn.enabled = False
    try:
        yield
    finally:
        cudnn.enabled, cudnn.benchmark = enabled, benchmark


@contextlib.contextmanager
def _resharded(modules: Sequence[nn.Module]) -> Iterator[None]:
    try:
        yield
    finally:
        # A root stays gathered after a forward pass, since a backward pass is expected.
        fsdp = sys.modules.get("torch.distributed.fsdp")
        if sharded := getattr(fsdp, "FSDPModule", None):
            for module in modules:
                if isinstance(module, sharded):
                    module.reshard()
