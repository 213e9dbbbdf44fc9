"""From a batch to a capture: select samples, then record gradients, morphs and verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.functional.capture import PendingSamples, Recipe, capture
from tb_gradascent.functional.criteria import Criterion, most_confused, scores_of, valid_labels
from tb_gradascent.model.model_io import logits_in
from tb_gradascent.model.runner import JudgeError, Passes
from tb_gradascent.training.batch import Batch, Labels, id_text
from tb_gradascent.training.health import Health
from tb_gradascent.training.pending import BatchScalars


@dataclasses.dataclass(frozen=True)
class Recorder:
    """Select the samples of a batch that a capture is about, and record them.

    Attributes:
        criterion: See ``GradAscentHook(criterion=…)``.
        recipe: What is recorded of each sample.
        info: The session's constants.
        health: Is told what does not fit.
    """

    criterion: Criterion | Callable[[Tensor, Tensor | None], Tensor]
    recipe: Recipe
    info: SessionInfo
    health: Health

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
        passes.pad_like(batch.forward_args)
        batch.check_channels(self.info)
        logits = None
        if answer is not None:
            logits = logits_in(answer, len(batch.inputs), "logits must be")
        parts: list[PendingSamples] = []
        scalars = None
        if top_k:
            if logits is None:
                logits = passes.ask(batch.inputs, batch.forward_args)
            scores = self.score(logits.detach(), batch.labels)
            scalars = BatchScalars(scores, logits)
            rows = most_confused(scores, top_k)
            parts += self.record(passes, batch, rows, batch, step)
        for fixed in probes:
            rows = list(range(len(fixed.inputs)))
            parts += self.record(passes, fixed, rows, batch, step, probe=True)
        return parts, scalars

    def score_batch(self, passes: Passes, batch: Batch) -> Tensor:
        """Ask the model about a batch and return how confused each sample is, shape (N,)."""
        batch.check_channels(self.info)
        passes.pad_like(batch.forward_args)
        return self.score(passes.ask(batch.inputs, batch.forward_args), batch.labels)

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
    ) -> list[PendingSamples]:
        """Record some rows of a batch.

        Samples run one after another if the model is given something else beside each of them.

        Args:
            passes: Through the model.
            chosen: The batch whose rows are recorded: the loop's, or probes.
            rows: Which of them.
            loop_batch: The loop's batch, whose size and dtype the passes keep to.
            step: The training step.
            probe: Whether the user chose the samples.
        """
        if not rows:
            return []
        groups = [[row] for row in rows] if chosen.forward_args.differ else [list(rows)]
        return [
            self._record_together(passes, chosen, group, loop_batch, step, probe)
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
    ) -> PendingSamples:
        indices = torch.tensor(rows, device=chosen.inputs.device)
        device = passes.device or loop_batch.inputs.device
        inputs = chosen.inputs.index_select(0, indices).to(device)
        call = loop_batch.inputs.dtype, chosen.forward_args, rows[0]
        try:
            return capture(
                passes.forward(*call),
                inputs,
                self.recipe,
                max_rows=len(loop_batch.inputs),
                step=step,
                labels=chosen.label_list(rows),
                ids=None if chosen.ids is None else [id_text(chosen.ids[row]) for row in rows],
                probe=probe,
                judges={name: passes.judge_forward(name, *call) for name in passes.judges},
            )
        except JudgeError as error:
            del passes.judges[error.name]
            self.health.report(
                f"judge-{error.name}", "warning", f"{error}. Its answers are not recorded."
            )
        # Again, without that judge.
        return self._record_together(passes, chosen, rows, loop_batch, step, probe)

    def _check_class_names(self, classes: int) -> None:
        names = self.info.class_names
        if names is not None and len(names) != classes:
            self.health.report(
                "class-names",
                "warning",
                f"class_names has {len(names)} names and the logits have {classes} classes: "
                "classes without a name are shown by number.",
            )
