"""How far apart classes are: by probability, and by logits."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(logits: Tensor) -> Tensor:
    """Half precision keeps three digits of a probability; a viewer shows more."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def probability_margin(logits: Tensor) -> Tensor:
    """The largest probability minus the second largest, float32, shape (N,), of logits (N, C)."""
    first, second = logits.float().softmax(1).topk(2, 1).values.unbind(1)
    return first - second


def target_margin(logits: Tensor, targets: Tensor) -> Tensor:
    """logit_c − logsumexp(the other logits), shape (N,): its sigmoid is c's probability.

    Unlike the probability it has a useful slope however sure the network is.
    """
    logits = at_least_float32(logits)
    column = targets[:, None]
    others = logits.scatter(1, column, -torch.inf)
    # By hand: torch's logsumexp takes four times as long over a handful of rows.
    largest = others.detach().amax(1, keepdim=True).clamp_min(torch.finfo(logits.dtype).min)
    total = (others - largest).exp().sum(1, keepdim=True).log() + largest
    return (logits.gather(1, column) - total).squeeze(1)
