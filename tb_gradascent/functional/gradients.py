"""The gradient of a class's score with respect to the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

import torch
from torch import Tensor

from tb_gradascent.functional.margins import at_least_float32
from tb_gradascent.functional.validation import check_returned

Forward = Callable[[Tensor], Tensor]
Norm = Literal["l2", "linf"]
ScoreName = Literal["logit", "probability", "log_probability"]
#: A callable maps logits (N, C), at least float32, and targets (N,) to one value per row, shape
#: (N,). Each value must depend on its own row only.
Score = ScoreName | Callable[[Tensor, Tensor], Tensor]

_DEVICES_WITH_FLOAT64: Final = frozenset({"cpu", "cuda"})


def check_score(score: object) -> None:
    """Check that :func:`target_score` can use ``score``.

    Raises:
        ValueError: ``score`` is neither one of the names nor a callable.
    """
    named = isinstance(score, str) and score in get_args(ScoreName)
    if not (named or callable(score)):
        raise ValueError(
            'score must be "logit", "probability", "log_probability" or a callable '
            f"(logits, targets) -> values, got {score!r}"
        )


def target_score(logits: Tensor, targets: Tensor, score: Score) -> Tensor:
    """Return the score of each row's target class, shape (N,), at least float32.

    Args:
        logits: Shape (N, C).
        targets: Class indices, shape (N,).
        score: ``"logit"``, ``"probability"`` (softmax), ``"log_probability"``, or a callable.

    Raises:
        ValueError: The callable did not return one differentiable value per row.
    """
    logits = at_least_float32(logits)
    if callable(score):
        # The callable gets copies, because it may write to them.
        return _check_values(score(logits.clone(), targets.clone()), score, logits)
    if score == "probability":
        logits = logits.softmax(1)
    elif score == "log_probability":
        logits = logits.log_softmax(1)
    return logits.gather(1, targets[:, None]).squeeze(1)


def gradient_of(
    values: Tensor, inputs: Tensor, weights: Tensor | None = None, *, keep_graph: bool = False
) -> Tensor:
    """Return ∂(weights[n] · values[n])/∂inputs[n] for every n, detached, shaped like ``inputs``.

    One backward pass computes all rows. Rows do not mix if the network treats each row by itself,
    as every layer in eval mode does. Then only the n-th term of the sum depends on row n.
    The ``.grad`` of all tensors stays as it is.

    Args:
        values: Shape (N,) or (N, C), computed from ``inputs``.
        inputs: Shape (N, …), requires a gradient.
        weights: Shaped like ``values``; ``None`` for ones.
        keep_graph: Keep the graph for another backward pass.

    Returns:
        The gradient, which is 0 if the graph does not reach the inputs.
    """
    if not values.requires_grad:  # the whole network runs under torch.no_grad()
        return torch.zeros_like(inputs)
    weights = torch.ones_like(values) if weights is None else weights.to(values.dtype)
    (gradient,) = torch.autograd.grad(
        values, inputs, weights, retain_graph=keep_graph, materialize_grads=True
    )
    return gradient


def score_gradient(
    logits: Tensor, inputs: Tensor, targets: Tensor, score: Score, *, keep_graph: bool = False
) -> Tensor:
    """Return ∂score/∂x of each row towards its target (Simonyan et al., arXiv:1312.6034).

    Args:
        logits: Shape (N, C), computed from ``inputs``.
        inputs: Shape (N, …), requires a gradient.
        targets: Class indices, int64, shape (N,).
        score: What is differentiated, see :func:`target_score`.
        keep_graph: Keep the graph for another backward pass.

    Returns:
        Signed, detached, shaped like ``inputs``, of their dtype.
    """
    if score == "logit":  # needs no graph beyond the network's
        weights = torch.zeros_like(logits).scatter_(1, targets[:, None], 1)
        return gradient_of(logits, inputs, weights, keep_graph=keep_graph)
    with torch.enable_grad():
        values = target_score(logits, targets, score)
    return gradient_of(values, inputs, keep_graph=keep_graph)


def slopes_of(gradients: Tensor, norm: Norm) -> Tensor:
    """Return the slope along each row's steepest direction in a norm, shape (N,).

    The slope is the dual norm of the gradient g. For "l2" the steepest direction is ``g / ‖g‖₂``
    and the slope is ‖g‖₂. For "linf" the direction is the sign of every element (Goodfellow et al.,
    arXiv:1412.6572) and the slope is ‖g‖₁. The slope is not finite if an element of g is not.
    """
    return _norms(gradients, 1 if norm == "linf" else 2)


def lengths(rows: Tensor) -> Tensor:
    """Return ‖row‖₂ of each row of a tensor (N, …), shape (N, 1, …)."""
    return _norms(rows, 2, keepdim=True).to(rows.dtype)


def all_but_rows(x: Tensor) -> tuple[int, ...]:
    """Return the dimensions of one row of a tensor (N, …)."""
    return tuple(range(1, x.dim()))


def _norms(rows: Tensor, order: int, *, keepdim: bool = False) -> Tensor:
    """Compute in float64 where the device has it, because a square may overflow float32."""
    wide = torch.float64 if rows.device.type in _DEVICES_WITH_FLOAT64 else None
    norms: Tensor = torch.linalg.vector_norm(
        rows, order, all_but_rows(rows), keepdim=keepdim, dtype=wide
    )
    return norms


def _check_values(values: object, function: object, logits: Tensor) -> Tensor:
    """Check what a callable score returned."""
    checked = check_returned(
        values,
        lambda v: v.shape == logits.shape[:1] and v.is_floating_point(),
        f"score must return a floating point tensor with one value per row, shape ({len(logits)},)",
        function,
    )
    if logits.requires_grad and not checked.requires_grad:
        raise ValueError(
            f"score must return values that can be differentiated, got a tensor without a graph "
            f"from {function!r}: compute it from the logits, without detach() or torch.no_grad()"
        )
    return checked
