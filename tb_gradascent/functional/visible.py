"""The ascent whose change a person can see."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from tb_gradascent.functional.ascent import VisibleAscent
from tb_gradascent.functional.gradients import Forward, all_but_rows, gradient_of
from tb_gradascent.functional.margins import TargetMargin, at_least_float32
from tb_gradascent.functional.newton import Ascended, climb
from tb_gradascent.functional.prior import Prior
from tb_gradascent.functional.region import TINY, Region, ask, column, log_odds, pick
from tb_gradascent.functional.transformations import Transformation, Transformations

#: Under transformations a row rests at this part of the way from the confidence to 1, and a step
#: aims at that one. Other networks then follow more often than at the confidence itself.
_REST = 0.98
_AIM = 0.995

#: Each step follows a running mean of the gradients. This is the weight of the earlier gradients.
#: Other networks then follow more often (momentum, Dong et al., arXiv:1710.06081).
_MOMENTUM = 0.5

#: In this last part of the steps the transformations fade away. So the network is nearly convinced
#: of the image itself before the steps without transformations begin (``python -m bench.visible``).
_FADING = 0.4

#: Transformations that hold at most this many elements together are kept for the next ascent. They
#: are the same for each.
_KEPT = 2**18


def climb_visibly(
    forward: Forward,
    inputs: Tensor,
    logits: Tensor,
    targets: Tensor,
    ascent: VisibleAscent,
    bounds: tuple[Tensor, Tensor] | None = None,
) -> Ascended:
    """Changes each row visibly until the network takes it for its target.

    All rows take part in the same passes, and none depends on another. A row that is at the
    confidence already stays as it is. No row ends with a lower margin than it started with.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        inputs: Shape (N, …), floating point.
        logits: What ``forward(inputs)`` gave.
        targets: Class indices, int64, shape (N,).
        ascent: See :class:`VisibleAscent`.
        bounds: Lowest and highest legal values, broadcastable to ``inputs``.
    """
    start = at_least_float32(inputs)
    shape = start.shape[1:]
    region = Region(start, bounds)
    legal_range = _legal_range(start, bounds)
    dims = all_but_rows(start)
    prior = Prior(shape, start.device)
    steepest = ascent.spectrum_exponent
    if steepest is None:
        steepest = prior.exponent

    def smoothed(gradients: Tensor, exponent: float) -> tuple[Tensor, Tensor, Tensor]:
        """K·g, ⟨g, K·g⟩ (N,), and a factor (N, 1, …).

        g is divided by the factor first to prevent overflow. Both are in parts of the legal range.
        """
        largest = torch.linalg.vector_norm(gradients, math.inf, dims, keepdim=True)
        largest.clamp_min_(TINY)
        scaled = gradients * (legal_range / largest)
        smooth = prior(scaled, exponent)
        return smooth, (scaled * smooth).sum(dims).clamp_min_(0), largest

    def directions(gradients: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """K·g and √⟨g, K·g⟩. K keeps less and less of the prior."""
        smooth, products, largest = smoothed(gradients, steepest * (1 - step / ascent.finish_steps))
        return smooth * (legal_range * largest), products.sqrt() * largest.flatten()

    def look(x: Tensor, change: Transformation) -> tuple[Tensor, Tensor]:
        """The margins (N,) under a transformation, and their gradients."""
        leaf, seen = ask(forward, change(x, legal_range))
        margin = TargetMargin(seen.detach(), targets)
        return margin.values, change.back(gradient_of(seen, leaf, margin.slopes()))

    goal, rest, aim = (
        log_odds(ascent.confidence + part * (1 - ascent.confidence)) for part in (0, _REST, _AIM)
    )
    before = TargetMargin(logits.detach(), targets).values
    moving = (before < goal) & before.isfinite()
    resting = torch.where(moving, rest, -math.inf)
    longest = ascent.max_step_rms * math.sqrt(shape.numel())
    x, mean, steps = start, torch.zeros_like(start), torch.zeros_like(targets)
    for step, changes in enumerate(_changes(shape, ascent, start.device) if moving.any() else ()):
        looks = [look(x, change) for change in changes]
        margins, gradients = (_mean([*parts]) for parts in zip(*looks, strict=True))
        # A single gradient that is not finite must not spoil the mean for good. The mean has no
        # bias towards its first value, 0.
        weight = (1 - _MOMENTUM) / (1 - _MOMENTUM ** (step + 1))
        mean.lerp_(gradients.nan_to_num_(0, 0, 0), weight)
        smooth, products, largest = smoothed(region.inward(x, mean), steepest)
        part = ((aim - margins) / (products * largest.flatten())).to(x.dtype)
        climbing = (margins < resting) & (part.abs() < math.inf)
        # A Newton step, or the longest step if that is shorter.
        limit = longest / torch.linalg.vector_norm(smooth, 2, dims).clamp_min_(TINY)
        lengths = legal_range * column(part.clamp(-limit, limit), x)
        moved = region.project(torch.addcmul(x, smooth, lengths))
        x = torch.where(column(climbing, x), moved, x)
        steps += climbing

    leaf, seen = ask(forward, x.detach())
    climbed = climb(
        forward, leaf, seen, targets, ascent, region, directions, max_steps=ascent.finish_steps
    )
    lower = [end < begin for end, begin in zip(climbed.last, before.tolist(), strict=True)]
    end = climbed.end
    return Ascended(
        pick(lower, start, end.inputs) if any(lower) else end.inputs,
        [first + last for first, last in zip(steps.tolist(), end.steps, strict=True)],
        end.stopped,
    )


def _mean(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).mean(0)


def _changes(
    shape: torch.Size, ascent: VisibleAscent, device: torch.device
) -> Iterable[Sequence[Transformation]]:
    """The transformations of each step, ``draws`` a step."""
    elements = ascent.steps * ascent.draws * shape.numel()
    return (_kept_changes if elements <= _KEPT else _drawn_changes)(shape, ascent, device)


def _drawn_changes(
    shape: torch.Size, ascent: VisibleAscent, device: torch.device
) -> Iterator[Sequence[Transformation]]:
    source = Transformations(shape, ascent.shift, ascent.scale, ascent.noise, ascent.seed)
    for step in range(ascent.steps):
        strength = min(1.0, (1 - step / ascent.steps) / _FADING)
        yield [source.draw(strength).to(device) for _ in range(ascent.draws)]


@functools.lru_cache(maxsize=4)
def _kept_changes(
    shape: torch.Size, ascent: VisibleAscent, device: torch.device
) -> Sequence[Sequence[Transformation]]:
    with torch.inference_mode(False):
        return [*_drawn_changes(shape, ascent, device)]


def _legal_range(start: Tensor, bounds: tuple[Tensor, Tensor] | None) -> Tensor:
    """The highest legal value minus the lowest; of each row by itself where there is no bound."""
    dims = all_but_rows(start)
    own = start.amax(dims, keepdim=True) - start.amin(dims, keepdim=True)
    own = torch.where((own > 0) & own.isfinite(), own, torch.ones_like(own))
    if bounds is None:
        return own
    legal = bounds[1] - bounds[0]
    return torch.where((legal > 0) & legal.isfinite(), legal, own)
