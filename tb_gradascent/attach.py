"""The hook without a line in the loop: it watches the model and the optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from tb_gradascent.isolation import uncompiled
from tb_gradascent.model_io import find_inputs, find_logits


class AttachedHandle:
    """Registrations with a model and an optimizer, and their undoing.

    Args:
        model: Its last forward pass in training mode before an optimizer's step is looked at.
        optimizer: A step of it is a step of the hook.
        is_due: Whether the next step is to be looked at.
        look: Called with inputs and logits after a step that is.
        skip: Called after any other step.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        is_due: Callable[[], bool],
        look: Callable[[Tensor, Tensor], object],
        skip: Callable[[], None],
    ) -> None:
        self._is_due = is_due
        self._look = look
        self._skip = skip
        self._seen: tuple[Tensor, Tensor] | None = None
        self._handles = [
            model.register_forward_hook(self._after_forward, with_kwargs=True),
            optimizer.register_step_post_hook(self._after_step),
        ]

    def remove(self) -> None:
        """Watches no more; more than once is harmless."""
        for handle in self._handles:
            handle.remove()
        self._seen = None

    def _after_forward(
        self,
        module: nn.Module,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        output: object,
    ) -> None:
        if not (module.training and torch.is_grad_enabled()):
            return
        # What is compiled must not depend on a counter: it would be compiled anew at every step.
        if not torch.compiler.is_compiling() and not self._is_due():
            return
        inputs, logits = find_inputs(args, kwargs), find_logits(output)
        if inputs is not None and logits is not None:
            self._seen = inputs, logits

    def _after_step(self, *_: object) -> None:
        if torch.compiler.is_compiling():
            uncompiled(self._after_step)
            return
        seen, self._seen = self._seen, None
        if seen is None:
            self._skip()
        else:
            inputs, logits = seen
            self._look(inputs.detach(), logits.detach())
