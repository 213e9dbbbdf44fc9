"""The gradient of one class's score with respect to the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

Score = Literal["logit", "probability", "log_probability"]
Forward = Callable[[Tensor], Tensor]


def check_score(score: object) -> None:
    """Refuses what :func:`target_score` could not use.

    Raises:
        ValueError: It is none of the names.
    """
    if score not in get_args(Score):
        raise ValueError(
            f'score must be "logit", "probability" or "log_probability", and is {score!r}'
        )


def target_score(logits: Tensor, targets: Tensor, score: Score = "logit") -> Tensor:
    """Each row's score of its target class, shape (N,), at least float32.

    Args:
        logits: Shape (N, C).
        targets: Class indices, shape (N,).
        score: ``"logit"``, ``"probability"`` (softmax) or ``"log_probability"``.
    """
    logits = at_least_float32(logits)
    if score == "probability":
        logits = logits.softmax(1)
    elif score == "log_probability":
        logits = logits.log_softmax(1)
    return logits.gather(1, targets[:, None]).squeeze(1)


def at_least_float32(logits: Tensor) -> Tensor:
    """Half precision keeps three digits of a probability; a viewer shows more."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def gradient_of(values: Tensor, inputs: Tensor, *, keep_graph: bool = False) -> Tensor:
    """∂values[n]/∂inputs[n] for every n at once, detached, shaped like ``inputs``.

    Rows do not mix as long as the network treats each row by itself, which every layer in eval mode
    does: of the sum of ``values`` only the n-th term depends on row n. No other tensor's ``.grad``
    is touched.

    Args:
        values: Shape (N,), computed from ``inputs``.
        inputs: Shape (N, …), requires a gradient.
        keep_graph: Whether more will be asked of the same graph.
    """
    (gradient,) = torch.autograd.grad(
        values.sum(), inputs, retain_graph=keep_graph, materialize_grads=True
    )
    return gradient


def input_gradient(
    forward: Forward, inputs: Tensor, targets: Tensor, score: Score = "logit"
) -> Tensor:
    """∂score/∂x of each row towards its target (Simonyan et al., arXiv:1312.6034).

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        inputs: Shape (N, …), floating point.
        targets: Class indices, int64, shape (N,).
        score: What is differentiated, see :func:`target_score`.

    Returns:
        Signed, shaped like ``inputs``, of their dtype.
    """
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        return gradient_of(target_score(forward(inputs), targets, score), inputs)
