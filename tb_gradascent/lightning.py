"""The hook as a callback of Lightning's Trainer."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tb_gradascent.hook import GradAscentHook
from tb_gradascent.integrations.adapter import check_options, framework, look
from tb_gradascent.model.forward_recorder import ForwardWatch

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    # Each Trainer takes its own package's callbacks only, and often both are installed.
    _packages = framework("lightning", "lightning.pytorch", "pytorch_lightning")
    Callback = type("Callback", tuple(package.Callback for package in _packages), {})


class GradAscentCallback(Callback):
    """Records which samples confuse a classifier, while Lightning's Trainer trains it.

    ::

        trainer = Trainer(callbacks=[GradAscentCallback()])

    The images and logits are those of the training step's own forward pass: of the outermost module
    that takes images and gives a row of logits for each, be it the LightningModule or a part of it.
    Logits that the step returns as ``{"loss": …, "logits": …}`` come first. Where no such pass is
    seen, the LightningModule itself, or ``forward``, is asked about the batch's images, which is
    one more pass when a capture is due. The labels are the batch's: what is called ``labels``,
    ``label``, ``targets``, ``target`` or ``y``, or the first whole numbers after the images.

    A step is one of the Trainer's ``global_step``, as it stands when the batch begins. Of batches
    whose gradients are accumulated the first is looked at.

    Args:
        log: The run's directory, or a ``SummaryWriter``. By default that of the Trainer's
            ``TensorBoardLogger``, or else ``trainer.log_dir``, which without a logger is
            ``default_root_dir``. A ``fast_dev_run`` takes all steps, and keeps no file.
        validation: Whether to capture validation batches, too, under the tag "validation": the
            first of each validation in which a capture is due.
        **options: Those of :class:`GradAscentHook`.

    Attributes:
        hook: The :class:`GradAscentHook` of the training that runs, or that ran last.

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
        self._training: _Look | None = None
        self._validating: _Look | None = None
        self._exit = contextlib.ExitStack()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Makes the hook, where the run's directory and the step to resume from are known."""
        self._exit.close()
        log = self._log or _directory(trainer)
        if self._log is None and trainer.fast_dev_run:  # type: ignore[attr-defined]
            log = self._exit.enter_context(tempfile.TemporaryDirectory())
        self._training = self._look(pl_module, log, self._options)
        self.hook = self._training.hook
        if self._validation:
            options = self._options | {"tag": "validation"}
            self._validating = self._look(pl_module, log, options, with_gradients=False)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Watches the step's forward pass, if a capture is due."""
        if self._training:
            self._training.begin(trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Captures, if that is due."""
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
        """The same for a validation batch."""
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
        """The same for a validation batch."""
        if self._validating:
            self._validating.end(batch, outputs)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Writes what is still queued."""
        self._exit.__exit__(type(exception), exception, exception.__traceback__)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Writes what is still queued."""
        self._training = self._validating = None
        self._exit.close()

    def _look(self, *args: Any, **options: Any) -> _Look:
        look = _Look(*args, **options)
        self._exit.enter_context(look.hook)
        self._exit.callback(look.stop)
        return look


class _Look:
    """A hook, and the watch over the passes that it is about.

    Args:
        module: The LightningModule.
        log, options: The hook's.
        with_gradients: Whether these passes are made to be followed by a backward pass; others,
            such as a teacher's, are then passed over.
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
        self._watch: ForwardWatch | None = None
        self._step = 0
        self._own_forward = options.get("forward") is None
        if self._own_forward:
            options = options | {"forward": self._classify}
        self.hook = GradAscentHook(module, log, **options)

    def begin(self, step: int) -> None:
        """Watches from here on, if a capture is due."""
        self.stop()
        if self.hook.is_due(step):
            self._step = step
            self._watch = ForwardWatch(_watched(self._module), self._is_wanted)

    def end(self, batch: object, outputs: object) -> None:
        """Captures, if that was due when the batch began."""
        if self._watch is None:
            return
        seen = self._watch.take()
        self.stop()
        if seen is not None:
            self._classifier = seen.module
        logits = outputs.get("logits") if isinstance(outputs, Mapping) else None
        look(self.hook, self._step, seen, batch, logits=logits, beside=self._own_forward)

    def stop(self) -> None:
        """Watches no more."""
        if self._watch is not None:
            self._watch.remove()
            self._watch = None

    def _is_wanted(self, _: nn.Module) -> bool:
        return torch.is_grad_enabled() or not self._with_gradients

    def _classify(self, module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return (self._classifier or module)(*args, **kwargs)


def _watched(module: nn.Module) -> Iterator[nn.Module]:
    """A module and what is in it, but nothing scripted, nor what is in a compiled one."""
    if isinstance(module, torch.jit.ScriptModule):
        return
    yield module
    if not hasattr(module, "_orig_mod"):
        for child in module.children():
            yield from _watched(child)


def _directory(trainer: Trainer) -> str:
    """Where the Trainer's TensorBoardLogger writes, or else what is nearest to that."""
    for logger in trainer.loggers:
        if any(parent.__name__ == "TensorBoardLogger" for parent in type(logger).__mro__):
            # Its version is the main process's to count.
            return str(trainer.strategy.broadcast(logger.log_dir))
    return str(trainer.log_dir or trainer.default_root_dir)
