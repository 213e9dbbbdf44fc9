"""Gradient ascent from an image to what the network takes for another class, and its verdict."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from tb_gradascent.format.samples import Stopped
from tb_gradascent.functional.gradients import (
    Forward,
    Norm,
    Score,
    all_but_rows,
    gradient_of,
    lengths,
    score_gradient,
    slopes_of,
)
from tb_gradascent.functional.margins import TargetMargin
from tb_gradascent.functional.validation import is_finite, is_whole

#: A Newton step that aims at the very goal creeps up to it from below. So it aims at this part of
#: the way from the confidence to 1, and at the end this part of the surplus is taken back: fewer
#: steps, and a smaller change (``python -m bench.quality``).
_OVERSHOOT = 0.3
_TAKEN_BACK = 0.9

#: What is multiplied, or moved, by more is no float32 any more.
_LARGEST = torch.finfo(torch.float32).max
#: Keeps a division by a row's own zero finite.
_TINY = torch.finfo(torch.float32).tiny


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
        elif not (is_finite(self.confidence) and 0 < self.confidence < 1):
            raise ValueError(
                f"Ascent(confidence) must lie between 0 and 1, and is {self.confidence!r}: "
                "0.95 is the default"
            )
        if not is_whole(self.max_steps) or self.max_steps < 1:
            raise ValueError(
                f"Ascent(max_steps) must be a whole number of at least 1, and is "
                f"{self.max_steps!r}: for the gradient alone give ascent=None"
            )
        for name, value in (("step_size", self.step_size), ("epsilon", self.epsilon)):
            if value is not None and not (is_finite(value) and value > 0):
                raise ValueError(
                    f"Ascent({name}) must be a positive number or None, and is {value!r}"
                )
        if not isinstance(self.norm, str) or self.norm not in get_args(Norm):
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
        steps: Steps that each row took.
        stopped: Why each row stopped.
    """

    inputs: Tensor
    steps: list[int]
    stopped: list[Stopped]


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
    leaf = inputs
    if logits is None:
        leaf, logits = _asked(forward, start.clone())
    x = leaf.detach()
    margin = TargetMargin(logits.detach(), targets)
    # Lists, since each operation on a tensor costs as much as all that is done with these.
    first = last = margin.values.tolist()
    largest = start.abs().amax(all_but_rows(start)).tolist()
    stopped: list[Stopped | None] = [
        "confidence" if value >= goal else None if math.isfinite(magnitude) else "nonfinite"
        for value, magnitude in zip(first, largest, strict=True)
    ]
    steps = [0] * len(first)

    for _ in range(ascent.max_steps):
        if None not in stopped:
            break
        if ascent.step_size is None:
            gradient = region.inward(x, gradient_of(logits, leaf, margin.slopes()))
        else:
            gradient = score_gradient(logits, leaf, targets, score)
        slopes = slopes_of(gradient, ascent.norm).tolist()
        parts = [
            _part(ascent, slope, aim - value) for slope, value in zip(slopes, last, strict=True)
        ]
        direction = gradient.sign() if ascent.norm == "linf" else gradient
        moved = region.project(torch.addcmul(x, direction, _column(x.new_tensor(parts), x)))
        left = region.has_left(x, moved)
        for row, part in enumerate(parts):
            if not math.isfinite(part):
                stopped[row] = stopped[row] or "nonfinite"
            elif not (part and left[row]):
                stopped[row] = stopped[row] or "stalled"
        climbing = [reason is None for reason in stopped]
        if not any(climbing):
            break
        leaf, logits = _asked(forward, _pick(climbing, moved, x))
        x = leaf.detach()
        margin = TargetMargin(logits.detach(), targets)
        last = margin.values.tolist()
        for row, climbed in enumerate(climbing):
            steps[row] += climbed
            if climbed and last[row] >= goal:
                stopped[row] = "confidence"

    if ascent.step_size is None:
        surplus = [
            (end - goal) / (end - begin) if reason == "confidence" and count else 0.0
            for reason, count, begin, end in zip(stopped, steps, first, last, strict=True)
        ]
        if any(surplus):
            x = _pick([part > 0 for part in surplus], _taken_back(start, x, surplus), x)
    return Ascended(x, steps, [reason or "max_steps" for reason in stopped])


