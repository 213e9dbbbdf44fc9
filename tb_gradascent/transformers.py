"""The hook as a callback of Transformers' Trainer."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tb_gradascent.hook import GradAscentHook
from tb_gradascent.integrations.adapter import check_options, framework, look
from tb_gradascent.model.forward_recorder import ForwardWatch

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
else:
    (_transformers,) = framework("transformers", "transformers")
    TrainerCallback = _transformers.TrainerCallback


class GradAscentCallback(TrainerCallback):
    """Records which samples confuse an image classifier, while Transformers' Trainer trains it.

    ::

        trainer = Trainer(model, arguments, callbacks=[GradAscentCallback()], ...)

    Images (``pixel_values``), labels and logits are those of the model's own forward pass in a
    training step; where the Trainer keeps the labels from the model, as for label smoothing, they
    are not known. Steps are the Trainer's ``global_step``, as in its own logs: the first is 1. Of
    batches whose gradients are accumulated the last is looked at.

    Args:
        log: The run's directory, or a ``SummaryWriter``. By default that of the Trainer's own
            TensorBoard logs, or, where it keeps none, a new one in ``runs`` of ``output_dir``.
        **options: Those of :class:`GradAscentHook`.

    Attributes:
        hook: The :class:`GradAscentHook` of the training that runs, or that ran last.

    Raises:
        TypeError: ``GradAscentHook`` has no such option.
    """

    def __init__(self, log: str | os.PathLike[str] | Any = None, **options: Any) -> None:
        super().__init__()
        check_options(options)
        self.hook: GradAscentHook | None = None
        self._log = log
        self._options = options
        self._made = time.time()
        self._watch: ForwardWatch | None = None
        self._due = False

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        """Makes the hook, and watches the model."""
        assert model is not None, "the Trainer gives it"  # noqa: S101
        self._close()
        log = self._log or _agreed(_directory(args, self._made))
        self.hook = GradAscentHook(model, log, **self._options)
        self._watch = ForwardWatch([model], self._is_wanted)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Looks whether the step that begins is to be captured."""
        self._due = self.hook is not None and self.hook.is_due(state.global_step + 1)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Captures, if that is due."""
        if self._due and self.hook and self._watch:
            beside = self._options.get("forward") is None
            look(self.hook, state.global_step, self._watch.take(), None, beside=beside)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Writes what is still queued."""
        self._close()

    def _is_wanted(self, model: nn.Module) -> bool:
        return self._due and model.training and torch.is_grad_enabled()

    def _close(self) -> None:
        self._due = False
        if self._watch:
            self._watch.remove()
        if self.hook:
            self.hook.close()


def _directory(args: TrainingArguments, since: float) -> str:
    """Where the Trainer's own TensorBoard logs are.

    Transformers 4 says so. Since 5 a variable of the environment does, or else the directory is
    named by the time, and the newest one is it.
    """
    said = getattr(args, "logging_dir", None) or os.environ.get("TENSORBOARD_LOGGING_DIR")
    if said:
        return str(Path(said).expanduser())
    files = Path(args.output_dir or ".", "runs").rglob("events.out.tfevents.*")
    written = {path: path.stat().st_mtime for path in files}
    new = [path for path in written if written[path] >= since]
    if new:
        return str(max(new, key=written.__getitem__).parent)
    # As torch's SummaryWriter would name it.
    name = f"{time.strftime('%b%d_%H-%M-%S')}_{socket.gethostname()}"
    return str(Path(args.output_dir or ".", "runs", name))


def _agreed(directory: str) -> str:
    """The first process's, in all."""
    said = [directory]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast_object_list(said)
    return said[0]
