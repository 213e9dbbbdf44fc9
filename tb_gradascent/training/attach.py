"""The hook without a line in the loop: it watches the model and the optimizer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from tb_gradascent.model.forward_recorder import ForwardWatch, Pass
from tb_gradascent.model.isolation import uncompiled


class AttachedHandle:
    """Registrations with a model and an optimizer, and their undoing.

    Args:
        model: Its last forward pass in training mode before an optimizer's step is looked at.
        optimizer: A step of it is a step of the hook.
        is_due: Whether the next step is to be looked at.
        look: Called with the pass after a step that is, or ``None`` where no pass was seen.
        skip: Called after any other step.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        is_due: Callable[[], bool],
        look: Callable[[Pass | None], object],
        skip: Callable[[], None],
    ) -> None:
        self._is_due = is_due
        self._look = look
        self._skip = skip
        self._watch = ForwardWatch([model], self._is_wanted)
        self._handle = optimizer.register_step_post_hook(self._after_step)

    def remove(self) -> None:
        """Watches no more; more than once is harmless."""
        self._watch.remove()
        self._handle.remove()

    def __reduce__(self) -> tuple[Any, ...]:
        # A model may keep it, and be copied or saved whole. A copy's has nothing to undo, and needs
        # nothing of this package.
        return RemovableHandle, (OrderedDict(),)

    def _is_wanted(self, module: nn.Module) -> bool:
        if not (module.training and torch.is_grad_enabled()):
            return False
        # What is compiled must not depend on a counter: it would be compiled anew at every step.
        return torch.compiler.is_compiling() or self._is_due()

    def _after_step(self, *_: object) -> None:
        if torch.compiler.is_compiling():
            uncompiled(self._after_step)
            return
        seen = self._watch.take()
        if self._is_due():
            self._look(seen)
        else:
            self._skip()
