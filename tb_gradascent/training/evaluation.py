"""The worst samples of an evaluation: the most confused ones, and the surest errors."""

from __future__ import annotations

import dataclasses
from typing import Final

import torch
from torch import Tensor

from tb_gradascent.functional.criteria import Loss, Misclassified
from tb_gradascent.model.forward_args import ForwardArgs
from tb_gradascent.training.batch import Batch
from tb_gradascent.training.top_k import CANDIDATES, TopK

SUREST_ERRORS: Final = Loss() & Misclassified()
"""Wrong predictions, by their loss. Some of them are right, and the label is wrong."""


@dataclasses.dataclass
class Evaluation:
    """What was found so far. It holds a fixed number of samples.

    Attributes:
        step: The training step.
        tag: The samples' tag.
        top_k: Samples of each of the two kinds that are recorded at most.
        is_active: Whether samples are collected at all.
        is_explicit: Whether the loop gives its batches itself.
        confused: The most confused by the hook's criterion.
        errors: The wrong predictions with the largest loss.
        surest: The probability that the network gives its surest samples, shape ().
        last_args: The model's further arguments for the last batch.
        seconds: How long the loop waited so far.
    """

    step: int
    tag: str
    top_k: int
    is_active: bool = True
    is_explicit: bool = False
    confused: TopK = dataclasses.field(init=False)
    errors: TopK = dataclasses.field(init=False)
    surest: Tensor | None = None
    last_args: ForwardArgs | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.reset()

    @property
    def is_empty(self) -> bool:
        """Whether it was offered nothing."""
        return self._seen == 0

    def reset(self) -> None:
        """Forget what was found."""
        # More than are recorded, because each is looked at once more before.
        self.confused, self.errors = TopK(CANDIDATES * self.top_k), TopK(CANDIDATES * self.top_k)
        self.surest = self.last_args = None
        self._seen = 0

    def offer(self, batch: Batch, scores: Tensor, errors: Tensor, surest: Tensor) -> None:
        """Take a batch.

        Args:
            batch: N inputs.
            scores: How confused each is, shape (N,).
            errors: The loss of each wrong prediction, shape (N,), else ``-inf``.
            surest: As the attribute, in this batch.
        """
        samples = len(batch.inputs)
        positions = range(self._seen, self._seen + samples)
        if batch.ids is None:
            batch.ids = positions
        self._seen += samples
        self.confused.offer(batch, scores, positions)
        self.errors.offer(batch, errors, positions)
        known = self.surest
        self.surest = surest if known is None else torch.maximum(known, surest.to(known.device))
        self.last_args = batch.forward_args
