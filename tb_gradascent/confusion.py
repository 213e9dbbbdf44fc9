"""Which samples of a batch confuse the network most.

A criterion maps ``(logits, labels)`` to one score a sample: the higher, the more confused; ``-inf``
is never taken.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol

import torch
from torch import Tensor


class Criterion(Protocol):
    """Any callable of this shape serves as ``GradAscentHook(criterion=…)``."""

    def __call__(self, logits: Tensor, labels: Tensor | None, /) -> Tensor:
        """One score a sample, shape (N,), of logits (N, C) and class indices (N,) if known."""
        ...


@dataclasses.dataclass(frozen=True)
class ProbabilityMargin:
    """The smaller the difference of the two largest probabilities, the more confused.

    Args:
        max_margin: Samples with a larger margin, in [0, 1], are not confused at all and never
            taken. 1 takes the least certain ones however certain they are.
    """

    max_margin: float = 0.5

    def __post_init__(self) -> None:
        _check("ProbabilityMargin(max_margin)", self.max_margin, 0, 1)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """The negative margin, shape (N,), of logits or log-probabilities (N, C)."""
        first, second = logits.float().softmax(1).topk(2, 1).values.unbind(1)
        margin = first - second
        return torch.where(margin <= self.max_margin, -margin, -torch.inf)


@dataclasses.dataclass(frozen=True)
class LogitMargin:
    """The smaller the difference of the two largest logits, the more confused.

    This is the rule of Falcon and Canziani's tutorial, applied to each sample by itself.

    Args:
        max_difference: Samples with a larger difference are never taken.
        min_logit: Neither are samples whose largest logit is smaller: they look like nothing that
            the network knows. ``None`` asks for no minimum.
    """

    max_difference: float = 0.1
    min_logit: float | None = None

    def __post_init__(self) -> None:
        _check("LogitMargin(max_difference)", self.max_difference, 0, math.inf)
        if self.min_logit is not None:
            _check("LogitMargin(min_logit)", self.min_logit, -math.inf, math.inf)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """The negative difference, shape (N,), of logits (N, C)."""
        first, second = logits.float().topk(2, 1).values.unbind(1)
        difference = first - second
        taken = difference <= self.max_difference
        if self.min_logit is not None:
            taken &= first >= self.min_logit
        return torch.where(taken, -difference, -torch.inf)


def most_confused(scores: Tensor, top_k: int) -> list[int]:
    """The rows of the ``top_k`` highest scores (N,), the highest first.

    Fewer where fewer are above ``-inf``; NaN counts as ``-inf``.
    """
    scores = scores.detach().float().nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    best = scores.topk(min(top_k, len(scores)))
    # One transfer for both: on a GPU each one waits for the queue.
    values, rows = torch.stack((best.values.double(), best.indices.double())).tolist()
    return [int(row) for value, row in zip(values, rows, strict=True) if value > -math.inf]


def _check(name: str, value: float, low: float, high: float) -> None:
    if not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}, and is {value!r}")
