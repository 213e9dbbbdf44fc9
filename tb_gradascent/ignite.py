"""A handler for Ignite's engines."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

from tb_gradascent.hook import GradAscentHook
from tb_gradascent.integrations.adapter import OpenEvaluation, call_hook, import_framework
from tb_gradascent.model.forward_recorder import ForwardRecorder
from tb_gradascent.model.model_io import find_in_batch

if TYPE_CHECKING:
    from ignite.engine import Engine, Events
else:
    (_engine,) = import_framework("ignite", "ignite.engine")
    Events = _engine.Events


class GradAscentHandler:
    """Records which samples confuse a classifier, while an Ignite engine trains it.

    ::

        handler = GradAscentHandler(model, "runs/digits")
        handler.attach(trainer)
        handler.attach_evaluator(evaluator)

    Class names, mean and std are taken from the model and the data, if they are not given.

    Images and logits are those of the model's last forward pass in an iteration. The labels are the
    batch's values named ``labels``, ``label``, ``targets``, ``target`` or ``y``, or the first whole
    numbers after the images. Steps are the engine's iterations, as in Ignite's own loggers: the
    first is 1.

    Args:
        model: The classifier.
        log: The run's directory, a ``SummaryWriter``, or Ignite's ``TensorboardLogger``.
        global_step_transform: ``(engine, event) -> step``, as for Ignite's loggers. An evaluator
            counts its iterations from 1 in each run, so give ``global_step_from_engine(trainer)``
            for it, and a ``tag``.
        **options: The options of :class:`GradAscentHook`.

    Attributes:
        hook: The :class:`GradAscentHook`.

    Raises:
        TypeError: ``GradAscentHook`` has no such option.
        ValueError: ``GradAscentHook`` rejects an argument.
    """

    def __init__(
        self,
        model: nn.Module,
        log: str | os.PathLike[str] | Any,
        *,
        global_step_transform: Callable[[Engine, Events], int] | None = None,
        **options: Any,
    ) -> None:
        self.hook = GradAscentHook(model, log, **options)
        self._step_of = global_step_transform or (lambda engine, _: engine.state.iteration)
        self._with_forward_args = options.get("forward") is None
        self._recorder = ForwardRecorder([model], lambda _: self._due or self._sees)
        self._due = self._sees = False
        self._trainer: Engine | None = None
        self._evaluation = OpenEvaluation()

    def attach(self, engine: Engine) -> None:
        """Call the hook at every iteration of an engine."""
        self._trainer = engine
        engine.add_event_handler(Events.STARTED, self._learn)
        engine.add_event_handler(Events.ITERATION_STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._end)

    def attach_evaluator(self, engine: Engine, tag: str = "validation") -> None:
        """Capture the worst samples of each run of an evaluator.

        See :meth:`GradAscentHook.evaluation`. The step is that of the engine that the handler was
        attached to, or 0 without one.

        Args:
            engine: The evaluator.
            tag: The name under which the tab shows the samples.
        """
        engine.add_event_handler(Events.STARTED, self._begin_evaluation, tag)
        engine.add_event_handler(Events.ITERATION_STARTED, self._begin_evaluated)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._end_evaluated)
        engine.add_event_handler(Events.COMPLETED, self._end_evaluation)

    def close(self) -> None:
        """Write the queued samples. The end of the program also does this."""
        self._stop()
        self.hook.close()

    def __enter__(self) -> GradAscentHandler:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stop()
        self.hook.__exit__(*exception)

    def _stop(self) -> None:
        self._due = False
        self._forget_evaluation()
        self._recorder.remove()

    def _learn(self, engine: Engine) -> None:
        self.hook.learn(engine.state.dataloader)

    def _begin(self, engine: Engine) -> None:
        self._forget_evaluation()  # an error may have ended it
        self._due = self.hook.is_due(self._step(engine))

    def _end(self, engine: Engine) -> None:
        if self._due:
            self._call_hook(engine, self._step(engine))

    def _begin_evaluation(self, engine: Engine, tag: str) -> None:
        self._learn(engine)
        self._sees = False
        step = 0 if self._trainer is None else self._step(self._trainer)
        self._evaluation.begin(self.hook, step=step, tag=tag)

    def _begin_evaluated(self) -> None:
        self._sees = self.hook.is_due()

    def _end_evaluated(self, engine: Engine) -> None:
        if self._sees and self._evaluation.is_open:
            self._call_hook(engine, 0)

    def _end_evaluation(self) -> None:
        self._sees = False
        self._evaluation.end()

    def _forget_evaluation(self) -> None:
        self._sees = False
        self._evaluation.forget()

    def _call_hook(self, engine: Engine, step: int) -> None:
        batch = self._batch_of(engine)
        call_hook(
            self.hook,
            step,
            self._recorder.take(find_in_batch(batch)[0]),
            batch,
            with_forward_args=self._with_forward_args,
        )

    def _batch_of(self, engine: Engine) -> object:
        return engine.state.batch

    def _step(self, engine: Engine) -> int:
        return self._step_of(engine, Events.ITERATION_COMPLETED)
