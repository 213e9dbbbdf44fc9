"""A callback for Lightning's Trainer."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from tb_gradascent.hook import GradAscentHook
from tb_gradascent.integrations.adapter import (
    OpenEvaluation,
    call_hook,
    check_options,
    import_framework,
    name_options,
)
from tb_gradascent.model.forward_recorder import ForwardRecorder
from tb_gradascent.model.isolation import unwrap
from tb_gradascent.model.loss_inputs import loss_inputs
from tb_gradascent.model.model_io import find_in_batch
from tb_gradascent.model.output_reader import candidates, columns_of

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer

    _NO_FORWARD: set[object]
else:
    # Each Trainer takes callbacks of its own package only, and often both packages are installed.
    _packages = import_framework("lightning", "lightning.pytorch", "pytorch_lightning")
    Callback = type("Callback", tuple(package.Callback for package in _packages), {})
    _NO_FORWARD = {package.LightningModule.forward for package in _packages}

_AVERAGED: Final = torch.optim.swa_utils.AveragedModel


class GradAscentCallback(Callback):
    """Records which samples confuse a classifier, while Lightning's Trainer trains it.

    ::

        trainer = Trainer(callbacks=[GradAscentCallback()])

    The images and logits are those of the training step's own forward pass. Of several modules that
    take images and return a row of logits for each, the outermost one counts: the LightningModule
    or one of its submodules. A pass does not count if its rows have another number of columns than
    the logits that the loss was computed from: then it gave features. If the step returns
    ``{"loss": …, "logits": …}``, these logits are used instead. Without such a pass, the callback
    runs the LightningModule, or ``forward``, on the batch's images.

    The labels are the batch's values named ``labels``, ``label``, ``targets``, ``target`` or ``y``,
    or the first whole numbers after the images.

    Class names, mean and std are taken from the data and the model, if they are not given.

    Validations are captured from the passes that the validation step makes. Without such a
    pass of the classifier, and without logits that the step returns, the callback looks at the
    first batch alone. It then makes a pass of its own.

    Steps are the Trainer's ``global_step`` at the batch's start. If gradients are accumulated over
    several batches, the first of them is captured.

    Args:
        log: The run's directory, or a ``SummaryWriter``. The default is the directory of the
            Trainer's ``TensorBoardLogger``. Without one it is ``trainer.log_dir``, which is
            ``default_root_dir`` if there is no logger. A ``fast_dev_run`` makes all captures, and
            keeps no file.
        validation: Also capture the worst samples of each validation, with the tag "validation",
            and those of a test with the tag "test". See :meth:`GradAscentHook.evaluation`.
        average: Ask the average of the weights about each morph, too, as the judge "average". It is
            that of a ``WeightAveraging`` or ``StochasticWeightAveraging`` among the callbacks.
        **options: The options of :class:`GradAscentHook`.

    Attributes:
        hook: The :class:`GradAscentHook` of the current or last training, or ``None``.

    Raises:
        TypeError: ``GradAscentHook`` has no such option.
    """

    @name_options
    def __init__(
        self,
        log: str | os.PathLike[str] | Any = None,
        *,
        validation: bool = True,
        average: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        check_options(options)
        self.hook: GradAscentHook | None = None
        self._log = log
        self._validation = validation
        self._average = average
        self._options = options
        self._recorder: _StepRecorder | None = None
        self._exit = contextlib.ExitStack()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the hook. The run's directory and the first step are known here."""
        self._open(trainer, pl_module, self._options)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Record the step's forward pass if a capture is due."""
        if self._recorder:
            self._recorder.begin(trainer.global_step)

    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: torch.Tensor
    ) -> None:
        """Look at the inputs of the loss if a capture is due."""
        if self._recorder:
            self._recorder.see_loss(loss)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Capture if a capture is due."""
        if self._recorder:
            self._recorder.end(batch, outputs)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to collect the worst samples. ``trainer.validate`` makes a hook of its own."""
        if self._validation and trainer.state.fn == "validate":
            options = {"tag": "validation"} | self._options
            self._open(trainer, pl_module, options)
        if self._validation and self._recorder:
            self._recorder.begin_evaluation(trainer.global_step, "validation")

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Record a batch's forward pass."""
        if self._recorder:
            self._recorder.begin_evaluated()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Look at a batch."""
        if self._recorder:
            self._recorder.end(batch, outputs)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Capture the worst samples."""
        if self._recorder:
            self._recorder.end_evaluation()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to collect the worst samples."""
        if self._validation:
            options = {"tag": "test"} | self._options
            self._open(trainer, pl_module, options).begin_evaluation(trainer.global_step, "test")

    on_test_batch_start = on_validation_batch_start
    on_test_batch_end = on_validation_batch_end
    on_test_end = on_validation_end

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Write the queued samples."""
        self._recorder = None
        self._exit.__exit__(type(exception), exception, exception.__traceback__)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the queued samples."""
        self._recorder = None
        self._exit.close()

    def _open(self, trainer: Trainer, module: nn.Module, options: dict[str, Any]) -> _StepRecorder:
        self._exit.close()
        log = self._log or _directory(trainer)
        if self._log is None and trainer.fast_dev_run:  # type: ignore[attr-defined]
            log = self._exit.enter_context(tempfile.TemporaryDirectory())
        if self._average:
            options = options | {"judges": _averages(trainer) | dict(options.get("judges") or {})}
        self._recorder = _StepRecorder(module, log, {"data": _loaders(trainer)} | options)
        self.hook = self._exit.enter_context(self._recorder.hook)
        self._exit.callback(self._recorder.stop)
        return self._recorder


class _StepRecorder:
    """The hook, and the recorder of the forward passes of due steps and of evaluations.

    Args:
        module: The LightningModule.
        log, options: The hook's.
    """

    def __init__(self, module: nn.Module, log: object, options: dict[str, Any]) -> None:
        self._module = module
        self._classifier: nn.Module | None = None
        self._passes: ForwardRecorder | None = None
        self._loss_inputs: list[torch.Tensor] = []
        self._step = 0
        self._was_asked = False
        self._is_blind = False
        self._evaluation = OpenEvaluation()
        self._own_forward = options.get("forward") is None
        if self._own_forward:
            options = options | {"forward": self._classify}
        self.hook = GradAscentHook(module, log, **options)

    def begin(self, step: int) -> None:
        """Start to record if a capture is due."""
        self._forget()
        if self.hook.is_due(step):
            self._step = step
            # Passes without gradients may be those of a teacher network.
            self._record(_recordable(self._module), lambda _: torch.is_grad_enabled())

    def begin_evaluation(self, step: int, tag: str) -> None:
        """Start to collect the worst samples of an evaluation."""
        self._forget()
        self._is_blind = False
        self._evaluation.begin(self.hook, step=step, tag=tag)

    def begin_evaluated(self) -> None:
        """Start to record a batch of an evaluation."""
        if not self._evaluation.is_open or self._is_blind or not self.hook.is_due():
            return
        if self._passes is None:
            own = self._was_asked or type(self._module).forward not in _NO_FORWARD
            known = self._classifier or (self._module if own else None)
            self._record([known] if known else _recordable(self._module), lambda _: True)

    def end_evaluation(self) -> None:
        """Capture the worst samples."""
        self._forget()
        self._evaluation.end()

    def see_loss(self, loss: torch.Tensor) -> None:
        """Remember the inputs of a loss, if a capture is due."""
        if self._passes is not None:
            self._loss_inputs += loss_inputs(loss)

    def end(self, batch: object, outputs: object) -> None:
        """Give the hook what was recorded since the batch began."""
        if self._passes is None:
            return
        inputs, _ = find_in_batch(batch)
        recorded = self._passes.take(inputs)
        logits = outputs.get("logits") if isinstance(outputs, Mapping) else None
        rows = len(inputs) if recorded is None and inputs is not None else 0
        rows = len(recorded.inputs) if recorded is not None else rows
        seen = [tensor for tensor in self._loss_inputs if len(tensor) == rows]
        if recorded is not None and seen:
            widths = {columns_of(tensor) for tensor in candidates(recorded.output, rows)}
            if not widths & {columns_of(tensor) for tensor in seen}:
                recorded = None  # its rows are features
        if (
            recorded is None
            and logits is None
            and len({columns_of(tensor) for tensor in seen}) == 1
        ):
            logits = seen[0]
        if not self._evaluation.is_open:
            self._forget()
            self._classifier = None if recorded is None else recorded.module
            self._was_asked = recorded is None
        elif recorded is not None and self._classifier is None:
            self._forget()  # from now on this module's passes alone are recorded
            self._classifier = recorded.module
        elif recorded is None and logits is None:
            self._forget()
            self._is_blind = True
            if self._was_asked and not self.hook.stats.captured:
                return  # the module cannot be asked
            # The hook asks about this batch, and about no other.
        call_hook(
            self.hook,
            self._step,
            recorded,
            batch,
            logits=logits,
            with_forward_args=self._own_forward,
        )

    def stop(self) -> None:
        """Stop everything."""
        self._forget()
        self._evaluation.forget()

    def _record(self, modules: Iterable[nn.Module], is_wanted: Callable[[nn.Module], bool]) -> None:
        self._passes = ForwardRecorder(modules, lambda m: not self.hook.capturing and is_wanted(m))

    def _forget(self) -> None:
        """Stop recording."""
        if self._passes is not None:
            self._passes.remove()
            self._passes = None
        self._loss_inputs = []

    def _classify(self, module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return self._classifier_in(module)(*args, **kwargs)

    def _classifier_in(self, module: nn.Module) -> nn.Module:
        """Return the classifier in the LightningModule, or its counterpart in a judge."""
        if self._classifier is None or module is unwrap(self._module):
            return self._classifier or module
        for name, inner in self._module.named_modules():
            if inner is self._classifier:
                with contextlib.suppress(AttributeError):  # a judge that is the classifier alone
                    return module.get_submodule(name)
        return module


def _recordable(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module and its submodules.

    Scripted modules and the insides of compiled ones are left out.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return
    yield module
    if not hasattr(module, "_orig_mod"):
        for child in module.children():
            yield from _recordable(child)


def _directory(trainer: Trainer) -> str:
    """Return the directory of the Trainer's TensorBoardLogger, by default the Trainer's own."""
    for logger in trainer.loggers:
        if any(parent.__name__ == "TensorBoardLogger" for parent in type(logger).__mro__):
            # Only the main process knows the version that is part of the directory's name.
            return str(trainer.strategy.broadcast(logger.log_dir))
    return str(trainer.log_dir or trainer.default_root_dir)


def _loaders(trainer: Trainer) -> tuple[object, ...]:
    """Return the data loaders that the Trainer has made so far."""
    return trainer.train_dataloader, trainer.val_dataloaders, trainer.test_dataloaders


def _averages(trainer: Trainer) -> dict[str, nn.Module]:
    """Return the average of the weights that a callback of the Trainer keeps, if one does."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        average = getattr(callback, "_average_model", None)
        if isinstance(average, nn.Module):
            inner: Any = average.module if isinstance(average, _AVERAGED) else average
            return {"average": inner}
    return {}
