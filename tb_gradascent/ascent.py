"""Gradient ascent from an image to what the network takes for another class, and its verdict."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Sequence
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from tb_gradascent.gradients import (
    TINY,
    Forward,
    Norm,
    Score,
    gradient_of,
    lengths,
    steepest,
    target_score,
)
from tb_gradascent.margins import at_least_float32, target_margin
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

    ========== ========= =================================================================
    step_size  epsilon   a step
    ========== ========= =================================================================
    ``None``   any       the shortest in ``norm`` that reaches the confidence, if the margin
                         is linear: a Newton step (DeepFool's, Moosavi-Dezfooli et al.,
                         arXiv:1511.04599, aimed at a confidence instead of the boundary)
    a number   ``None``  ``x + step_size * gradient``: Falcon and Canziani's tutorial
    a number   a number  of length ``step_size`` in ``norm``, in its steepest direction:
                         projected gradient ascent (Madry et al., arXiv:1706.06083)
    ========== ========= =================================================================

    A Newton step follows the margin of the target's logit, whose sigmoid is the target's
    probability; a fixed one follows the hook's ``score`` (the attacks in the literature follow the
    cross entropy: ``score="log_probability"``). Every step ends within ``epsilon`` (first) and the
    bounds.

    Args:
        confidence: The target's probability at which to stop, between 0 and 1. ``None`` takes all
            ``max_steps``, however convinced the network is, and needs a ``step_size``.
        max_steps: Steps at the most; each costs a forward and a backward pass over all rows.
        step_size: A number, or ``None`` to find the length of each step itself.
        norm: What is short: ``"l2"`` changes much where it matters most; ``"linf"`` changes every
            element alike.
        epsilon: The whole change's largest length in ``norm``, in the units of the model's input:
            that of pixels divided by ``std``. ``None`` sets no limit. Where the edge of this ball
            leaves nowhere to go the ascent has stalled.

    Raises:
        ValueError: A value is out of its range.
    """

    confidence: float | None = 0.95
    max_steps: int = 8
    step_size: float | None = None
    norm: Norm = "l2"
    epsilon: float | None = None

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
        for name, value in (("step_size", self.step_size), ("epsilon", self.epsilon)):
            if value is not None and not (_is_number(value) and 0 < value < math.inf):
                raise ValueError(
                    f"Ascent({name}) must be a positive number or None, and is {value!r}"
                )
        if self.norm not in get_args(Norm):
            raise ValueError(f'Ascent(norm) must be "l2" or "linf", and is {self.norm!r}')
        if self.norm == "linf" and self.step_size is not None and self.epsilon is None:
            raise ValueError(
                'Ascent(norm) may be "linf" with a step_size only where epsilon is given, since '
                "without one a step is step_size * gradient, which has no norm: give an epsilon"
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
    """The network's verdict, along a line where A is its number of points.

    Attributes:
        probabilities: Of the K classes asked about, float32, shape (N, A, K), or (N, K).
        predictions: The predicted class, int64, shape (N, A), or (N,).
    """

    probabilities: Tensor
    predictions: Tensor


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
    start = inputs.detach()
    region = _Region(start, bounds, ascent)
    goal, aim = _goals(ascent.confidence)
    if ascent.step_size is None:
        step = _newton_step(aim, ascent.norm, region)
    else:
        step = _fixed_step(ascent.step_size, ascent.norm if ascent.epsilon else None)
    x = inputs if logits is not None else start.clone()
    steps = torch.zeros_like(targets)
    stopped = torch.full_like(targets, _MAX_STEPS)
    active = torch.ones_like(targets, dtype=torch.bool)

    def stop(rows: Tensor, reason: int) -> None:
        stopped.masked_fill_(active & rows, reason)
        active.logical_and_(~rows)

    with torch.enable_grad():
        for taken in range(ascent.max_steps + 1):
            if logits is None:
                x = x.detach().requires_grad_()
                logits = forward(x)
            margin = target_margin(logits, targets)
            stop(margin >= goal, _CONFIDENCE)
            if taken == ascent.max_steps or not active.any():
                break
            followed = margin if ascent.step_size is None else target_score(logits, targets, score)
            gradient = gradient_of(followed, x)
            logits, x, margin = None, x.detach(), margin.detach()
            moved = x + step(x, gradient, margin)
            # Before the bounds would hide it.
            finite = moved.isfinite().flatten(1).all(1) & margin.isfinite()
            stop(~finite, _NONFINITE)
            moved = region.project(moved)
            stop(region.is_still(x, moved), _STALLED)
            x = torch.where(_column(active, x), moved, x)
            steps += active
    return Ascended(x.detach(), steps, stopped)


def response(
    forward: Forward,
    inputs: Tensor,
    deltas: Tensor,
    classes: Tensor,
    strengths: Sequence[float],
    *,
    max_rows: int | None = None,
) -> Response:
    """Asks the network about ``inputs + s * deltas`` for every strength s.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        inputs, deltas: Shape (N, …), floating point.
        classes: Whose probabilities are wanted, int64, shape (N, K).
        strengths: The A strengths.
        max_rows: Rows that may run in one pass; ``None`` for no limit.
    """
    rows = len(inputs)
    strength = torch.tensor(list(strengths), dtype=inputs.dtype, device=inputs.device)
    at_once = len(strengths) if max_rows is None else max(max_rows // rows, 1)
    verdicts = []
    with torch.no_grad():
        for some in strength.split(at_once):
            scales = some.reshape((-1,) + (1,) * inputs.dim())
            points = (inputs + scales * deltas).flatten(0, 1)
            logits = torch.cat([forward(piece) for piece in points.split(max_rows or len(points))])
            verdicts.append(verdict(logits, classes.repeat(len(some), 1)))
    probabilities, predictions = (torch.cat(parts) for parts in zip(*verdicts, strict=True))
    return Response(
        probabilities.unflatten(0, (-1, rows)).transpose(0, 1),
        predictions.unflatten(0, (-1, rows)).T,
    )


def verdict(logits: Tensor, classes: Tensor) -> Response:
    """What logits (N, C) say: the probabilities of classes (N, K), and the predictions."""
    chances = at_least_float32(logits).softmax(1).float()
    return Response(chances.gather(1, classes), logits.argmax(1))


class _Region:
    """Where each row may go: within the bounds, and within the ball around its start."""

    def __init__(self, start: Tensor, bounds: tuple[Tensor, Tensor] | None, ascent: Ascent) -> None:
        self._start = start
        self._radius: float | None = None
        self._box: tuple[Tensor, Tensor] | None = None
        if bounds is not None:
            self._box = torch.minimum(start, bounds[0]), torch.maximum(start, bounds[1])
        if ascent.epsilon is not None:
            epsilon = float(ascent.epsilon)
            if ascent.norm == "l2":
                self._radius = epsilon
            else:  # a box, as the bounds are
                ball = start - epsilon, start + epsilon
                low, high = self._box or ball
                self._box = torch.maximum(low, ball[0]), torch.minimum(high, ball[1])

    def project(self, x: Tensor) -> Tensor:
        """The point of the ball next to x, clipped to the bounds, which does not leave the ball."""
        if self._radius is not None:
            delta = x - self._start
            x = self._start + delta * (self._radius / lengths(delta).clamp_min(TINY)).clamp_max(1)
        return x if self._box is None else x.clamp(*self._box)

    def inward(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The gradient without the elements that stand at a bound and would leave it."""
        if self._box is None:
            return gradient
        low, high = self._box
        leaving = ((x <= low) & (gradient < 0)) | ((x >= high) & (gradient > 0))
        return gradient.masked_fill(leaving, 0)

    def is_still(self, x: Tensor, moved: Tensor) -> Tensor:
        """Which rows did not move, shape (N,): on a sphere, by no more than its rounding."""
        if self._radius is None:
            return (moved == x).flatten(1).all(1)
        rounding = 4 * torch.finfo(x.dtype).eps * torch.maximum(self._start.abs(), x.abs())
        return ((moved - x).abs() <= rounding).flatten(1).all(1)


#: Maps x (N, …), the gradient there and the margin (N,) to the change of x.
_Step = Callable[[Tensor, Tensor, Tensor], Tensor]


def _newton_step(aim: float, norm: Norm, region: _Region) -> _Step:
    """``(m* − m) / (g·d) · d``, with d steepest: for "l2" ``(m* − m) g / ‖g‖₂²``.

    m is the margin, m* the one to aim at, and g = ∂m/∂x where x is free to move; g·d is ‖g‖₂, or
    for "linf" ‖g‖₁.
    """

    def step(x: Tensor, gradient: Tensor, margin: Tensor) -> Tensor:
        gradient = region.inward(x, gradient)
        direction = steepest(gradient, norm)
        slope = (gradient * direction).flatten(1).sum(1).clamp_min(TINY)
        # Finite, so that 0 times it is 0.
        length = ((aim - margin) / slope).clamp_max(torch.finfo(slope.dtype).max)
        return direction * _column(length, x)

    return step


def _fixed_step(size: float, norm: Norm | None) -> _Step:
    """The gradient times the size, or in a norm the steepest step of that length."""
    if norm is None:
        return lambda _x, gradient, _margin: gradient * size
    return lambda _x, gradient, _margin: steepest(gradient, norm) * size


def _column(values: Tensor, x: Tensor) -> Tensor:
    """A value a row, shape (N,), to be broadcast over x (N, …)."""
    return values.reshape((-1,) + (1,) * (x.dim() - 1))


def _goals(confidence: float | None) -> tuple[float, float]:
    """The margin to reach and the one to aim at; infinite without a confidence.

    No finite logits reach it, even where their probability has been rounded to 1.
    """
    if confidence is None:
        return math.inf, math.inf
    return _logit(confidence), _logit(confidence + _OVERSHOOT * (1 - confidence))


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
