"""From a batch to a capture: select samples, then record gradients, morphs and verdicts."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.functional.capture import PendingSamples, Recipe, capture
from tb_gradascent.functional.criteria import Criterion, most_confused, scores_of, valid_labels
from tb_gradascent.functional.labels import Labels
from tb_gradascent.functional.margins import probability_margin, surest_probability
from tb_gradascent.functional.validation import check_returned
from tb_gradascent.model.isolation import random_states_kept
from tb_gradascent.model.output_reader import OutputReader, has_graph
from tb_gradascent.model.runner import JudgeError, Passes
from tb_gradascent.training.batch import Batch, InputKind, id_text
from tb_gradascent.training.evaluation import SUREST_ERRORS, Evaluation
from tb_gradascent.training.health import Health
from tb_gradascent.training.health_check import (
    ROWS,
    HealthCheck,
    about_form,
    about_labels,
    about_shape,
)
from tb_gradascent.training.pending import BatchScalars
from tb_gradascent.training.seen_range import SeenRange
from tb_gradascent.training.top_k import CANDIDATES, Candidate, batches_of

OpenPasses = Callable[[], contextlib.AbstractContextManager[Passes | None]]


@dataclasses.dataclass(frozen=True)
class Recorder:
    """Select the samples of a batch that a capture is about, and record them.

    Attributes:
        criterion: See ``GradAscentHook(criterion=…)``.
        recipe: What is recorded of each sample.
        info: The session's constants.
        health: It gets the notices.
        kind: What the inputs are.
        reader: Finds the logits in what the model returns.
        check: Looks at the first captures.
        disguise: Maps images (N, …) to those that are recorded in their place.
        seen: The range of the values that the network was given so far.
    """

    criterion: Criterion | Callable[[Tensor, Tensor | None], Tensor]
    recipe: Recipe
    info: SessionInfo
    health: Health
    kind: InputKind
    reader: OutputReader
    check: HealthCheck
    disguise: Callable[[Tensor], Tensor] | None = None
    seen: SeenRange = dataclasses.field(default_factory=SeenRange)

    def with_info(self, info: SessionInfo) -> Recorder:
        """Return a recorder for other constants of the session."""
        recipe = dataclasses.replace(self.recipe, bounds=info.bounds)
        return dataclasses.replace(self, info=info, recipe=recipe)

    def record_batch(
        self,
        passes: Passes,
        batch: Batch,
        answer: object,
        step: int,
        *,
        top_k: int,
        probes: Iterable[Batch],
    ) -> tuple[list[PendingSamples], BatchScalars | None]:
        """Record what is due of the loop's batch and of the probes.

        Args:
            passes: Through the model.
            batch: The loop's.
            answer: The output of the loop's model; ``None`` asks the model if logits are needed.
            step: The training step.
            top_k: Samples of the batch that are recorded at most; 0 for none.
            probes: Whose samples are recorded, too.

        Returns:
            The samples, and how confused the batch is as a whole unless ``top_k``
            is 0.

        Raises:
            ValueError: The inputs do not fit the session, or the answer holds no logits.
        """
        self._prepare(passes, batch, step)
        logits = None if answer is None else self._logits_in_capture(passes, batch, answer)
        self._settle(passes, batch, logits, step)
        self.seen.add(batch.inputs, batch.value_range)
        is_checked = self.check.take_due()
        own = None
        if logits is None and (top_k or is_checked):
            own = passes.ask(batch.inputs, batch.forward_args)
        rows: list[int] = []
        scalars = None
        chosen_by = own if logits is None else logits.detach()
        if top_k and chosen_by is not None:
            scores = self.score(chosen_by, batch.labels)
            scalars = BatchScalars(scores, chosen_by)
            rows = most_confused(scores, top_k if logits is None else CANDIDATES * top_k)
        if logits is not None or is_checked:
            first = range(min(len(batch.inputs), ROWS) if is_checked else 0)
            rows = self._confirm(passes, batch, logits, own, list(first), rows, step)[:top_k]
        margins = None if logits is None else probability_margin(logits.detach())
        surest = None if chosen_by is None else surest_probability(chosen_by)
        parts = self.record(passes, batch, rows, batch, step, loop_margins=margins, surest=surest)
        if is_checked:
            self.check.look_at(batch.inputs, step)
        for fixed in probes:
            if is_checked:
                self.check.look_at(fixed.inputs, step)
            rows = list(range(len(fixed.inputs)))
            parts += self.record(passes, fixed, rows, batch, step, probe=True, surest=surest)
        return parts, scalars

    def score_batch(self, passes: Passes, batch: Batch) -> Tensor:
        """Ask the model about a batch and return how confused each sample is, shape (N,).

        The batch is moved to the model's device.
        """
        batch.move_to(passes.device)
        self._prepare(passes, batch)
        self._settle(passes, batch)
        self.seen.add(batch.inputs, batch.value_range)
        own = passes.ask(batch.inputs, batch.forward_args)
        if self.check.take_due():
            self.check.look_at(batch.inputs)
            self.check.examine(passes, batch, None, own[:ROWS])
        return self.score(own, batch.labels)

    def logits_outside_capture(
        self, open_passes: OpenPasses, batch: Batch, answer: object
    ) -> Tensor | None:
        """The logits (N, C) in the loop's answer to a batch, outside of a capture.

        Args:
            open_passes: Opens passes, if the model has to be asked.
            batch: The loop's.
            answer: What the loop's model returned; ``None`` asks the model.

        Raises:
            ValueError: The answer holds no logits, or another number of classes than the model's.
        """
        reader = self.reader
        if answer is None or (reader.form is None and not has_graph(answer)):
            with open_passes() as passes:
                if passes is None:
                    return None
                self._prepare(passes, batch)
                self._settle(passes, batch)
                if answer is None:
                    return passes.ask(batch.inputs, batch.forward_args)
        before = reader.classes
        logits = reader.of_loop(answer, len(batch.inputs))
        if before not in (None, reader.classes):
            found, reader.classes = reader.classes, before
            raise ValueError(f"logits must have the model's {before} classes, got {found}")
        return logits

    def offer(self, evaluation: Evaluation, batch: Batch, logits: Tensor) -> None:
        """Offer a batch of an evaluation.

        Args:
            evaluation: It keeps the worst samples.
            batch: The loop's.
            logits: The loop's (N, C).
        """
        self._check(batch, evaluation.step)
        self.seen.add(batch.inputs, batch.value_range)
        logits = logits.detach()
        errors = error_scores(logits, batch.labels)
        with random_states_kept(logits.device):  # the user's criterion may draw numbers
            scores = self.score(logits, batch.labels)
        evaluation.offer(batch, scores, errors, surest_probability(logits))

    def record_worst(self, passes: Passes, evaluation: Evaluation) -> list[PendingSamples]:
        """Record the worst samples of an evaluation, the most confused first.

        Each is looked at once more, because the loop's answers may be those of another mode, or of
        an average of the weights.
        """
        if evaluation.last_args is not None:
            passes.pad_like(evaluation.last_args)
        chosen: dict[int, Candidate] = {}
        for score, best in ((self.score, evaluation.confused), (error_scores, evaluation.errors)):
            left = evaluation.top_k
            new = [candidate for candidate in best.candidates() if candidate.order not in chosen]
            held = [
                value > -torch.inf
                for batch in batches_of(new)
                for value in self._score_again(passes, batch, score)
            ]
            for candidate, holds in zip(new, held, strict=True):
                if holds and left:
                    chosen[candidate.order] = candidate
                    left -= 1
        parts: list[PendingSamples] = []
        for batch in batches_of(chosen.values()):
            rows = list(range(len(batch.inputs)))
            parts += self.record(
                passes, batch, rows, batch, evaluation.step, surest=evaluation.surest
            )
        return parts

    def _score_again(
        self, passes: Passes, batch: Batch, score: Callable[[Tensor, Labels | None], Tensor]
    ) -> list[float]:
        rows = list(range(len(batch.inputs)))
        labels = [-1 if label is None else label for label in batch.label_list(rows) or []]
        scores: list[float] = score(self._ask_rows(passes, batch, rows), labels or None).tolist()
        return scores

    def _confirm(
        self,
        passes: Passes,
        batch: Batch,
        logits: Tensor | None,
        own: Tensor | None,
        first: list[int],
        rows: list[int],
        step: int,
    ) -> list[int]:
        """Ask the model in eval mode about some rows, in one pass.

        The loop's logits are those of training mode. The answers in eval mode are recorded.

        Args:
            passes: Through the model.
            batch: The loop's.
            logits: The loop's (N, C), if it gave some.
            own: The model's own answers (N, C) in eval mode, if it was asked already.
            first: The rows for the health check, if it is due.
            rows: The candidates, the most confused first.
            step: The training step.

        Returns:
            Those of the candidates that the criterion takes by the model's own answers, too.
        """
        asked = list(dict.fromkeys((*first, *rows)))
        if not asked:
            return []
        answers = self._ask_rows(passes, batch, asked) if own is None else own[asked]
        if first:
            mixed = self.check.rows_mix
            self.check.examine(passes, batch, logits, answers[: len(first)], step)
            if self.check.rows_mix and not mixed and rows:
                answers = self._ask_rows(passes, batch, asked)
        if logits is None or not rows:
            return rows
        answers = answers[[asked.index(row) for row in rows]]
        labels = batch.labels
        if labels is not None:
            labels = torch.as_tensor(labels)
            labels = labels[torch.tensor(rows, device=labels.device)]
        # NaN holds: the answers of a diverged training are recorded as they are.
        held = (self.score(answers, labels) != -torch.inf).tolist()
        return [row for row, holds in zip(rows, held, strict=True) if holds]

    def _ask_rows(self, passes: Passes, batch: Batch, rows: list[int]) -> Tensor:
        """The model's answers (len(rows), C) in eval mode. Rows that mix run one by one."""
        groups = [[row] for row in rows] if self.check.rows_mix else [rows]
        answers = [
            passes.ask(batch.inputs[group], batch.forward_args.of_rows(group)) for group in groups
        ]
        return torch.cat(answers)

    def score(self, logits: Tensor, labels: Labels | None) -> Tensor:
        """Return how confused each sample is, shape (N,): higher is more, ``-inf`` is not at all.

        Args:
            logits: Shape (N, C).
            labels: True classes, if known.
        """
        self._check_class_names(logits.shape[1])
        if labels is not None:
            labels = torch.as_tensor(labels, device=logits.device)
        scores = scores_of(self.criterion, logits, labels)
        if self.recipe.targets == "label" and labels is not None:
            scores = scores.where(valid_labels(logits, labels), -torch.inf)
        return scores

    def record(
        self,
        passes: Passes,
        chosen: Batch,
        rows: Sequence[int],
        loop_batch: Batch,
        step: int,
        *,
        probe: bool = False,
        loop_margins: Tensor | None = None,
        surest: Tensor | None = None,
    ) -> list[PendingSamples]:
        """Record some rows of a batch.

        Samples run one after another if the model is given something else beside each of them, or
        if its rows mix.

        Args:
            passes: Through the model.
            chosen: The batch whose rows are recorded: the loop's, or probes.
            rows: Which of them.
            loop_batch: The loop's batch, whose size and dtype the passes keep to.
            step: The training step.
            probe: Whether the user chose the samples.
            loop_margins: The margins of the loop's logits, of all rows (N,).
            surest: The probability that the network gives its surest samples, shape ().
        """
        if not rows:
            return []
        self.seen.add(chosen.inputs[list(rows)], chosen.value_range)
        one_by_one = chosen.forward_args.differ or self.check.rows_mix
        groups = [[row] for row in rows] if one_by_one else [list(rows)]
        return [
            self._record_together(
                passes,
                chosen,
                group,
                loop_batch,
                step,
                probe=probe,
                loop_margins=loop_margins,
                surest=surest,
            )
            for group in groups
        ]

    def _record_together(
        self,
        passes: Passes,
        chosen: Batch,
        rows: list[int],
        loop_batch: Batch,
        step: int,
        probe: bool,
        loop_margins: Tensor | None,
        surest: Tensor | None,
    ) -> PendingSamples:
        indices = torch.tensor(rows, device=chosen.inputs.device)
        device = passes.device or loop_batch.inputs.device
        inputs = self._disguised(chosen.inputs.index_select(0, indices)).to(device)
        call = loop_batch.inputs.dtype, chosen.forward_args, rows[0]
        try:
            return capture(
                passes.forward(*call),
                inputs,
                self.recipe,
                seen=self.seen.bounds(),
                max_rows=1 if self.check.rows_mix else len(loop_batch.inputs),
                step=step,
                labels=chosen.label_list(rows),
                ids=None if chosen.ids is None else [id_text(chosen.ids[row]) for row in rows],
                probe=probe,
                loop_margins=None if loop_margins is None else loop_margins[rows],
                surest=surest,
                judges={name: passes.judge_forward(name, *call) for name in passes.judges},
                at_random=self.check.at_random,
            )
        except JudgeError as error:
            del passes.judges[error.name]
            self.health.report(
                f"judge-{error.name}", "warning", f"{error}. Its answers are not recorded."
            )
        # Again, without that judge.
        return self._record_together(
            passes,
            chosen,
            rows,
            loop_batch,
            step,
            probe=probe,
            loop_margins=loop_margins,
            surest=surest,
        )

    def _disguised(self, images: Tensor) -> Tensor:
        """The images (N, …) that may be recorded.

        Raises:
            ValueError: The user's callable returned something else than images of this shape.
        """
        if self.disguise is None:
            return images
        return check_returned(
            self.disguise(images.clone()),
            lambda returned: returned.shape == images.shape and returned.is_floating_point(),
            f"images must return floating point images of the same shape {tuple(images.shape)}",
            self.disguise,
        )

    def _prepare(self, passes: Passes, batch: Batch, step: int | None = None) -> None:
        """Check a batch, and prepare the passes for it."""
        self._check(batch, step)
        passes.pad_like(batch.forward_args)

    def _check(self, batch: Batch, step: int | None) -> None:
        """Check what needs no pass through the model."""
        batch.check_channels(self.info)
        self.health.add(about_labels(batch.label_kind), step)
        self.health.add(about_shape(batch.inputs, self.kind), step)

    def _logits_in_capture(self, passes: Passes, batch: Batch, answer: object) -> Tensor:
        """The logits (N, C) in what the loop gave."""
        if passes.reader.form is None and not has_graph(answer):
            # Only the model's own output tells whether these are probabilities.
            self._settle(passes, batch)
        return passes.reader.of_loop(answer, len(batch.inputs))

    def _settle(
        self, passes: Passes, batch: Batch, logits: Tensor | None = None, step: int | None = None
    ) -> None:
        """Find out once whether the model returns logits, and report it if not."""
        passes.settle(batch.inputs, batch.forward_args, logits)
        self.health.add(about_form(passes.reader.form), step)

    def _check_class_names(self, classes: int) -> None:
        names = self.info.class_names
        if names is not None and len(names) != classes:
            self.health.report(
                "class-names",
                "warning",
                f"class_names has {len(names)} names and the logits have {classes} classes: "
                "classes without a name are shown by number.",
            )


def error_scores(logits: Tensor, labels: Labels | None) -> Tensor:
    """Return the loss of each wrong prediction, shape (N,), and ``-inf`` for the right ones."""
    if labels is None:
        return logits.new_full(logits.shape[:1], -torch.inf)
    return SUREST_ERRORS(logits, torch.as_tensor(labels, device=logits.device))
