"""The gradient of one class's score with respect to the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

import torch
from torch import Tensor

from tb_gradascent.functional.margins import at_least_float32
from tb_gradascent.functional.validation import describe

Forward = Callable[[Tensor], Tensor]
Norm = Literal["l2", "linf"]
ScoreName = Literal["logit", "probability", "log_probability"]
#: A callable maps logits (N, C), at least float32, and targets (N,) to one value a row, shape (N,),
#: each row by itself.
Score = ScoreName | Callable[[Tensor, Tensor], Tensor]

_KNOW_FLOAT64: Final = frozenset({"cpu", "cuda"})


def check_score(score: object) -> None:
    """Refuses what :func:`target_score` could not use.

    Raises:
        ValueError: It is none of the names and no callable.
    """
    named = isinstance(score, str) and score in get_args(ScoreName)
    if not (named or callable(score)):
        raise ValueError(
            'score must be "logit", "probability", "log_probability" or a callable '
            f"(logits, targets) -> values, and is {score!r}"
        )


def target_score(logits: Tensor, targets: Tensor, score: Score = "logit") -> Tensor:
    """Each row's score of its target class, shape (N,), at least float32.

    Args:
        logits: Shape (N, C).
        targets: Class indices, shape (N,).
        score: ``"logit"``, ``"probability"`` (softmax), ``"log_probability"``, or a callable.

    Raises:
        ValueError: The callable did not return a differentiable value a row.
    """
    logits = at_least_float32(logits)
    if callable(score):
        # Copies, since it may write in place.
        return _checked(score(logits.clone(), targets.clone()), score, logits)
    if score == "probability":
        logits = logits.softmax(1)
    elif score == "log_probability":
        logits = logits.log_softmax(1)
    return logits.gather(1, targets[:, None]).squeeze(1)


def gradient_of(
    values: Tensor, inputs: Tensor, weights: Tensor | None = None, *, keep_graph: bool = False
) -> Tensor:
    """∂(weights[n] · values[n])/∂inputs[n] for every n at once, detached, shaped like ``inputs``.

    Rows do not mix as long as the network treats each row by itself, which every layer in eval mode
    does: of the sum over all rows only the n-th term depends on row n. No other tensor's ``.grad``
    is touched.

    Args:
        values: Shape (N,) or (N, C), computed from ``inputs``.
        inputs: Shape (N, …), requires a gradient.
        weights: Shaped like ``values``; ``None`` for ones.
        keep_graph: Whether more will be asked of the same graph.
    """
    weights = torch.ones_like(values) if weights is None else weights.to(values.dtype)
    (gradient,) = torch.autograd.grad(
        values, inputs, weights, retain_graph=keep_graph, materialize_grads=True
    )
    return gradient


def score_gradient(
    logits: Tensor, inputs: Tensor, targets: Tensor, score: Score, *, keep_graph: bool = False
) -> Tensor:
    """∂score/∂x of each row towards its target, detached, shaped like ``inputs``.

    Args:
        logits: Shape (N, C), computed from ``inputs``.
        inputs: Shape (N, …), requires a gradient.
        targets: Class indices, int64, shape (N,).
        score: What is differentiated, see :func:`target_score`.
        keep_graph: Whether more will be asked of the same graph.
    """
    if score == "logit":  # needs no graph beyond the network's
        weights = torch.zeros_like(logits).scatter_(1, targets[:, None], 1)
        return gradient_of(logits, inputs, weights, keep_graph=keep_graph)
    with torch.enable_grad():
        values = target_score(logits, targets, score)
    return gradient_of(values, inputs, keep_graph=keep_graph)


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
        return score_gradient(forward(inputs), inputs, targets, score)


def slopes_of(gradients: Tensor, norm: Norm) -> Tensor:
    """The slope along each row's steepest direction in a norm, shape (N,).

    That is the dual norm of the gradient: along ``g / ‖g‖₂`` it is ‖g‖₂, and for "linf" along the
    sign of every element (Goodfellow et al., arXiv:1412.6572) ‖g‖₁. Not finite where any element is
    not.
    """
    return _norms(gradients, 1 if norm == "linf" else 2)


def lengths(rows: Tensor) -> Tensor:
    """‖row‖₂ of each row (N, …), shape (N, 1, …)."""
    return _norms(rows, 2, keepdim=True).to(rows.dtype)


def all_but_rows(x: Tensor) -> tuple[int, ...]:
    """The dimensions of one row of (N, …)."""
    return tuple(range(1, x.dim()))


def _norms(rows: Tensor, order: int, *, keepdim: bool = False) -> Tensor:
    """Also where a square fits no float32, on devices that know float64."""
    wide = torch.float64 if rows.device.type in _KNOW_FLOAT64 else None
    norms: Tensor = torch.linalg.vector_norm(
        rows, order, all_but_rows(rows), keepdim=keepdim, dtype=wide
    )
    return norms


def _checked(values: object, score: object, logits: Tensor) -> Tensor:
    """What a callable returned, if it serves."""
    if (
        not isinstance(values, Tensor)
        or values.shape != logits.shape[:1]
        or not values.is_floating_point()
    ):
        raise ValueError(
            f"score must return a floating point tensor with one value a row, shape "
            f"({len(logits)},), and {score!r} returned {describe(values)}"
        )
    if logits.requires_grad and not values.requires_grad:
        raise ValueError(
            f"score must return what can be differentiated, and {score!r} returned a tensor "
            "without a graph: compute it from the logits, without detach() or torch.no_grad()"
        )
    return values
