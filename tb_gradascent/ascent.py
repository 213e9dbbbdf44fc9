"""Gradient ascent from an image to what the network takes for another class, and its verdict."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tb_gradascent.gradients import Forward, Score, at_least_float32, gradient_of, target_score
from tb_gradascent.samples import Stopped

#: What the numbers in ``Ascended.stopped`` stand for.
REASONS: tuple[Stopped, ...] = ("max_steps", "confidence", "stalled", "nonfinite", "none")
_MAX_STEPS, _CONFIDENCE, _STALLED, _NONFINITE, NO_ASCENT = range(len(REASONS))

#: A Newton step that aims at the very goal creeps up to it from below. Aiming at this part of the
#: way from the confidence to 1 halves the steps, for a change 6 % longer (demo's network).
_OVERSHOOT = 0.2


@dataclasses.dataclass(frozen=True)
class Ascent:
    """How far, and in which steps, an image is changed.

    Args:
        confidence: The target's probability at which to stop, between 0 and 1. ``None`` takes all
            ``max_steps``, and needs a ``step_size``.
        max_steps: Steps at the most; each costs a forward and a backward pass over all rows.
        step_size: ``None`` finds the length of each step itself: a Newton step on the linearised
            margin (DeepFool's, Moosavi-Dezfooli et al., arXiv:1511.04599, aimed at a confidence
            instead of the boundary). A number gives the plain ``x + step_size * gradient``.

    Raises:
        ValueError: A value is out of its range.
    """

    confidence: float | None = 0.95
    max_steps: int = 8
    step_size: float | None = None

    def __post_init__(self) -> None:
        if self.confidence is None:
            if self.step_size is None:
                raise ValueError(
                    "Ascent(confidence) may be None only with a step_size, since the length of a "
                    "step follows from the confidence: give one of them"
                )
        elif not (_is_number(self.confidence) and 0 < self.confidence < 1):
            raise ValueError(
                f"Ascent(confidence) must lie between 0 and 1, and is {self.confidence!r}: "
                "0.95 is the default"
            )
        if type(self.max_steps) is not int or self.max_steps < 1:
            raise ValueError(
                f"Ascent(max_steps) must be a whole number of at least 1, and is "
                f"{self.max_steps!r}: for the gradient alone give ascent=None"
            )
        if self.step_size is not None and not (
            _is_number(self.step_size) and 0 < self.step_size < math.inf
        ):
            raise ValueError(
                f"Ascent(step_size) must be a positive number or None, and is {self.step_size!r}"
            )


class Ascended(NamedTuple):
    """Where the ascent of each row ended.

    Attributes:
        inputs: Shape (N, …).
        steps: Steps that each row took, int64, shape (N,).
        stopped: Why each row stopped, a place in ``REASONS``, int64, shape (N,).
    """

    inputs: Tensor
    steps: Tensor
    stopped: Tensor


class Response(NamedTuple):
    """The network's verdict along a line.

    Attributes:
        probabilities: The target's probability, float32, shape (N, A).
        predictions: The predicted class, int64, shape (N, A).
    """

    probabilities: Tensor
    predictions: Tensor


def target_margin(logits: Tensor, targets: Tensor) -> Tensor:
    """logit_c − logsumexp(the other logits), shape (N,): its sigmoid is c's probability.

    Unlike the probability it has a useful slope however sure the network is.
    """
    logits = at_least_float32(logits)
    column = targets[:, None]
    others = logits.scatter(1, column, -torch.inf).logsumexp(1)
    return logits.gather(1, column).squeeze(1) - others


def ascend(
    forward: Forward,
    inputs: Tensor,
    targets: Tensor,
    ascent: Ascent,
    *,
    bounds: tuple[Tensor, Tensor] | None = None,
    score: Score = "logit",
    logits: Tensor | None = None,
) -> Ascended:
    """Changes each row until the network takes it for its target.

    With m the margin and m* the one to reach, a step is ``(m* − m) · g / ‖g‖²`` along g = ∂m/∂x, of
    which elements that already stand at a bound and would leave it have no part.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        inputs: Shape (N, …), floating point.
        targets: Class indices, int64, shape (N,).
        ascent: See :class:`Ascent`.
        bounds: Lowest and highest legal values, broadcastable to ``inputs``. Elements that start
            outside may stay where they are.
        score: What a fixed ``step_size`` follows; the Newton step follows the margin.
        logits: What ``forward(inputs)`` gave, with its graph, where the caller has it already: it
            saves one pass. ``inputs`` must then require a gradient.
    """
    shape = (-1,) + (1,) * (inputs.dim() - 1)
    goal = math.inf if ascent.confidence is None else _logit(ascent.confidence)
    aim = 0.0
    if ascent.confidence is not None:
        aim = _logit(ascent.confidence + _OVERSHOOT * (1 - ascent.confidence))
    start = inputs.detach()
    low = high = None
    if bounds is not None:
        low, high = torch.minimum(start, bounds[0]), torch.maximum(start, bounds[1])
    x = inputs if logits is not None else start.clone()
    steps = torch.zeros_like(targets)
    stopped = torch.full_like(targets, _MAX_STEPS)
    active = torch.ones_like(targets, dtype=torch.bool)

    def stop(rows: Tensor, reason: int) -> None:
        stopped[active & rows] = reason
        active.logical_and_(~rows)

    with torch.enable_grad():
        for step in range(ascent.max_steps + 1):
            if logits is None:
                x = x.detach().requires_grad_()
                logits = forward(x)
            margin = target_margin(logits, targets)
            stop(margin.detach() >= goal, _CONFIDENCE)
            if step == ascent.max_steps or not active.any():
                break
            if ascent.step_size is None:
                gradient = gradient_of(margin, x)
            else:
                gradient = gradient_of(target_score(logits, targets, score), x)
            logits, x, margin = None, x.detach(), margin.detach()
            if low is not None and high is not None:
                leaving = ((x <= low) & (gradient < 0)) | ((x >= high) & (gradient > 0))
                gradient = gradient.masked_fill(leaving, 0)
            if ascent.step_size is None:
                # Scaled by the largest element first: its square may not fit a float32.
                largest = gradient.abs().flatten(1).amax(1)
                stop(largest == 0, _STALLED)
                direction = gradient / largest.clamp_min(_TINY).reshape(shape)
                length = (aim - margin) / direction.square().flatten(1).sum(1).clamp_min(_TINY)
                change = direction * (length / largest.clamp_min(_TINY)).reshape(shape)
            else:
                stop((gradient == 0).flatten(1).all(1), _STALLED)
                change = gradient * ascent.step_size
            moved = x + change
            if low is not None and high is not None:
                moved = moved.clamp(low, high)
            stop(~moved.isfinite().flatten(1).all(1), _NONFINITE)
            x = torch.where(active.reshape(shape), moved, x)
            steps += active
    return Ascended(x.detach(), steps, stopped)


def response(
    forward: Forward,
    inputs: Tensor,
    deltas: Tensor,
    targets: Tensor,
    strengths: Sequence[float],
    *,
    max_rows: int | None = None,
) -> Response:
    """Asks the network about ``inputs + s * deltas`` for every strength s.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        inputs, deltas: Shape (N, …), floating point.
        targets: Class indices, int64, shape (N,).
        strengths: The A strengths.
        max_rows: Rows that may run in one pass; ``None`` for no limit.
    """
    rows = len(inputs)
    strength = torch.tensor(list(strengths), dtype=inputs.dtype, device=inputs.device)
    points = torch.arange(len(strengths) * rows, device=inputs.device)
    probabilities, predictions = [], []
    with torch.no_grad():
        for piece in points.split(max_rows or len(points)):
            row = piece % rows
            scale = strength[piece // rows].reshape((-1,) + (1,) * (inputs.dim() - 1))
            logits = forward(inputs[row] + scale * deltas[row])
            probabilities.append(target_score(logits, targets[row], "probability").float())
            predictions.append(logits.argmax(1))
    return Response(
        torch.cat(probabilities).reshape(-1, rows).T, torch.cat(predictions).reshape(-1, rows).T
    )


#: Keeps a division by a row's own zero finite; such rows have stopped.
_TINY = torch.finfo(torch.float32).tiny


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _is_number(value: object) -> bool:
    return type(value) in (int, float)
