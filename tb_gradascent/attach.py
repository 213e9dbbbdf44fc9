"""The hook without a line in the loop: it watches the model and the optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from tb_gradascent.model_io import find_inputs, find_logits


class _Hook(Protocol):
    capturing: bool

    def __call__(self, inputs: Tensor, logits: Tensor, /) -> int: ...
    def is_due(self) -> bool: ...
    def tick(self) -> None: ...


class AttachedHandle:
    """Registrations with a model and an optimizer, and their undoing.

    Args:
        model: Its last forward pass in training mode before an optimizer's step is looked at.
        optimizer: A step of it is a step of the hook.
        hook: Called after a step if a capture is due.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, hook: _Hook) -> None:
        self._hook = hook
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
        training = module.training and torch.is_grad_enabled()
        if not training or self._hook.capturing or not self._hook.is_due():
            return
        inputs, logits = find_inputs(args, kwargs), find_logits(output)
        if inputs is not None and logits is not None:
            self._seen = inputs.detach(), logits.detach()

    def _after_step(self, *_: object) -> None:
        seen, self._seen = self._seen, None
        if seen is None:
            self._hook.tick()
        else:
            self._hook(*seen)
