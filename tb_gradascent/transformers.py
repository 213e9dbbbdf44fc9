"""A callback for Transformers' Trainer."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tb_gradascent.hook import GradAscentHook
from tb_gradascent.integrations.adapter import call_hook, check_options, import_framework
from tb_gradascent.model.forward_recorder import ForwardRecorder

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
else:
    (_transformers,) = import_framework("transformers", "transformers")
    TrainerCallback = _transformers.TrainerCallback


class GradAscentCallback(TrainerCallback):
    """Records which samples confuse an image classifier, while Transformers' Trainer trains it.

    ::

        trainer = Trainer(model, arguments, callbacks=[GradAscentCallback()], ...)

    Images (``pixel_values``), labels and logits are those of the model's own forward pass in a
    training step. The labels are unknown if the Trainer does not give them to the model, as with
    label smoothing. Steps are the Trainer's ``global_step``, as in its own logs: the first is 1. If
    gradients are accumulated over several batches, the last of them is captured.

    Args:
        log: The run's directory, or a ``SummaryWriter``. The default is the directory of the
            Trainer's own TensorBoard logs. Without such logs it is a new directory in ``runs`` of
            ``output_dir``.
        **options: The options of :class:`GradAscentHook`.

    Attributes:
        hook: The :class:`GradAscentHook` of the current or last training, or ``None``.

    Raises:
        TypeError: ``GradAscentHook`` has no such option.
    """

    def __init__(self, log: str | os.PathLike[str] | Any = None, **options: Any) -> None:
        super().__init__()
        check_options(options)
        self.hook: GradAscentHook | None = None
        self._log = log
        self._options = options
        self._made_at = time.time()
        self._recorder: ForwardRecorder | None = None
        self._due = False

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        """Make the hook, and start to record the model."""
        assert model is not None, "the Trainer gives it"  # noqa: S101
        self._close()
        log = self._log or _first_process_directory(_directory(args, self._made_at))
        self.hook = GradAscentHook(model, log, **self._options)
        self._recorder = ForwardRecorder([model], self._is_wanted)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Find out whether a capture is due at the step that begins."""
        self._due = self.hook is not None and self.hook.is_due(state.global_step + 1)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Capture if a capture is due."""
        if self._due and self.hook and self._recorder:
            call_hook(
                self.hook,
                state.global_step,
                self._recorder.take(),
                None,
                with_forward_args=self._options.get("forward") is None,
            )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write the queued samples."""
        self._close()

    def _is_wanted(self, model: nn.Module) -> bool:
        return self._due and model.training and torch.is_grad_enabled()

    def _close(self) -> None:
        self._due = False
        if self._recorder:
            self._recorder.remove()
        if self.hook:
            self.hook.close()


def _directory(args: TrainingArguments, since: float) -> str:
    """Return the directory of the Trainer's own TensorBoard logs.

    Transformers 4 names it in its arguments. Since version 5 an environment variable may name it.
    Otherwise the Trainer names the directory by the time, and it is the newest one.
    """
    given = getattr(args, "logging_dir", None) or os.environ.get("TENSORBOARD_LOGGING_DIR")
    if given:
        return str(Path(given).expanduser())
    files = Path(args.output_dir or ".", "runs").rglob("events.out.tfevents.*")
    written = {path: path.stat().st_mtime for path in files}
    new = [path for path in written if written[path] >= since]
    if new:
        return str(max(new, key=written.__getitem__).parent)
    # The name that torch's SummaryWriter would choose.
    name = f"{time.strftime('%b%d_%H-%M-%S')}_{socket.gethostname()}"
    return str(Path(args.output_dir or ".", "runs", name))


def _first_process_directory(directory: str) -> str:
    """Return the first process's directory in every process."""
    shared = [directory]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast_object_list(shared)
    return shared[0]
