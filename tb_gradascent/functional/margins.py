"""How far apart classes are: by probability, and by logits."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(logits: Tensor) -> Tensor:
    """Half precision keeps three digits of a probability; a viewer shows more."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


def ranked(logits: Tensor) -> Tensor:
    """Classes from the most probable to the least, int64, shape (N, C), of logits (N, C).

    Of equal ones the lowest comes first, where ``topk`` takes any of them: a sample whose two best
    are equal is the most confused of all, and all that is said of it has to be of the same one.
    """
    return logits.sort(dim=1, descending=True, stable=True).indices


def probability_margin(logits: Tensor) -> Tensor:
    """The largest probability minus the second largest, float32, shape (N,), of logits (N, C)."""
    first, second = logits.float().softmax(1).topk(2, 1).values.unbind(1)
    return first - second


class TargetMargin:
    """How far each row's target class is ahead of the others.

    Args:
        logits: Shape (N, C).
        targets: Class indices, shape (N,).

    Attributes:
        values: logit_c − logsumexp(the other logits), at least float32, shape (N,): its sigmoid is
            c's probability. Unlike the probability it has a useful slope however sure the network
            is. NaN where a logit is no number, or the target's is −∞.
    """

    def __init__(self, logits: Tensor, targets: Tensor) -> None:
        logits = at_least_float32(logits)
        self._column = targets[:, None]
        ahead = logits - logits.gather(1, self._column)
        # Finite, so that a network which knows no other class has a margin, too.
        ahead.scatter_(1, self._column, torch.finfo(logits.dtype).min)
        self._shares = ahead.log_softmax(1)
        # torch.logsumexp would take four times as long over a handful of rows.
        self.values = self._shares.amax(1) - ahead.amax(1)

    def slopes(self) -> Tensor:
        """∂values/∂logits, shape (N, C): 1 for the target, for the others minus their softmax."""
        return self._shares.exp().neg_().scatter_(1, self._column, 1)
