"""Keep the ranks of a sharded model (FSDP2) in step.

Each pass of such a model consists of collective operations. Every rank must join them, in the same
order. But captures differ from rank to rank. One rank has four confused samples, another has none.
One ascent takes two steps, another takes eight. A capture may also fail on one rank only. Therefore
the ranks agree on every pass before they make it, and a rank that does not need the pass runs the
model on padding.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tb_gradascent.functional.gradients import Forward
from tb_gradascent.model.private_apis import stop_reducing_gradients

#: The next action of a rank. All ranks do the largest of the actions that they want.
_DONE, _FORWARD, _FORWARD_WITH_GRAPH, _BACKWARD = range(4)

_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def is_sharded(module: nn.Module) -> bool:
    """Return whether ``fully_shard`` was applied to a module or to one of its submodules."""
    return _has(module, "FSDPModule")


def check_sharding(module: nn.Module) -> None:
    """Check that a model is not sharded by FSDP1, by DeepSpeed's ZeRO-3, or tensor-parallel.

    Raises:
        ValueError: The model or a submodule is wrapped in ``FullyShardedDataParallel``, or
            DeepSpeed has dealt out its parameters, or ranks compute parts of its layers.
    """
    if any(hasattr(parameter, "ds_id") for parameter in module.parameters()):
        raise ValueError(
            "model must not be sharded by DeepSpeed's ZeRO-3, because a pass of one rank waits for "
            "all others: use ZeRO stage 1 or 2, or torch.distributed.fsdp.fully_shard (FSDP2)"
        )
    if _has(module, "FullyShardedDataParallel"):
        raise ValueError(
            "model must not be wrapped in FullyShardedDataParallel (FSDP1), because FSDP1 allows "
            "the training's passes only: use torch.distributed.fsdp.fully_shard (FSDP2)"
        )
    if _is_tensor_parallel(module):
        raise ValueError(
            "model must not be tensor-parallel, because a pass of one rank waits for all others: "
            "use torch.distributed.fsdp.fully_shard (FSDP2), or a job without parallelize_module "
            "that evaluates the checkpoints"
        )


def _is_tensor_parallel(module: nn.Module) -> bool:
    """Return whether parameters are dealt out, apart from what ``fully_shard`` deals out."""
    fsdp = getattr(sys.modules.get("torch.distributed.fsdp"), "FSDPModule", None)
    of_fsdp: set[Tensor] = set()
    if fsdp is not None:
        for inner in module.modules():
            if isinstance(inner, fsdp):
                of_fsdp.update(inner.parameters())
    return any(
        # fully_shard deals a parameter out once, and copies it along the mesh's other dimension.
        sum(not placement.is_replicate() for placement in parameter.placements)
        > (parameter in of_fsdp)
        for parameter in module.parameters()
        if hasattr(parameter, "placements")
    )


def _has(module: nn.Module, name: str) -> bool:
    """Return whether a submodule is an instance of a class of ``torch.distributed.fsdp``."""
    kind = getattr(sys.modules.get("torch.distributed.fsdp"), name, None)
    return kind is not None and any(isinstance(inner, kind) for inner in module.modules())


class Lockstep:
    """Inside this context either all ranks make a pass, or none does.

    Every rank must enter it. A rank that leaves it, also by an exception, first joins the passes
    that the other ranks still make. If a pass itself fails on some ranks only, the other ranks wait
    for them, as they do in training.

    Args:
        module: The sharded model.
        used: A number of this rank, which the ranks tell each other.

    Attributes:
        padding: Runs the model on a rank that has no inputs of its own for a pass.
        device: The device that the model runs on.
        most_used: The largest ``used`` of all ranks; valid after the block.
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
        self._kept = stop_reducing_gradients(self._module)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None or issubclass(kind, Exception):
                self._drain()
        finally:
            for group, reduced in self._kept:
                group.reduce_grads = reduced

    def run(self, answer: Forward, inputs: Tensor) -> Tensor:
        """Return ``answer(inputs)``, logits (N, C), which can be differentiated if the inputs can.

        Args:
            answer: Runs the model.
            inputs: Shape (N, …).
        """
        if torch.is_grad_enabled() and inputs.requires_grad:
            logits: Tensor = _AgreedPass.apply(inputs, self, answer)  # type: ignore[no-untyped-call]
            return logits
        return self.forward(answer, inputs, _FORWARD)

    def _drain(self) -> None:
        """Join the passes of the other ranks until no rank wants another pass."""
        fault: Exception | None = None
        while (agreed := self._agree(_DONE)) != _DONE:
            try:
                if agreed == _BACKWARD:
                    self._through(None)
                else:
                    zeros = torch.zeros(self._padding_shape, dtype=self._dtype, device=self.device)
                    self._run(self.padding, zeros, agreed)
            except Exception as error:  # noqa: PERF203
                # The other ranks most likely meet the same error, and go on with their next pass.
                fault = fault or error
        self._graph = None
        if fault:
            raise fault

    def forward(self, answer: Forward, inputs: Tensor, wanted: int) -> Tensor:
        """Return logits without a graph. :meth:`backward` uses the graph that is kept here."""
        while (agreed := self._agree(wanted, inputs)) == _BACKWARD:
            self._through(None)
        return self._run(answer, inputs, agreed)

    def backward(self, gradient: Tensor) -> Tensor:
        """Return the inputs' gradient for the logits' gradient, through the last forward pass."""
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
            raise RuntimeError(
                "another rank makes a backward pass, but the forward pass failed on this rank"
            )
        logits, inputs = self._graph
        gradient = torch.zeros_like(logits) if gradient is None else gradient
        # The graph is kept, because another rank may make a second backward pass.
        (result,) = torch.autograd.grad(
            logits, inputs, gradient, retain_graph=True, materialize_grads=True
        )
        return result

    def _agree(self, wanted: int, inputs: Tensor | None = None) -> int:
        """Agree on the next action of all ranks, and on the shape and dtype of padding."""
        shape: list[int] = [] if inputs is None else list(inputs.shape[1:])
        dtype = torch.float32 if inputs is None else inputs.dtype
        kind = _DTYPES.index(dtype) if dtype in _DTYPES else 0
        sizes = [*shape, 0, 0, 0][:3]
        shared = torch.tensor([wanted, self._used, kind, *sizes], device=self.device)
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        agreed: int
        agreed, self.most_used, kind, *sizes = shared.tolist()
        shape = [size for size in sizes if size]
        if shape:
            self._padding_shape = 1, *shape
            self._dtype = _DTYPES[kind]
        return agreed


class _AgreedPass(torch.autograd.Function):
    """The model as one node of a graph, so that the ranks also agree on its backward pass."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, lockstep: Lockstep, answer: Forward) -> Tensor:
        ctx.lockstep = lockstep
        return lockstep.forward(answer, inputs, _FORWARD_WITH_GRAPH)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.lockstep.backward(*gradients), None, None


def _device_of(module: nn.Module) -> torch.device:
    """Return the device a sharded model runs on. Weights that are not gathered may be elsewhere."""
    parameter = next(module.parameters())
    mesh = getattr(parameter, "device_mesh", None)
    return parameter.device if mesh is None else torch.device(mesh.device_type)
