"""The distance between classes, in probabilities and in logits."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


def at_least_float32(logits: Tensor) -> Tensor:
    """Convert half precision to float32, because half precision keeps three digits only."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


def ranked(logits: Tensor) -> Tensor:
    """Class indices from the most probable to the least, int64, shape (N, C), of logits (N, C).

    Among equal logits the lowest class comes first. ``topk`` does not promise an order there, but
    the prediction, the targets and the listed classes of a sample must agree.
    """
    return logits.sort(dim=1, descending=True, stable=True).indices


def probability_margin(logits: Tensor) -> Tensor:
    """The largest probability minus the second largest, float32, shape (N,), of logits (N, C)."""
    first, second = logits.float().softmax(1).topk(2, 1).values.unbind(1)
    return first - second


def surest_probability(logits: Tensor) -> Tensor:
    """The largest probability that all but a tenth of the rows stay below, shape (), of (N, C)."""
    return logits.float().softmax(1).amax(1).quantile(0.9)


def target_margin(logits: Tensor, targets: Tensor) -> Tensor:
    """The margin between each row's target class and all other classes; see :class:`Margin`.

    Args:
        logits: Shape (N, C).
        targets: Class indices, int64, shape (N,).
    """
    return TargetMargin(targets, logits)(logits).values


class TargetMargin:
    """Computes the margins of the same targets again and again, in few operations.

    Args:
        targets: Class indices, int64, shape (N,).
        like: Logits, shape (N, C).
    """

    def __init__(self, targets: Tensor, like: Tensor) -> None:
        self._column = targets.unsqueeze(1)
        self._chosen = torch.zeros_like(at_least_float32(like)).scatter_(1, self._column, 1)
        # A finite number, so that the margin stays finite where all other logits are −∞.
        self._excluded = self._chosen * torch.finfo(self._chosen.dtype).min

    def __call__(self, logits: Tensor) -> Margin:
        """The margins in logits (N, C), without a graph."""
        logits = at_least_float32(logits.detach())
        ahead = (logits - logits.gather(1, self._column)).add_(self._excluded)
        shares = ahead.log_softmax(1)
        # torch.logsumexp takes four times as long on a few rows.
        return Margin(shares.amax(1) - ahead.amax(1), self._chosen, shares)


class Margin(NamedTuple):
    """The margin between each row's target class and all other classes.

    Attributes:
        values: logit_c − logsumexp(the other logits), at least float32, shape (N,). The sigmoid of
            the margin is the probability of class c. The margin has a useful slope even where that
            probability is nearly 0 or 1. It is NaN where a logit is NaN, or where the target's
            logit is −∞.
        chosen: 1 for the target, 0 for the others, shape (N, C).
        shares: The logarithms of the softmax of the others, shape (N, C).
    """

    values: Tensor
    chosen: Tensor
    shares: Tensor

    def slopes(self) -> Tensor:
        """∂values/∂logits, shape (N, C): 1 for the target, minus the softmax of the others."""
        return self.chosen - self.shares.exp()
