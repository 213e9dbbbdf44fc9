"""The user's model, run for a capture: without a trace, and by all ranks that share its weights."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from tb_gradascent.functional.gradients import Forward
from tb_gradascent.model.forward_args import ForwardArgs
from tb_gradascent.model.fsdp import Lockstep
from tb_gradascent.model.isolation import isolated
from tb_gradascent.model.model_io import wanted_by

#: Calls a model with inputs (N, …) and with what it is given beside them; gives logits (N, C).
Run = Callable[[nn.Module, Tensor, ForwardArgs], Tensor]


class Passes:
    """Forward passes of one capture, which can be differentiated; see :func:`open_passes`.

    Attributes:
        device: Where the model's inputs belong; ``None`` if that is anywhere.
    """

    def __init__(self, module: nn.Module, run: Run, lockstep: Lockstep | None) -> None:
        device, self._dtype = wanted_by(module)
        self.device = lockstep.device if lockstep else device
        self._module = module
        self._run = run
        self._lockstep = lockstep
        if lockstep:
            lockstep.padding = self._answer(ForwardArgs(0), None)

    def forward(self, dtype: torch.dtype, beside: ForwardArgs, row: int | None = None) -> Forward:
        """Inputs to logits, with what the model is given beside all inputs, or beside one.

        Args:
            dtype: That of the loop's inputs, in which the model is given its own where it has
                weights of several, or none. Else these say it: autocast, which is off here, or a
                wrapper that is left out may have made the two fit in the loop.
            beside: Of a whole batch.
            row: The one among these whose arguments every input is given.
        """
        answer = self._answer(beside, row)

        def forward(inputs: Tensor) -> Tensor:
            inputs = inputs.to(self._dtype or dtype)
            return self._lockstep.run(answer, inputs) if self._lockstep else answer(inputs)

        return forward

    def ask(self, inputs: Tensor, beside: ForwardArgs) -> Tensor:
        """The model's logits (N, C) of a whole batch (N, …), without a graph."""
        with torch.no_grad():
            forward = self.forward(inputs.dtype, beside)
            return forward(inputs.to(self.device or inputs.device))

    def pad_like(self, beside: ForwardArgs) -> None:
        """Pad, if a sharded model has to, with the arguments of a batch's first input."""
        if self._lockstep:
            self._lockstep.padding = self._answer(beside, 0)

    def _answer(self, beside: ForwardArgs, row: int | None) -> Forward:
        def answer(inputs: Tensor) -> Tensor:
            given = beside if row is None else beside.of_row(row, inputs.shape[0])
            # Copies, since a model may write in place what it is given, also where that is a leaf.
            return self._run(self._module, inputs.clone(), given.to(inputs.device).copied())

        return answer


@contextlib.contextmanager
def open_passes(module: nn.Module, run: Run, lockstep: Lockstep | None = None) -> Iterator[Passes]:
    """Passes that leave no trace in a model.

    Args:
        module: The user's own, without wrappers.
        run: How it is called.
        lockstep: Of a model whose weights several ranks share. Each of them has to enter, and on
            leaving it joins what the others still have to do.
    """
    with isolated(module), lockstep or contextlib.nullcontext():
        yield Passes(module, run, lockstep)
