"""A callback for fastai's Learner."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tb_gradascent.hook import GradAscentHook
from tb_gradascent.integrations.adapter import OpenEvaluation, check_options, import_framework

if TYPE_CHECKING:
    Callback = object
else:
    (_core,) = import_framework("fastai", "fastai.callback.core")
    Callback = _core.Callback


class GradAscentCallback(Callback):
    """Records which samples confuse a classifier, while fastai's Learner trains it.

    ::

        learner = Learner(loaders, model, cbs=GradAscentCallback("runs/pets"))

    Inputs, predictions and labels are those of the Learner's own steps. Steps are counted from 1,
    and go on from one call of ``fit`` to the next. While ``MixUp`` or ``CutMix`` mixes images,
    labels are unknown. ``lr_find`` and ``get_preds`` are left out.

    Each validation is captured as well, also that of ``learner.validate()`` alone: its worst
    samples have the tag "validation", see :meth:`GradAscentHook.evaluation`. Class names, mean and
    std are those of the ``DataLoaders``, if they are not given.

    Args:
        log: The run's directory, or a ``SummaryWriter``.
        validation: Also capture the worst samples of each validation.
        **options: The options of :class:`GradAscentHook`.

    Attributes:
        hook: The :class:`GradAscentHook` of the current or last training, or ``None``.

    Raises:
        TypeError: ``GradAscentHook`` has no such option.
    """

    order = 70  # after mixed precision and MixUp, so that it sees what they give the model
    learn: Any  # the Learner sets it

    def __init__(
        self, log: str | os.PathLike[str] | Any, *, validation: bool = True, **options: Any
    ) -> None:
        super().__init__()
        check_options(options)
        self.hook: GradAscentHook | None = None
        self._log = log
        self._validation = validation
        self._options = options
        self._evaluation = OpenEvaluation()
        self._is_open = False
        self._step = self._steps_before = 0

    def before_fit(self) -> None:
        """Make the hook."""
        self._close()
        self._steps_before = self._step
        self._open(self._options)

    def after_batch(self) -> None:
        """Capture a training step if a capture is due, or look at a batch of a validation."""
        learner = self.learn
        hook = self.hook
        if hook is None or not self._is_open or not (learner.training or self._evaluation.is_open):
            return
        if learner.training:
            self._step = self._steps_before + learner.train_iter
        step = self._step
        if hook.is_due(step):
            inputs, *others = learner.xb
            mixes = any(hasattr(learner, name) for name in ("mix_up", "cut_mix"))
            is_known = learner.yb and not (mixes and learner.training)
            hook(
                inputs,
                learner.pred,
                learner.yb[0] if is_known else None,
                step=step,
                additional_forward_args=tuple(others) or None,
            )
        elif learner.training:
            hook(learner.xb[0], None, step=step)  # not due: it counts the step

    def before_validate(self) -> None:
        """Begin to collect the worst samples."""
        if not self._validation:
            return
        self._is_alone = not self._is_open
        if self._is_alone:
            self._open({"tag": "validation"} | self._options)
        if self.hook is not None and self._is_open:
            self._evaluation.begin(self.hook, step=self._step)

    def after_validate(self) -> None:
        """Capture the worst samples."""
        if self._evaluation.is_open:
            self._evaluation.end()
            if self._is_alone:
                self._close()

    def after_fit(self) -> None:
        """Write the queued samples."""
        self._close()

    def _open(self, options: dict[str, Any]) -> None:
        learner = self.learn
        # Neither trains the model, nor is either an evaluation.
        if hasattr(learner, "lr_finder") or hasattr(learner, "gather_preds"):
            return
        data = (learner.dls, getattr(learner.dls, "train", None))
        self.hook = GradAscentHook(learner.model, self._log, **{"data": data} | options)
        self._is_open = True

    def _close(self) -> None:
        self._is_open = False
        self._evaluation.forget()
        if self.hook is not None:
            self.hook.close()
