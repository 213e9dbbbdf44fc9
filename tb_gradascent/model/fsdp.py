"""Ranks that hold one model's weights in shards, kept to the same passes.

Each pass of such a model is made of collective operations, which every rank has to join, in one
order. But captures differ from rank to rank: one has four confused samples, the next has none; one
ascent takes two steps, the next takes eight; one capture fails. So the ranks agree on every pass
before they make it, and a rank without a use for it pads.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tb_gradascent.functional.gradients import Forward

#: What a rank is about to do. Of what the ranks want, the largest is what all of them do.
_DONE, _FORWARD, _FORWARD_WITH_GRAPH, _BACKWARD = range(4)

_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def is_sharded(module: nn.Module) -> bool:
    """Whether ``fully_shard`` was applied to a module or a part of it."""
    return _has(module, "FSDPModule")


def check_sharding(module: nn.Module) -> None:
    """Refuses what cannot be captured.

    Raises:
        ValueError: The model, or a part of it, is wrapped in ``FullyShardedDataParallel``.
    """
    if _has(module, "FullyShardedDataParallel"):
        raise ValueError(
            "model must not be wrapped in FullyShardedDataParallel (FSDP1), which allows no passes "
            "beside the training's: use torch.distributed.fsdp.fully_shard (FSDP2)"
        )


def _has(module: nn.Module, name: str) -> bool:
    """Whether a part of a module is of a class of ``torch.distributed.fsdp``."""
    kind = getattr(sys.modules.get("torch.distributed.fsdp"), name, None)
    return kind is not None and any(isinstance(part, kind) for part in module.modules())


class Lockstep:
    """As a context, a block in which a pass is made by all ranks or by none.

    Every rank has to enter it. One that leaves it, by an exception too, first joins what the other
    ranks still have to do. What cannot be helped is a fault inside a pass on some of the ranks
    alone: the others then wait for it, as they do in training.

    Args:
        module: The sharded model.
        used: Any number of this rank's.

    Attributes:
        padding: Runs the model where a rank has nothing of its own to run it on.
        device: Where the model runs.
        most_used: The largest ``used`` of all ranks, known after the block.
    """

    def __init__(self, module: nn.Module, used: int) -> None:
        self.padding: Forward = module
        self.most_used = used
        self._module = module
        self.device = _device_of(module)
        self._used = used
        self._padding_shape: tuple[int, ...] = (0,)
        self._dtype = torch.float32
        self._graph: tuple[Tensor, Tensor] | None = None
        self._kept: list[tuple[Any, bool]] = []

    def __enter__(self) -> Lockstep:
        self._kept = _keep_gradients(self._module)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None or issubclass(kind, Exception):
                self._drain()
        finally:
            for group, reduced in self._kept:
                group.reduce_grads = reduced

    def run(self, answer: Forward, inputs: Tensor) -> Tensor:
        """``answer(inputs)``, logits (N, C), which can be differentiated where inputs (N, …) can.

        Args:
            answer: Runs the model.
            inputs: What on.
        """
        if torch.is_grad_enabled() and inputs.requires_grad:
            logits: Tensor = _Pass.apply(inputs, self, answer)  # type: ignore[no-untyped-call]
            return logits
        return self.forward(answer, inputs, _FORWARD)

    def _drain(self) -> None:
        """Joins the passes of the other ranks until no rank wants another."""
        fault: Exception | None = None
        while (agreed := self._agree(_DONE)) != _DONE:
            try:
                if agreed == _BACKWARD:
                    self._through(None)
                else:
                    zeros = torch.zeros(self._padding_shape, dtype=self._dtype, device=self.device)
                    self._run(self.padding, zeros, agreed)
            except Exception as error:  # noqa: PERF203
                # Most likely that of the other ranks, too, who go on to tell what they do next.
                fault = fault or error
        self._graph = None
        if fault:
            raise fault

    def forward(self, answer: Forward, inputs: Tensor, wanted: int) -> Tensor:
        """Logits, without a graph; where one is wanted, :meth:`backward` goes through it."""
        while (agreed := self._agree(wanted, inputs)) == _BACKWARD:
            self._through(None)
        return self._run(answer, inputs, agreed)

    def backward(self, gradient: Tensor) -> Tensor:
        """From the logits' gradient to that of the inputs, through the last forward pass."""
        self._agree(_BACKWARD)
        return self._through(gradient)

    def _run(self, answer: Forward, inputs: Tensor, kind: int) -> Tensor:
        self._graph = None
        with torch.set_grad_enabled(kind == _FORWARD_WITH_GRAPH):
            inputs = inputs.detach().requires_grad_(kind == _FORWARD_WITH_GRAPH)
            logits = answer(inputs)
        if kind == _FORWARD_WITH_GRAPH:
            self._graph = logits, inputs
        return logits.detach()

    def _through(self, gradient: Tensor | None) -> Tensor:
        if self._graph is None:
            raise RuntimeError("another rank goes backward, and this one's forward pass failed")
        logits, inputs = self._graph
        gradient = torch.zeros_like(logits) if gradient is None else gradient
        # Kept, since another rank may go through its own once more.
        (result,) = torch.autograd.grad(
            logits, inputs, gradient, retain_graph=True, materialize_grads=True
        )
        return result

    def _agree(self, wanted: int, inputs: Tensor | None = None) -> int:
        """What all ranks do next. Beside it they tell each other what to pad with."""
        shape: list[int] = [] if inputs is None else list(inputs.shape[1:])
        dtype = torch.float32 if inputs is None else inputs.dtype
        kind = _DTYPES.index(dtype) if dtype in _DTYPES else 0
        sizes = [*shape, 0, 0, 0][:3]
        told = torch.tensor([wanted, self._used, kind, *sizes], device=self.device)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        agreed: int
        agreed, self.most_used, kind, *sizes = told.tolist()
        shape = [size for size in sizes if size]
        if shape:
            self._padding_shape = 1, *shape
            self._dtype = _DTYPES[kind]
        return agreed


class _Pass(torch.autograd.Function):
    """The model as one node of a graph, so that its backward pass, too, is agreed on."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, lockstep: Lockstep, answer: Forward) -> Tensor:
        ctx.lockstep = lockstep
        return lockstep.forward(answer, inputs, _FORWARD_WITH_GRAPH)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.lockstep.backward(*gradients), None, None


def _device_of(module: nn.Module) -> torch.device:
    """Where a sharded model runs. Weights that are not gathered may stand elsewhere."""
    parameter = next(module.parameters())
    mesh = getattr(parameter, "device_mesh", None)
    return parameter.device if mesh is None else torch.device(mesh.device_type)


def _keep_gradients(module: nn.Module) -> list[tuple[Any, bool]]:
    """Keeps what a loop has accumulated from being reduced by the end of a backward pass.

    Returns:
        Groups of parameters, and whether each one's gradients were to be reduced.
    """
    # What the public set_requires_gradient_sync sets cannot be read, and so not be set back.
    parts: list[Any] = [part for part in module.modules() if hasattr(part, "_get_fsdp_state")]
    states = [part._get_fsdp_state() for part in parts]
    groups = [
        group
        for state in states
        for group in getattr(state, "_fsdp_param_groups", None) or [state._fsdp_param_group]
        if group is not None
    ]
    kept = [(group, group.reduce_grads) for group in groups]
    for group in groups:
        group.reduce_grads = False
    return kept
