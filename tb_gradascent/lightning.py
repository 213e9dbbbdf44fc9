"""A callback for Lightning's Trainer."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tb_gradascent.hook import GradAscentHook
from tb_gradascent.integrations.adapter import call_hook, check_options, import_framework
from tb_gradascent.model.forward_recorder import ForwardRecorder
from tb_gradascent.model.loss_inputs import loss_inputs
from tb_gradascent.model.model_io import find_in_batch
from tb_gradascent.model.output_reader import candidates, columns_of

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    # Each Trainer takes callbacks of its own package only, and often both packages are installed.
    _packages = import_framework("lightning", "lightning.pytorch", "pytorch_lightning")
    Callback = type("Callback", tuple(package.Callback for package in _packages), {})


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

    Steps are the Trainer's ``global_step`` at the batch's start. If gradients are accumulated over
    several batches, the first of them is captured.

    Args:
        log: The run's directory, or a ``SummaryWriter``. The default is the directory of the
            Trainer's ``TensorBoardLogger``. Without one it is ``trainer.log_dir``, which is
            ``default_root_dir`` if there is no logger. A ``fast_dev_run`` makes all captures, and
            keeps no file.
        validation: Also capture the first batch of each validation, if a capture is due. These
            samples have the tag "validation".
        **options: The options of :class:`GradAscentHook`.

    Attributes:
        hook: The :class:`GradAscentHook` of the current or last training, or ``None``.

    Raises:
        TypeError: ``GradAscentHook`` has no such option.
    """

    def __init__(
        self,
        log: str | os.PathLike[str] | Any = None,
        *,
        validation: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        check_options(options)
        self.hook: GradAscentHook | None = None
        self._log = log
        self._validation = validation
        self._options = options
        self._training: _PhaseRecorder | None = None
        self._validating: _PhaseRecorder | None = None
        self._exit = contextlib.ExitStack()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the hook. The run's directory and the first step are known here."""
        self._exit.close()
        log = self._log or _directory(trainer)
        if self._log is None and trainer.fast_dev_run:  # type: ignore[attr-defined]
            log = self._exit.enter_context(tempfile.TemporaryDirectory())
        self._training = self._record_phase(pl_module, log, self._options)
        self.hook = self._training.hook
        if self._validation:
            options = self._options | {"tag": "validation"}
            self._validating = self._record_phase(pl_module, log, options, with_gradients=False)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Record the step's forward pass if a capture is due."""
        if self._training:
            self._training.begin(trainer.global_step)

    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: torch.Tensor
    ) -> None:
        """Look at the inputs of the loss if a capture is due."""
        if self._training:
            self._training.see_loss(loss)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Capture if a capture is due."""
        if self._training:
            self._training.end(batch, outputs)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Record a validation batch's forward pass if a capture is due."""
        if self._validating:
            self._validating.begin(trainer.global_step)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Capture a validation batch if a capture is due."""
        if self._validating:
            self._validating.end(batch, outputs)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Write the queued samples."""
        self._exit.__exit__(type(exception), exception, exception.__traceback__)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the queued samples."""
        self._training = self._validating = None
        self._exit.close()

    def _record_phase(self, *args: Any, **options: Any) -> _PhaseRecorder:
        phase = _PhaseRecorder(*args, **options)
        self._exit.enter_context(phase.hook)
        self._exit.callback(phase.stop)
        return phase


class _PhaseRecorder:
    """The hook of one phase, training or validation, and the recorder of its forward passes.

    Args:
        module: The LightningModule.
        log, options: The hook's.
        with_gradients: Record passes with gradients only. This leaves out, for example, a teacher
            network in a training step.
    """

    def __init__(
        self,
        module: nn.Module,
        log: object,
        options: dict[str, Any],
        *,
        with_gradients: bool = True,
    ) -> None:
        self._module = module
        self._with_gradients = with_gradients
        self._classifier: nn.Module | None = None
        self._recorder: ForwardRecorder | None = None
        self._loss_inputs: list[torch.Tensor] = []
        self._step = 0
        self._own_forward = options.get("forward") is None
        if self._own_forward:
            options = options | {"forward": self._classify}
        self.hook = GradAscentHook(module, log, **options)

    def begin(self, step: int) -> None:
        """Start to record if a capture is due."""
        self.stop()
        self._loss_inputs = []
        if self.hook.is_due(step):
            self._step = step
            self._recorder = ForwardRecorder(_recordable(self._module), self._is_wanted)

    def see_loss(self, loss: torch.Tensor) -> None:
        """Remember the inputs of a loss, if a capture is due."""
        if self._recorder is not None:
            self._loss_inputs += loss_inputs(loss)

    def end(self, batch: object, outputs: object) -> None:
        """Capture if a capture was due when the batch began."""
        if self._recorder is None:
            return
        inputs, _ = find_in_batch(batch)
        recorded = self._recorder.take(inputs)
        self.stop()
        logits = outputs.get("logits") if isinstance(outputs, Mapping) else None
        rows = len(inputs) if recorded is None and inputs is not None else 0
        rows = len(recorded.inputs) if recorded is not None else rows
        seen = [logits for logits in self._loss_inputs if len(logits) == rows]
        self._loss_inputs = []
        if recorded is not None and seen:
            widths = {columns_of(tensor) for tensor in candidates(recorded.output, rows)}
            if not widths & {columns_of(tensor) for tensor in seen}:
                recorded = None  # its rows are features
        if recorded is None and logits is None and len({columns_of(rows) for rows in seen}) == 1:
            logits = seen[0]
        self._classifier = None if recorded is None else recorded.module
        call_hook(
            self.hook,
            self._step,
            recorded,
            batch,
            logits=logits,
            with_forward_args=self._own_forward,
        )

    def stop(self) -> None:
        """Stop recording."""
        if self._recorder is not None:
            self._recorder.remove()
            self._recorder = None

    def _is_wanted(self, _: nn.Module) -> bool:
        return torch.is_grad_enabled() or not self._with_gradients

    def _classify(self, module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return (self._classifier or module)(*args, **kwargs)


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
