"""The loop that climbs from each row's start towards a confidence, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from tb_gradascent.format.samples import Stopped
from tb_gradascent.functional.ascent import Ascent
from tb_gradascent.functional.gradients import (
    Forward,
    Score,
    all_but_rows,
    gradient_of,
    score_gradient,
)
from tb_gradascent.functional.margins import TargetMargin
from tb_gradascent.functional.region import Region, ask, column, log_odds, pick

#: Maps gradients g (N, …) and the number of the step to directions d, shaped like g, and to slopes
#: s (N,). A margin that is linear rises by s² along d, or for "linf" by s.
Directions = Callable[[Tensor, int], tuple[Tensor, Tensor]]

#: A Newton step that aims at the goal itself creeps up to it from below. So it aims at this part of
#: the way from the confidence to 1. This needs fewer steps (``python -m bench.quality``).
_OVERSHOOT = 0.3

#: A Newton step that lowers the margin is tried again with this part of its length, from the best
#: point. After each rise the part grows by this factor, up to 1.
_CUT = 0.25
_GROWTH = 2.0

#: A product that is larger than this is not representable as float32.
_LARGEST = torch.finfo(torch.float32).max


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


class Climbed(NamedTuple):
    """The end of a climb, and each row's margin at its start and at its end."""

    end: Ascended
    first: list[float]
    last: list[float]


def climb(
    forward: Forward,
    leaf: Tensor,
    logits: Tensor,
    targets: Tensor,
    ascent: Ascent,
    region: Region,
    directions: Directions,
    *,
    max_steps: int,
    score: Score = "logit",
) -> Climbed:
    """Takes Newton steps, or fixed ones, until each row has reached the confidence.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        leaf: Where the rows start, shape (N, …); requires a gradient.
        logits: What ``forward(leaf)`` gave, with its graph.
        targets: Class indices, int64, shape (N,).
        ascent: The confidence, and the length of a fixed step.
        region: What no row may leave.
        directions: Of the steps, see :data:`Directions`.
        max_steps: Steps at the most.
        score: What a fixed step follows.
    """
    start = x = leaf.detach()
    newton = ascent.step_size is None
    goal, aim = _goals(ascent.confidence)
    margin_of = TargetMargin(targets, logits)
    margin = margin_of(logits)
    # Lists, since each operation on a tensor costs as much as everything that is done with these.
    first = margin.values.tolist()
    best = list(first)
    largest = start.abs().amax(all_but_rows(start)).tolist()
    stopped: list[Stopped | None] = [
        "confidence" if value >= goal else None if math.isfinite(magnitude) else "nonfinite"
        for value, magnitude in zip(first, largest, strict=True)
    ]
    steps = [0] * len(first)
    damping = [1.0] * len(first)
    risen = [True] * len(first)
    gradient = x  # computed before it is used, since every row counts as risen at first

    for step in range(max_steps):
        if None not in stopped:
            break
        if not newton:
            gradient = score_gradient(logits, leaf, targets, score)
        elif any(risen):
            inward = region.inward(x, gradient_of(logits, leaf, margin.slopes()))
            gradient = pick(risen, inward, gradient)
        direction, slopes = directions(gradient, step)
        parts = [
            _part(ascent, slope, (aim - value) * factor)
            for slope, value, factor in zip(slopes.tolist(), best, damping, strict=True)
        ]
        moved = region.project(torch.addcmul(x, direction, column(x.new_tensor(parts), x)))
        left = region.has_left(x, moved)
        for row, part in enumerate(parts):
            if not math.isfinite(part):
                stopped[row] = stopped[row] or "nonfinite"
            elif not (part and left[row]):
                stopped[row] = stopped[row] or "stalled"
        climbing = [reason is None for reason in stopped]
        if not any(climbing):
            break
        leaf, logits = ask(forward, pick(climbing, moved, x))
        margin = margin_of(logits)
        values = margin.values.tolist()
        risen = [not newton or value >= most for value, most in zip(values, best, strict=True)]
        x = pick(risen, leaf.detach(), x)
        for row, value in enumerate(values):
            steps[row] += climbing[row]
            damping[row] = min(damping[row] * _GROWTH, 1) if risen[row] else damping[row] * _CUT
            best[row] = value if risen[row] else best[row]
            if climbing[row] and best[row] >= goal:
                stopped[row] = "confidence"

    end = Ascended(x, steps, [reason or "max_steps" for reason in stopped])
    return Climbed(end, first, best)


def _part(ascent: Ascent, slope: float, missing: float) -> float:
    """What part of its gradient g a row moves by, or for "linf" of the signs of g.

    A Newton step, the shortest after which a linear margin has risen by ``missing``, moves by
    ``missing · g / ‖g‖₂²``, or ``missing · sign(g) / ‖g‖₁``.

    Args:
        slope: ‖g‖₂, or for "linf" ‖g‖₁.

    Returns:
        0 if there is no slope, or one so small that the part is not representable as float32. NaN
        if an argument or the step is not finite.
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


def _goals(confidence: float | None) -> tuple[float, float]:
    """The margin to reach and the one to aim at; infinite without a confidence.

    No finite logits reach it, even where their probability has been rounded to 1.
    """
    if confidence is None:
        return math.inf, math.inf
    return log_odds(confidence), log_odds(confidence + _OVERSHOOT * (1 - confidence))
