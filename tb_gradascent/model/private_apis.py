"""The private names of torch and Python that the package uses.

Each function also works without its private name, and its docstring says how. They were seen to
work with torch 2.7 to 2.14 and Python 3.10 to 3.13.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn


def is_transformed(value: object) -> bool:
    """Return whether a tensor belongs to a transform of ``torch.func``.

    Such a tensor cannot be used after the transform. ``False`` if torch cannot say it.
    """
    if torch.compiler.is_compiling() or not isinstance(value, Tensor):
        return False
    functorch = getattr(torch._C, "_functorch", None)
    asks = getattr(functorch, "is_functorch_wrapped_tensor", None)
    return bool(asks(value)) if asks else False


def stop_reducing_gradients(module: nn.Module) -> list[tuple[Any, bool]]:
    """Prevent that the end of a backward pass reduces the gradients that the loop accumulated.

    The public ``set_requires_gradient_sync`` has no getter, so it could not be restored.

    Args:
        module: The result of ``fully_shard``.

    Returns:
        Each group of parameters, and its previous ``reduce_grads``.

    Raises:
        RuntimeError: This release of torch keeps the groups elsewhere.
    """
    sharded: list[Any] = [inner for inner in module.modules() if hasattr(inner, "_get_fsdp_state")]
    try:
        states = [inner._get_fsdp_state() for inner in sharded]
        groups = [
            group
            for state in states
            for group in getattr(state, "_fsdp_param_groups", None) or [state._fsdp_param_group]
            if group is not None
        ]
        kept = [(group, group.reduce_grads) for group in groups]
    except AttributeError:
        kept = []
    if not kept:
        raise RuntimeError(
            f"a model sharded by fully_shard cannot be captured with torch {torch.__version__}: "
            "use a release from 2.7 to 2.14"
        )
    for group, _ in kept:
        group.reduce_grads = False
    return kept


@contextlib.contextmanager
def parametrizations_computed() -> Iterator[None]:
    """Compute parametrized weights again, and bring back the cached ones at the end.

    The cached values belong to training mode, and perhaps to the weights before the last step.
    This does nothing if torch has no such cache.
    """
    parametrize: Any = nn.utils.parametrize
    if not getattr(parametrize, "_cache_enabled", False):
        yield
        return
    kept, parametrize._cache = parametrize._cache, {}
    try:
        yield
    finally:
        parametrize._cache = kept


def call_before_executors_stop(function: Callable[[], object]) -> None:
    """Call a function when the interpreter ends, while clients of remote stores still work.

    The clients resolve names in an executor. ``concurrent.futures`` stops all executors before
    ``atexit`` calls its first function, and it does so through this registration. The last
    registered function is called first. This does nothing if Python has no
    such registration.
    """
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        register(function)
