"""Attach the hook to a model and its optimizer, so that the loop does not call it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from tb_gradascent.model.forward_recorder import ForwardRecorder, RecordedPass
from tb_gradascent.model.isolation import uncompiled
from tb_gradascent.training.batch import MissingPass


class AttachedHandle:
    """Registrations with a model and an optimizer, which :meth:`remove` undoes.

    Args:
        model: The last forward pass in training mode before each optimizer step is recorded.
        optimizer: Each of its steps is one step of the hook.
        is_due: Returns whether a capture is due at the next step.
        capture: Called after a due step with the recorded pass, or with what stands for one.
        skip: Called after any other step.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        is_due: Callable[[], bool],
        capture: Callable[[RecordedPass | MissingPass], object],
        skip: Callable[[], None],
    ) -> None:
        self._is_due = is_due
        self._capture = capture
        self._skip = skip
        self._recorder = ForwardRecorder([model], self._is_wanted)
        self._handle = optimizer.register_step_post_hook(self._after_step)

    def remove(self) -> None:
        """Undo the registrations. Further calls do nothing."""
        self._recorder.remove()
        self._handle.remove()

    def __reduce__(self) -> tuple[Any, ...]:
        # A model that keeps its handle may be copied or saved. The handle of a copy has nothing to
        # undo, and loads without this package.
        return RemovableHandle, (OrderedDict(),)

    def _is_wanted(self, module: nn.Module) -> bool:
        if not (module.training and torch.is_grad_enabled()):
            return False
        # Compiled code must not depend on a counter, because each new value compiles it again.
        return torch.compiler.is_compiling() or self._is_due()

    def _after_step(self, *_: object) -> None:
        if torch.compiler.is_compiling():
            uncompiled(self._after_step)
            return
        last = self._recorder.take()
        if self._is_due():
            self._capture(last or MissingPass(self._recorder.unreadable))
        else:
            self._skip()
