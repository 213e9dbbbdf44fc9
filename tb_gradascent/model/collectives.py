"""Find out whether a model's own forward pass waits for other processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch.distributed as dist
from torch.utils._python_dispatch import TorchDispatchMode

_NAMESPACES: Final = frozenset({"c10d", "_c10d_functional", "_c10d_functional_autograd"})


class NoCollectives(TorchDispatchMode):
    """Refuse collective operations of a block before they begin.

    A capture makes passes that other ranks do not make at the same time. A collective operation in
    such a pass would wait for them for ever, or meet one of theirs.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operation of torch, unless it is a collective one.

        Raises:
            RuntimeError: It is one.
        """
        if func.namespace in _NAMESPACES:
            raise RuntimeError(
                f"the model's forward pass must not wait for other processes, got {func}: leave "
                "the operation out while hook.capturing, or give forward=lambda model, inputs: … "
                "without it. A tensor-parallel model cannot be captured"
            )
        return func(*args, **(kwargs or {}))


def may_wait() -> bool:
    """Return whether there are other processes to wait for."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
