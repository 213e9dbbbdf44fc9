"""``GradAscentHook``: the one object with state, a line in a training loop."""

from __future__ import annotations

import logging
import operator
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import torch
from torch import Tensor, nn

from tb_gradascent import arguments
from tb_gradascent.ascent import Ascent
from tb_gradascent.batch import Batch, Ids, Labels, describe, id_text
from tb_gradascent.capture import Recipe, capture
from tb_gradascent.confusion import Criterion, ProbabilityMargin, most_confused
from tb_gradascent.gradients import Score, check_score
from tb_gradascent.isolation import isolated, unwrap
from tb_gradascent.metadata import SessionInfo
from tb_gradascent.samples import Sample
from tb_gradascent.targets import Targets, check_targets
from tb_gradascent.writer import SampleWriter

logger = logging.getLogger("tb_gradascent")

#: Captures that may fail in a row before the hook gives up.
_PATIENCE = 10


class GradAscentHook:
    """Records which samples confuse a classifier, and what would change its mind, while it trains.

    ::

        hook = GradAscentHook(model, "runs/mnist", class_names=list("0123456789"))
        for inputs, labels in loader:
            logits = model(inputs)
            ...                                  # loss, backward, optimizer.step(): untouched
            hook(inputs, logits, labels)

    The model's weights, buffers, gradients, modes and the random states are left as they were. A
    fault during training is logged once and never raised, unless ``strict``.

    Args:
        model: The classifier, as it stands in the loop (data parallel wrappers and compiled models
            are looked into).
        log: The run's directory, or a ``SummaryWriter`` (torch's or tensorboardX's), beside whose
            event file the hook's own is then written.
        every: Steps between captures: the first call captures, then each one at which the step
            has passed another multiple of ``every``.
        top_k: Samples in a capture at the most.
        criterion: Maps ``(logits, labels)`` to a score a sample, higher is more confused, ``-inf``
            is never taken. See :class:`ProbabilityMargin` and :class:`LogitMargin`.
        targets: Towards which classes: ``"top2"`` (the two most probable), ``"label"`` (the true
            one), ``"all"``, or a list of class indices.
        score: What the gradient differentiates: ``"logit"``, ``"probability"`` or
            ``"log_probability"``.
        ascent: How morphs are made, see :class:`Ascent`; ``None`` records the gradient alone.
        class_names: The name of class 0, 1, …
        mean, std: Those of the loop's ``Normalize``, a number or a number a channel:
            ``inputs * std + mean`` is what a person should be shown.
        bounds: Legal input values ``(low, high)`` in model space, numbers or numbers a channel.
            Morphs stay within them, and they are shown as black and white. By default what becomes
            [0, 1] by ``mean`` and ``std``, if these are given, and else none.
        forward: ``(model, inputs) -> logits``, where the model is not called with one tensor.
        tag: Under which the samples appear.
        strict: Raise what would be logged.

    Raises:
        ValueError: An argument breaks its rule; the message says which, and what to give instead.
        OSError: The run's directory cannot be written.
    """

    def __init__(
        self,
        model: nn.Module,
        log: str | os.PathLike[str] | Any,
        *,
        every: int = 100,
        top_k: int = 4,
        criterion: Criterion | Callable[[Tensor, Tensor | None], Tensor] = ProbabilityMargin(),
        targets: Targets = "top2",
        score: Score = "logit",
        ascent: Ascent | None = Ascent(),
        class_names: Sequence[str] | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        bounds: Sequence[float] | Sequence[Sequence[float]] | None = None,
        forward: Callable[[Any, Tensor], Tensor] | None = None,
        tag: str = "confused",
        strict: bool = False,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ValueError(f"model must be a torch.nn.Module, and is {type(model).__name__}")
        if not callable(criterion):
            raise ValueError(
                "criterion must be a callable (logits, labels) -> scores, and is "
                f"{criterion!r}: ProbabilityMargin() is the default"
            )
        check_score(score)
        if ascent is not None and not isinstance(ascent, Ascent):
            raise ValueError(f"ascent must be an Ascent(…) or None, and is {ascent!r}")
        if forward is not None and not callable(forward):
            raise ValueError(
                f"forward must be a callable (model, inputs) -> logits, and is {forward!r}"
            )
        check_targets(targets)
        means, stds = arguments.normalization(mean, std)
        self._model = model
        self._forward = forward
        self._every = arguments.whole_number("every", every, 1)
        self._top_k = arguments.whole_number("top_k", top_k, 1)
        self._criterion = criterion
        self._recipe = Recipe(targets, score, ascent, arguments.legal_bounds(bounds, means, stds))
        self._tag = arguments.tag_name(tag)
        self._strict = bool(strict)
        self._info = SessionInfo(
            started=time.time(),
            class_names=arguments.names(class_names),
            mean=means,
            std=stds,
            bounds=self._recipe.bounds,
        )
        self._probes: list[Batch] = []
        self._calls = 0
        self._last_step: int | None = None
        self._failures = 0
        self._warned: set[str] = set()
        self.capturing = False
        """Whether the model is being run by the hook: forward hooks of your own may look."""
        self._writer = SampleWriter(arguments.log_directory(log), self._tag, self._info)

    def __call__(
        self,
        inputs: Tensor,
        logits: Tensor,
        labels: Labels | None = None,
        *,
        step: SupportsIndex | None = None,
        ids: Ids | None = None,
    ) -> int:
        """Looks at the loop's batch, and captures its most confused samples when a capture is due.

        Args:
            inputs: What the model was given, floating point, shape (N, channels, height, width)
                with 1 to 4 channels.
            logits: What it answered, shape (N, C) with at least 2 classes; log-probabilities serve
                as well. They only choose the samples: what is recorded is asked anew.
            labels: True classes, shape (N,), if known.
            step: The training step; by default calls are counted from 0.
            ids: A name or number a sample, to recognise it later.

        Returns:
            Samples captured at this call, probes included: 0 when none is due.
        """
        now = self._calls if step is None else operator.index(step)
        self._calls += 1
        if not self._is_due(now):
            return 0
        try:
            if self._writer.closed:
                raise RuntimeError("the hook was used after close(): make a new one")
            samples = self._capture(Batch.of(inputs, labels, ids), logits, now)
            if samples:
                self._writer.put(samples)
            if self._strict and self._writer.failure:
                raise self._writer.failure
        except Exception as error:
            if self._strict:
                raise
            self._give_way(error)
            return 0
        self._failures = 0
        return len(samples)

    def probe(self, inputs: Tensor, labels: Labels | None = None, ids: Ids | None = None) -> None:
        """Adds fixed samples, recorded at every capture, to be followed through training.

        Args:
            inputs: As the model is given them, shape (N, channels, height, width).
            labels: True classes, shape (N,), if known.
            ids: A name or number a sample; by default "probe 0", "probe 1", …

        Raises:
            ValueError: An argument breaks its rule.
        """
        batch = Batch.of(inputs.detach().clone(), labels, ids)
        batch.check_channels(self._info)
        if ids is None:
            first = sum(len(probes.inputs) for probes in self._probes)
            batch.ids = [f"probe {first + place}" for place in range(len(inputs))]
        batch.labels = batch.label_list(range(len(inputs)))
        self._probes.append(batch)

    def close(self) -> None:
        """Writes what is still queued and closes the event file; more than once is harmless."""
        self._writer.close()

    def __enter__(self) -> GradAscentHook:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _is_due(self, step: int) -> bool:
        if self.capturing or self._failures >= _PATIENCE:
            return False
        last = self._last_step
        # A step that goes backwards begins anew: the loop was set back to a checkpoint.
        if last is not None and last <= step and step // self._every == last // self._every:
            return False
        self._last_step = step
        return True

    def _capture(self, batch: Batch, logits: Tensor, step: int) -> list[Sample]:
        batch.check_channels(self._info)
        self._check_logits(logits, len(batch.inputs), "logits must be")
        module = unwrap(self._model)
        self.capturing = True
        try:
            with isolated(module):
                chosen = self._choose(logits.detach(), batch.labels)
                samples = self._record(module, batch, chosen, batch, step)
                for probes in self._probes:
                    rows = range(len(probes.inputs))
                    samples += self._record(module, probes, rows, batch, step, probe=True)
                return samples
        finally:
            self.capturing = False

    def _choose(self, logits: Tensor, labels: Labels | None) -> Sequence[int]:
        if labels is not None:
            labels = torch.as_tensor(labels, device=logits.device)
        scores = self._criterion(logits, labels)
        if not isinstance(scores, Tensor) or scores.shape != logits.shape[:1]:
            raise ValueError(
                f"criterion must return a tensor with one score a sample, shape "
                f"({len(logits)},), and returned {describe(scores)}"
            )
        if self._recipe.targets == "label" and labels is not None:
            exists = (labels >= 0) & (labels < logits.shape[1])
            scores = scores.where(exists, -torch.inf)
        return most_confused(scores, self._top_k)

    def _record(
        self,
        module: nn.Module,
        chosen: Batch,
        rows: Sequence[int],
        batch: Batch,
        step: int,
        *,
        probe: bool = False,
    ) -> list[Sample]:
        if not rows:
            return []
        dtype = batch.inputs.dtype

        def forward(inputs: Tensor) -> Tensor:
            inputs = inputs.to(dtype)
            logits = self._forward(module, inputs) if self._forward else module(inputs)
            self._check_logits(logits, len(inputs), "the model (or forward=…) must return")
            return logits

        return capture(
            forward,
            chosen.inputs[list(rows)].to(batch.inputs.device),
            self._recipe.limited(len(batch.inputs)),
            step=step,
            tag=self._tag,
            labels=chosen.label_list(rows),
            ids=None if chosen.ids is None else [id_text(chosen.ids[row]) for row in rows],
            probe=probe,
        )

    def _check_logits(self, logits: object, samples: int, who: str) -> None:
        if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != samples:
            raise ValueError(
                f"{who} logits of shape ({samples}, classes), a row a sample, and got "
                f"{describe(logits)}: give forward=lambda model, inputs: …, where the model does "
                "not map one tensor to logits"
            )
        classes = logits.shape[1]
        if classes < 2:
            raise ValueError(f"{who} logits of at least 2 classes, and got {describe(logits)}")
        names = self._info.class_names
        if names is not None and len(names) != classes and "class_names" not in self._warned:
            self._warned.add("class_names")
            logger.warning(
                "class_names has %d names, and the logits have %d classes: classes without a name "
                "are shown by number",
                len(names),
                classes,
            )

    def _give_way(self, error: Exception) -> None:
        self._failures += 1
        if "capture" not in self._warned:
            self._warned.add("capture")
            logger.warning(
                "A capture failed and was left out; training is not affected, and this is not "
                "repeated (strict=True raises it): %s: %s",
                type(error).__name__,
                error,
            )
        if self._failures == _PATIENCE:
            logger.warning("%d captures in a row failed: the hook is off from here on", _PATIENCE)
