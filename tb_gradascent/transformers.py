"""A callback for Transformers' Trainer."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from tb_gradascent.format.metadata import is_sample_shape
from tb_gradascent.hook import GradAscentHook
from tb_gradascent.integrations.adapter import (
    OpenEvaluation,
    call_hook,
    check_options,
    import_framework,
)
from tb_gradascent.model.forward_recorder import ForwardRecorder
from tb_gradascent.model.model_io import LABEL_NAMES, find_inputs, find_labels

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
else:
    (_transformers,) = import_framework("transformers", "transformers")
    TrainerCallback = _transformers.TrainerCallback


class GradAscentCallback(TrainerCallback):
    """Records which samples confuse an image classifier, while Transformers' Trainer trains it.

    ::

        trainer = Trainer(model, arguments, callbacks=[GradAscentCallback()], ...)

    Inputs (``pixel_values``, ``input_values`` or ``input_features``), labels and logits are those
    of the model's own forward pass in a training step. If the Trainer keeps the labels from the
    model, as with label smoothing or a ``compute_loss`` of your own, they are those that its
    ``compute_loss`` has. A waveform (N, length) is recorded as a signal of one channel, and a
    spectrogram of more than 64 bands as an image. Steps are the Trainer's ``global_step``, as in
    its own logs: the first is 1. If gradients are accumulated over several batches, the last of
    them is captured.

    Each evaluation is captured as well, also that of ``trainer.evaluate()`` alone: its worst
    samples have the tag "validation". The callback keeps a forward hook on the model for this.

    Class names, mean and std are taken from the model's configuration, the image processor and the
    data, if they are not given.

    Args:
        log: The run's directory, or a ``SummaryWriter``. The default is the directory of the
            Trainer's own TensorBoard logs. Without such logs it is a new directory in ``runs`` of
            ``output_dir``.
        validation: Also capture the worst samples of each evaluation, see
            :meth:`GradAscentHook.evaluation`.
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
        validation: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        check_options(options)
        self.hook: GradAscentHook | None = None
        self._log = log
        self._validation = validation
        self._options = options
        self._made_at = time.time()
        self._recorder: ForwardRecorder | None = None
        self._recorded: nn.Module | None = None
        self._run: str | None = None
        self._is_training = self._is_open = self._due = False
        self._evaluation = OpenEvaluation()
        self._kept_labels: list[Tensor] = []
        self._lacks_channel = False

    def on_init_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        """Start to record the model, for an evaluation without a training."""
        if self._validation and model is not None:
            self._record(model)

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
        self._is_training = True
        self._open(args, model, self._options, kwargs)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Find out whether a capture is due at the step that begins."""
        self._due = self.hook is not None and self.hook.is_due(state.global_step + 1)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Capture if a capture is due."""
        if self._due:
            self._due = False
            self._call_hook(state.global_step)

    def on_prediction_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        """Look at a batch of an evaluation."""
        if not self._validation or model is None:
            return
        if not self._is_open:
            self._open(args, model, {"tag": "validation"} | self._options, kwargs)
        if not self._evaluation.is_open:
            assert self.hook is not None  # noqa: S101
            self._evaluation.begin(self.hook, step=state.global_step)
        self._call_hook(state.global_step)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Capture the worst samples of an evaluation."""
        self._evaluation.end()
        if not self._is_training:
            self._close()

    def on_predict(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """Forget the batches: a prediction is no evaluation."""
        self._evaluation.forget()
        if not self._is_training:
            self._close()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write the queued samples."""
        self._is_training = False
        self._close()

    def _open(
        self,
        args: TrainingArguments,
        model: nn.Module,
        options: dict[str, Any],
        known: dict[str, Any],
    ) -> None:
        # An evaluation after the training belongs to the same run.
        self._run = self._run or _first_process_directory(_directory(args, self._made_at))
        names = ("train_dataloader", "eval_dataloader", "processing_class", "image_processor")
        data = tuple(known.get(name) for name in names)
        given: dict[str, Any] = {"data": data, "forward": self._classify} | options
        self.hook = GradAscentHook(model, self._log or self._run, **given)
        self._is_open = True
        self._record(model)

    def _record(self, model: nn.Module) -> None:
        if self._recorder and self._recorded is model:
            return  # it may hold the first pass of an evaluation
        if self._recorder:
            self._recorder.remove()
        self._recorder = ForwardRecorder([model], self._is_wanted, _find_inputs)
        self._recorded = model

    def _is_wanted(self, model: nn.Module) -> bool:
        if self.hook is not None and self.hook.capturing:
            return False
        is_training = model.training and torch.is_grad_enabled()
        is_evaluated = not (model.training or torch.is_grad_enabled()) and self._validation
        if is_evaluated and self._recorder and not torch.compiler.is_compiling():
            self._recorder.take()  # only the last pass is kept
        wanted = is_evaluated or (self._due and is_training)
        if wanted and not torch.compiler.is_compiling():
            self._kept_labels = list(_labels_of_callers(_HAVE_LABELS))
        return wanted

    def _call_hook(self, step: int) -> None:
        recorded = self._recorder.take() if self._recorder else None
        kept, self._kept_labels = self._kept_labels, []
        if self.hook is None or not self.hook.is_due(step):
            return
        if recorded is None:
            if not self._evaluation.is_open:
                call_hook(self.hook, step, None, None)  # it is reported as a fault
            return
        own_forward = self._options.get("forward") is None
        call = recorded.hook_arguments(with_forward_args=own_forward)
        samples = len(recorded.inputs)
        if call["labels"] is None and recorded.is_certain:
            # A compiled model's pass ends in compiled code, which does not look at its callers.
            kept = kept or list(_labels_of_callers(_LOOPS))
            fitting = (find_labels({"labels": labels}, samples) for labels in kept)
            call["labels"] = next((labels for labels in fitting if labels is not None), None)
        if own_forward:
            self._lacks_channel = not is_sample_shape(tuple(recorded.inputs.shape[1:]))
            if self._lacks_channel:
                call["inputs"] = call["inputs"].unsqueeze(1)
        self.hook(**call, step=step)

    def _classify(self, model: nn.Module, inputs: Tensor, *args: Any, **kwargs: Any) -> Any:
        return model(inputs.squeeze(1) if self._lacks_channel else inputs, *args, **kwargs)

    def _close(self) -> None:
        self._due = self._is_open = False
        self._evaluation.forget()
        if self._recorder:
            self._recorder.take()
            if not self._validation:
                self._recorder.remove()
                self._recorder = None
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


#: The names of a model's inputs in Transformers: images, waveforms and spectrograms.
_INPUT_NAMES: Final = ("pixel_values", "input_values", "input_features")
#: Functions of the Trainer that have a batch's labels.
_HAVE_LABELS: Final = frozenset({"compute_loss", "training_step", "prediction_step"})
#: Its loops, which still have them when a step has ended. The second one is of Transformers 4.
_LOOPS: Final = frozenset({"_run_epoch", "_inner_training_loop", "evaluation_loop"})


def _find_inputs(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """Return the inputs among a model's arguments, also a waveform (N, length)."""
    for name in _INPUT_NAMES:
        value = kwargs.get(name)
        if isinstance(value, Tensor) and value.is_floating_point() and value.dim() > 1:
            return value
    return find_inputs(args, kwargs)


def _labels_of_callers(names: Set[str]) -> Iterator[Tensor]:
    """Yield the labels that the Trainer's functions of these names have now.

    No event of the Trainer tells them if they are kept from the model.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_name in names:
            found = frame.f_locals
            for holder in (found, *(v for v in found.values() if isinstance(v, Mapping))):
                for name in LABEL_NAMES:
                    if isinstance(holder.get(name), Tensor):
                        yield holder[name]