def response(
    forward: Forward,
    inputs: Tensor,
    deltas: Tensor,
    strengths: Sequence[float],
    *,
    max_rows: int | None = None,
    logits: Tensor | None = None,
) -> Tensor:
    """The network's logits of ``inputs + s * deltas`` for every strength s, shape (N, A, C).

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        inputs, deltas: Shape (N, …), floating point.
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
        joined: Tensor = torch.cat(answers).unflatten(0, (-1, rows))
        return joined.transpose(0, 1)


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
            x = self._start + delta * (self._radius / lengths(delta).clamp_min(_TINY)).clamp_max(1)
        return x if self._box is None else x.clamp(*self._box)

    def inward(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The gradient without the elements that stand at a bound and would leave it."""
        if self._box is None:
            return gradient
        low, high = self._box
        leaving = torch.where(gradient < 0, x <= low, x >= high)
        return gradient.masked_fill(leaving, 0)

    def has_left(self, x: Tensor, moved: Tensor) -> list[bool]:
        """Which rows could move: on a sphere, by more than its rounding."""
        if self._radius is None and self._box is None:
            return [True] * len(x)
        changed = moved != x
        if self._radius is not None:
            rounding = 4 * torch.finfo(x.dtype).eps * torch.maximum(self._start.abs(), x.abs())
            changed = (moved - x).abs() > rounding
        left: list[bool] = torch.any(changed, all_but_rows(x)).tolist()
        return left


def _asked(forward: Forward, x: Tensor) -> tuple[Tensor, Tensor]:
    """``x`` and its logits, with a graph between them."""
    with torch.enable_grad():
        x = x.requires_grad_()
        return x, forward(x)


def _part(ascent: Ascent, slope: float, missing: float) -> float:
    """What part of its gradient g a row moves by, or for "linf" of the signs of g.

    A Newton step, the shortest after which a linear margin has risen by ``missing``, moves by
    ``missing · g / ‖g‖₂²``, or ``missing · sign(g) / ‖g‖₁``.

    Args:
        slope: ‖g‖₂, or for "linf" ‖g‖₁.

    Returns:
        0 where there is no slope, or so small a one that the part is no float32; NaN where the
        slope, what is missing or the step is not finite.
    """
    newton = ascent.step_size is None
    if not (math.isfinite(slope) and (math.isfinite(missing) or not newton)):
        return math.nan
    if not slope:
        return 0.0
    length = missing / slope if ascent.step_size is None else ascent.step_size
    relative = ascent.norm == "l2" and (newton or ascent.epsilon is not None)
    part = length / slope if relative else length
    if part > _LARGEST and (newton or relative):
        return 0.0
    farthest = part if ascent.norm == "linf" else part * slope
    return part if max(part, farthest) <= _LARGEST else math.nan


def _taken_back(start: Tensor, end: Tensor, surplus: Sequence[float]) -> Tensor:
    """Where on the way back from the end to the start the margin nearly falls to the goal.

    ``surplus`` are the parts of the whole rise that are beyond it, a row each, as if the margin had
    risen evenly. It mostly rises more slowly towards the end, so that it is then above the goal.
    """
    back = [_TAKEN_BACK * part for part in surplus]
    return end.lerp(start, _column(end.new_tensor(back), end))


def _pick(rows: Sequence[bool], these: Tensor, others: Tensor) -> Tensor:
    """Some rows of one tensor (N, …), and the rest of another."""
    if all(rows):
        return these
    return torch.where(_column(torch.tensor(rows, device=these.device), these), these, others)


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
