"""Run the user's model for captures: without a trace, and on all ranks that share its weights."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from tb_gradascent.functional.gradients import Forward
from tb_gradascent.model.collectives import NoCollectives, may_wait
from tb_gradascent.model.forward_args import ForwardArgs
from tb_gradascent.model.fsdp import Lockstep, check_sharding, is_sharded
from tb_gradascent.model.isolation import isolated, unwrap
from tb_gradascent.model.model_io import wanted_by
from tb_gradascent.model.output_reader import OutputReader

#: Layers whose answers in training mode and in eval mode differ.
_DEPEND_ON_MODE: Final = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.dropout._DropoutNd,
    nn.RReLU,
    nn.MultiheadAttention,
    nn.RNNBase,
)


class JudgeError(Exception):
    """A judge failed.

    Attributes:
        name: The judge's name.
        error: Why.
    """

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"the judge {name!r} failed: {type(error).__name__}: {error}")
        self.name = name
        self.error = error


class ModelRunner:
    """Run the user's own module, without its wrappers, and leave it as it was.

    Args:
        model: As it stands in the loop.
        call: ``(module, inputs, *additional_forward_args) -> logits``; ``None`` calls the module.
        judges: Other networks by name, which are called in the same way.
        classes: The number of classes, if it is known.

    Attributes:
        judges: Those of the judges that did not fail so far.
        reader: Finds the logits in what the model returns.
        running: Whether the model is being run for a capture.
        agreed_stretch: The largest stretch that any rank of a sharded model wants; ``None`` if the
            ranks have not agreed yet.

    Raises:
        ValueError: The model cannot be captured, see :func:`check_sharding`.
    """

    def __init__(
        self,
        model: nn.Module,
        call: Callable[..., Any] | None,
        judges: Mapping[str, nn.Module],
        classes: int | None,
    ) -> None:
        check_sharding(model)
        self.reader = OutputReader(classes)
        self._judge_readers: dict[str, OutputReader] = {name: OutputReader() for name in judges}
        self.judges = dict(judges)
        self.running = False
        self.agreed_stretch: int | None = None
        self._model = model
        self._call = call
        self._sharded: bool | None = None

    @property
    def is_sharded(self) -> bool:
        """Whether other ranks need this one for each pass."""
        if self._sharded is None:  # not before the loop, when the model is what it will be
            self._sharded = is_sharded(self._model)
        return self._sharded

    @contextlib.contextmanager
    def passes(self, stretch: int) -> Iterator[Passes]:
        """Open passes through the model. Every rank of a sharded model has to enter.

        Args:
            stretch: By how much this rank wants its captures to be rarer, told to the others.
        """
        # Unwrap at each capture: the module in a wrapper may have been replaced.
        module = unwrap(self._model)
        if self._sharded is None:
            check_sharding(module)
        lockstep = Lockstep(module, stretch) if self.is_sharded else None
        self.running = True
        try:
            with contextlib.ExitStack() as stack:
                trained = [inner for inner in module.modules() if inner.training]
                stack.enter_context(isolated(module))
                judges = {name: unwrap(judge) for name, judge in self.judges.items()}
                for judge in judges.values():
                    stack.enter_context(isolated(judge))
                stack.enter_context(lockstep or contextlib.nullcontext())
                readers = self._judge_readers
                passes = Passes(module, self._call, lockstep, judges, self.reader, readers, trained)
                yield passes
                self.judges = {name: self.judges[name] for name in passes.judges}
        finally:
            self.running = False
            if lockstep:
                self.agreed_stretch = lockstep.most_used


class Passes:
    """Forward passes of one capture, which can be differentiated.

    Args:
        module: The user's own, without wrappers.
        call: How it is called, as for :class:`ModelRunner`.
        lockstep: Of a model whose weights several ranks share.
        judges: Other networks, without wrappers, by name.
        reader: Finds the logits in what the model returns.
        judge_readers: The same for each judge.
        trained: The modules that the loop has in training mode.

    Attributes:
        device: Where the model's inputs belong; ``None`` if that is anywhere.
        judges: The judges. Take out one that failed.
    """

    def __init__(
        self,
        module: nn.Module,
        call: Callable[..., Any] | None,
        lockstep: Lockstep | None,
        judges: Mapping[str, nn.Module],
        reader: OutputReader,
        judge_readers: Mapping[str, OutputReader],
        trained: Sequence[nn.Module],
    ) -> None:
        device, self._dtype = wanted_by(module)
        self.device = lockstep.device if lockstep else device
        self._module = module
        self._call = call
        self._lockstep = lockstep
        self.judges = dict(judges)
        self.reader = reader
        self._judge_readers = judge_readers
        self._likely: Tensor | None = None
        self._trained = trained
        if lockstep:
            lockstep.padding = self._answer(self._module, reader, ForwardArgs(0), None)

    def forward(self, dtype: torch.dtype, beside: ForwardArgs, row: int | None = None) -> Forward:
        """Return a function from inputs (N, …) to logits (N, C).

        Args:
            dtype: The dtype of the loop's inputs. The model gets its inputs in this dtype if its
                weights have several dtypes or none. In the loop, autocast or a wrapper may have
                made the two fit; here both are off.
            beside: The model's further arguments for a whole batch of inputs.
            row: Give every input this row's arguments; ``None`` gives each input its own.
        """
        answer = self._answer(self._module, self.reader, beside, row)

        def forward(inputs: Tensor) -> Tensor:
            inputs = inputs.to(self._dtype or dtype)
            return self._lockstep.run(answer, inputs) if self._lockstep else answer(inputs)

        return forward

    def judge_forward(
        self, name: str, dtype: torch.dtype, beside: ForwardArgs, row: int | None = None
    ) -> Forward:
        """Return a function from inputs (N, …) to a judge's logits (N, C).

        The function raises :class:`JudgeError` if the judge fails, or if it does not have as many
        classes as the model.

        Args:
            name: The judge's.
            dtype, beside, row: As for :meth:`forward`.
        """
        judge = self.judges[name]
        reader = self._judge_readers[name]
        answer = self._answer(judge, reader, beside, row)
        device, own_dtype = wanted_by(judge)

        def forward(inputs: Tensor) -> Tensor:
            try:
                given = inputs.to(device or inputs.device, own_dtype or dtype)
                if reader.form is None:
                    with torch.enable_grad():
                        answer(given[:2].detach().requires_grad_())
                logits = answer(given)
                if logits.shape[1] != self.reader.classes:
                    raise ValueError(
                        f"a judge must have the model's {self.reader.classes} classes, got "
                        f"{logits.shape[1]}"
                    )
            except Exception as error:
                raise JudgeError(name, error) from error
            return logits.to(inputs.device)

        return forward

    def ask(self, inputs: Tensor, beside: ForwardArgs) -> Tensor:
        """Return the model's logits (N, C) of a whole batch (N, …), without a graph."""
        with torch.no_grad():
            forward = self.forward(inputs.dtype, beside)
            return forward(inputs.to(self.device or inputs.device))

    @property
    def depends_on_mode(self) -> bool:
        """Whether a module is known to answer otherwise in the loop's mode than in eval mode."""
        return any(isinstance(module, _DEPEND_ON_MODE) for module in self._trained)

    def ask_in_training(
        self, inputs: Tensor, beside: ForwardArgs, *, times: int
    ) -> Sequence[Tensor]:
        """Return the logits (N, C) of a whole batch in the loop's mode, without a graph.

        Args:
            inputs: The batch (N, …).
            beside: The model's further arguments for it.
            times: How often to ask. Random layers answer differently each time.
        """
        with isolated(self._module):
            for module in self._trained:
                module.training = True
            return [self.ask(inputs, beside) for _ in range(times)]

    def pad_like(self, beside: ForwardArgs) -> None:
        """Pad with the arguments of a batch's first input, if the model is sharded."""
        if self._lockstep:
            self._lockstep.padding = self._answer(self._module, self.reader, beside, 0)

    def settle(self, batch: Tensor, beside: ForwardArgs, likely: Tensor | None) -> None:
        """Find out once what the model's output holds, which takes a graph.

        Args:
            batch: The loop's inputs (N, …). Two of them run.
            beside: The model's further arguments for the batch.
            likely: The loop's logits (N, C), which tell the elements of an output apart.

        Raises:
            RuntimeError: The model waits for other processes, and is not sharded.
        """
        if self.reader.form is not None:
            return
        rows = min(len(batch), 2)
        first = batch[:rows].detach().to(self.device or batch.device, copy=True)
        self._likely = None if likely is None else likely[:rows].detach()
        watched = may_wait() and not self._lockstep
        try:
            with torch.enable_grad(), NoCollectives() if watched else contextlib.nullcontext():
                self.forward(batch.dtype, beside.of_rows(range(rows)))(first.requires_grad_())
        finally:
            self._likely = None
        if self.reader.form is None:
            self.reader.form = "logits"  # nothing that the model computes has a graph

    def _answer(
        self, module: nn.Module, reader: OutputReader, beside: ForwardArgs, row: int | None
    ) -> Forward:
        def answer(inputs: Tensor) -> Tensor:
            given = beside
            # Copies, since a model may write in place to its arguments, even to a leaf.
            if not beside.is_empty:
                given = beside if row is None else beside.of_row(row, inputs.shape[0])
                given = given.to(inputs.device).copied()
            if self._call is None:
                output = module(inputs.clone(), *given.args, **given.kwargs)
            else:
                output = self._call(module, inputs.clone(), *given.args, **given.kwargs)
            return reader.of_model(output, inputs.shape[0], self._likely)

        return answer
