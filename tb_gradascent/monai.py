"""A handler for MONAI's trainers and evaluators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tb_gradascent.integrations.adapter import import_framework

# Before Ignite, so that its absence is named.
(_events,) = import_framework("monai", "monai.engines.utils")

from tb_gradascent import ignite  # noqa: E402

if TYPE_CHECKING:
    from ignite.engine import Engine

IterationEvents = _events.IterationEvents


class GradAscentHandler(ignite.GradAscentHandler):
    """Records which samples confuse a classifier, while a MONAI trainer trains it.

    ::

        handler = GradAscentHandler(model, "runs/scans")
        evaluator = SupervisedEvaluator(..., val_handlers=[handler])
        trainer = SupervisedTrainer(..., train_handlers=[handler, ValidationHandler(1, evaluator)])

    MONAI's engines are Ignite's. See :class:`tb_gradascent.ignite.GradAscentHandler` for the
    arguments. A trainer and its evaluators share one handler, in any order.

    Images have two dimensions: a volume is refused.
    """

    _batch: object = None

    def attach(self, engine: Engine) -> None:
        """Capture a trainer's due iterations, or the worst samples of each run of an evaluator."""
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._keep_batch)
        if any(parent.__name__ == "Evaluator" for parent in type(engine).__mro__):
            self.attach_evaluator(engine)
        else:
            super().attach(engine)

    def _keep_batch(self, engine: Engine) -> None:
        # Before the end of the iteration, MONAI takes the batch apart into samples.
        self._batch = engine.state.batch

    def _batch_of(self, engine: Engine) -> object:
        return self._batch
