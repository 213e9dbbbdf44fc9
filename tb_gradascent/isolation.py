"""Run a model that is being trained, and leave no trace in it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn


def unwrap(model: nn.Module) -> nn.Module:
    """The user's own module inside data parallel wrappers and ``torch.compile``.

    Neither a gradient reducer nor a compiler then sees the extra passes.
    """
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


@contextlib.contextmanager
def isolated(model: nn.Module) -> Iterator[None]:
    """Eval mode, gradients on, full precision; on leaving, everything is as it was.

    - Each module's training flag is set and restored by itself, so that frozen modules stay frozen
      and nobody's ``train`` method runs.
    - Buffers are replaced by copies, so that a module may write them even in eval mode. They are
      not written back in place: a pending backward pass may have saved them.
    - The random states of Python, numpy, torch's CPU and the model's devices are restored.
    - Gradient mode, inference mode and autocast are those of this block alone, and the casts that
      autocast caches for the loop's next pass are neither used nor added to.

    What forward hooks that a user registered do on the side cannot be undone.
    """
    with (
        # First, since what is made in inference mode, such as a copy of a buffer, has no gradient.
        torch.inference_mode(False),
        torch.enable_grad(),
        _no_autocast(model),
        _eval_mode(model),
        _copied_buffers(model),
        _random_state(model),
    ):
        yield


@contextlib.contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextlib.contextmanager
def _copied_buffers(model: nn.Module) -> Iterator[None]:
    places = [
        (module._buffers, name, buffer)
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    copies: dict[int, Tensor] = {}
    try:
        for buffers, name, buffer in places:
            if id(buffer) not in copies:
                copies[id(buffer)] = buffer.detach().clone()
            buffers[name] = copies[id(buffer)]
        yield
    finally:
        for buffers, name, buffer in places:
            buffers[name] = buffer


@contextlib.contextmanager
def _random_state(model: nn.Module) -> Iterator[None]:
    # The global generator is what a user's own transforms draw from.
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
    try:
        with torch.random.fork_rng(sorted(device.index for device in devices)):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


@contextlib.contextmanager
def _no_autocast(model: nn.Module) -> Iterator[None]:
    kinds = {parameter.device.type for parameter in model.parameters()} | {"cpu"}
    cache = torch.is_autocast_cache_enabled()
    with contextlib.ExitStack() as stack:
        for kind in sorted(kinds):
            if torch.amp.is_autocast_available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False, cache_enabled=cache))
        yield
