"""Gradient ascent from an image to what the network takes for another class, and its verdict."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Sequence
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
from tb_gradascent.margins import TargetMargin, at_least_float32
from tb_gradascent.samples import Stopped

#: What the numbers in ``Ascended.stopped`` stand for.
REASONS: tuple[Stopped, ...] = ("max_steps", "confidence", "stalled", "nonfinite", "none")
_MAX_STEPS, _CONFIDENCE, _STALLED, _NONFINITE, NO_ASCENT = range(len(REASONS))

#: A Newton step that aims at the very goal creeps up to it from below. So it aims at this part of
#: the way from the confidence to 1, and at the end this part of the surplus is taken back: fewer
#: steps, and a smaller change (``python -m bench.quality``).
_OVERSHOOT = 0.3
_TAKEN_BACK = 0.9

#: A smaller slope is none: a step along it would be too long to be a number.
_FLAT = 1e-30


@dataclasses.dataclass(frozen=True)
class Ascent:
    """How far, and in which steps, an image is changed.

    ========== ========= =====================================================================
    step_size  epsilon   a step
    ========== ========= =====================================================================
    ``None``   any       the shortest in ``norm`` that reaches the confidence, if the margin
                         is linear: a Newton step (DeepFool's, Moosavi-Dezfooli et al.,
                         arXiv:1511.04599, aimed at a confidence instead of the boundary,
                         and a little beyond it; most of the surplus is taken back in the end)
    a number   ``None``  ``x + step_size * gradient``: Falcon and Canziani's tutorial
    a number   a number  of length ``step_size`` in ``norm``, in its steepest direction:
                         projected gradient ascent (Madry et al., arXiv:1706.06083)
    ========== ========= =====================================================================

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
    x = inputs
    if logits is None:
        x, logits = _asked(forward, start.clone())
    margin = TargetMargin(logits.detach(), targets)
    first = margin.values
    steps = torch.zeros_like(targets)
    arrived = first >= goal
    active = ~arrived
    finite = torch.ones_like(active)

    for _ in range(ascent.max_steps):
        if not active.any():
            break
        if ascent.step_size is None:
            gradient, x = gradient_of(logits, x, margin.slopes()), x.detach()
            gradient = region.inward(x, gradient)
            moved = _after_newton_step(x, gradient, ascent.norm, aim - margin.values)
        else:
            with torch.enable_grad():
                followed = target_score(logits, targets, score)
            gradient, x = gradient_of(followed, x), x.detach()
            direction = steepest(gradient, ascent.norm).direction if ascent.epsilon else gradient
            moved = x.add(direction, alpha=ascent.step_size)
        finite = _magnitudes(moved) < torch.inf  # before the bounds would hide it
        moved = region.project(moved)
        active = active & finite & region.has_left(x, moved)
        steps += active
        x, logits = _asked(forward, torch.where(_column(active, x), moved, x))
        margin = TargetMargin(logits.detach(), targets)
        arrived = arrived | (margin.values >= goal)
        active = active & ~arrived

    x = x.detach()
    if ascent.step_size is None:
        back = _taken_back(start, x, first, margin.values, goal)
        x = torch.where(_column(arrived & (steps > 0), x), back, x)
    return Ascended(x, steps, _reasons(arrived, active, finite))


def response(
    forward: Forward,
    inputs: Tensor,
    deltas: Tensor,
    classes: Tensor,
    strengths: Sequence[float],
    *,
    max_rows: int | None = None,
    logits: Tensor | None = None,
) -> Response:
    """Asks the network about ``inputs + s * deltas`` for every strength s.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        inputs, deltas: Shape (N, …), floating point.
        classes: Whose probabilities are wanted, int64, shape (N, K).
        strengths: The A strengths.
        max_rows: Rows that may run in one pass; ``None`` for no limit.
        logits: What ``forward(inputs)`` gave, where the caller has it already and the first
            strength is 0: that one is then not asked again.
    """
    rows = len(inputs)
    answers = [] if logits is None else [logits.detach()]
    unknown = torch.tensor(strengths[len(answers) :], dtype=inputs.dtype, device=inputs.device)
    at_once = len(unknown) if max_rows is None else max(max_rows // rows, 1)
    with torch.no_grad():
        for some in unknown.split(at_once):
            scales = some.reshape((-1,) + (1,) * inputs.dim())
            points = torch.addcmul(inputs, scales, deltas).flatten(0, 1)
            answers += [forward(piece) for piece in points.split(max_rows or len(points))]
        logits = torch.cat(answers).unflatten(0, (-1, rows))
        return verdict(logits.transpose(0, 1), classes[:, None].expand(-1, len(strengths), -1))


def verdict(logits: Tensor, classes: Tensor) -> Response:
    """What logits (…, C) say: the probabilities of classes (…, K), and the predictions."""
    chances = at_least_float32(logits).softmax(-1).float()
    return Response(chances.gather(-1, classes), logits.argmax(-1))


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
        leaving = torch.where(gradient < 0, x <= low, x >= high)
        return gradient.masked_fill(leaving, 0)

    def has_left(self, x: Tensor, moved: Tensor) -> Tensor:
        """Which rows moved, shape (N,): on a sphere, by more than its rounding."""
        if self._radius is None:
            return (moved != x).flatten(1).any(1)
        rounding = 4 * torch.finfo(x.dtype).eps * torch.maximum(self._start.abs(), x.abs())
        return ((moved - x).abs() > rounding).flatten(1).any(1)


def _asked(forward: Forward, x: Tensor) -> tuple[Tensor, Tensor]:
    """``x`` and its logits, with a graph between them."""
    with torch.enable_grad():
        x = x.requires_grad_()
        return x, forward(x)


def _after_newton_step(x: Tensor, gradient: Tensor, norm: Norm, missing: Tensor) -> Tensor:
    """``x + missing / (g·d) · d``, with d steepest: for "l2" ``x + missing · g / ‖g‖₂²``.

    ``missing``, shape (N,), is how far the margin is to rise, and g = ∂margin/∂x where x is free to
    move; g·d is ‖g‖₂, or for "linf" ‖g‖₁.
    """
    direction, slope = steepest(gradient, norm)
    length = _column(missing.to(gradient.dtype), gradient) / slope.clamp_min(_FLAT)
    return torch.addcmul(x, direction, length)


def _taken_back(start: Tensor, end: Tensor, first: Tensor, last: Tensor, goal: float) -> Tensor:
    """Where on the way back from the end to the start the margin nearly falls to the goal.

    As if it had risen evenly from ``first`` to ``last``, shape (N,). It mostly rises more slowly
    towards the end, so that it is then above the goal.
    """
    surplus = ((last - goal) / (last - first)).to(start.dtype)
    return end.lerp(start, _column(_TAKEN_BACK * surplus, start))


def _reasons(arrived: Tensor, active: Tensor, finite: Tensor) -> Tensor:
    """Why each row stopped, places in ``REASONS``, shape (N,)."""
    stuck = torch.where(finite, _STALLED, _NONFINITE)
    return torch.where(arrived, _CONFIDENCE, torch.where(active, _MAX_STEPS, stuck))


def _magnitudes(rows: Tensor) -> Tensor:
    """The largest magnitude in each row, NaN where one is, shape (N,)."""
    return rows.abs().flatten(1).amax(1)


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
