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
    bounds: tuple[Tensor, Tensor] | None,
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
    prior = Prior(shape, start.device, start.dtype)
    steepest = ascent.spectrum_exponent
    if steepest is None:
        steepest = prior.exponent

    def smoothed(gradients: Tensor, exponent: float) -> tuple[Tensor, Tensor, Tensor]:
        """K·g, ⟨g, K·g⟩ (N,), and a factor (N, 1, …).

        g is divided by the factor first to prevent overflow. Both are in parts of the legal range.
        """
        # A norm takes twice as long.
        largest = gradients.abs().amax(dims, keepdim=True).clamp_min_(TINY)
        scaled = (gradients / largest).mul_(legal_range)
        smooth = prior(scaled, exponent)
        return smooth, (scaled * smooth).sum(dims), largest

    def directions(gradients: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """K·g and √⟨g, K·g⟩. K keeps less and less of the prior."""
        smooth, products, largest = smoothed(gradients, steepest * (1 - step / ascent.finish_steps))
        return smooth * (legal_range * largest), products.clamp_min_(0).sqrt() * largest.flatten()

    def look(x: Tensor, change: Transformation) -> tuple[Tensor, Tensor]:
        """The margins (N,) under a transformation, and their gradients."""
        leaf, seen = ask(forward, change(x, legal_range))
        margin = margin_of(seen)
        return margin.values, change.back(gradient_of(seen, leaf, margin.slopes()))

    goal, rest, aim = (
        log_odds(ascent.confidence + part * (1 - ascent.confidence)) for part in (0, _REST, _AIM)
    )
    # Lists, as in ``climb``: operations on a few numbers cost as much as those on images.
    margin_of = TargetMargin(targets, logits)
    before = margin_of(logits).values.tolist()
    magnitudes = start.abs().amax(dims).tolist()
    moving = [
        margin < goal and math.isfinite(margin) and math.isfinite(magnitude)
        for margin, magnitude in zip(before, magnitudes, strict=True)
    ]
    longest = ascent.max_step_rms * math.sqrt(shape.numel())
    x, mean, steps = start, torch.zeros_like(start), [0] * len(start)
    for step, changes in enumerate(_changes(start, ascent) if any(moving) else ()):
        margins, gradients = _mean([look(x, change) for change in changes])
        # A single gradient that is not finite must not spoil the mean for good. The mean has no
        # bias towards its first value, 0.
        weight = (1 - _MOMENTUM) / (1 - _MOMENTUM ** (step + 1))
        mean.lerp_(gradients.nan_to_num_(0, 0, 0), weight)
        smooth, products, largest = smoothed(region.inward(x, mean), steepest)
        norms = torch.linalg.vector_norm(smooth, 2, dims)
        numbers = (values.flatten().tolist() for values in (margins, products, largest, norms))
        lengths = [0.0] * len(start)
        for row, (margin, product, factor, norm) in enumerate(zip(*numbers, strict=True)):
            slope = product * factor
            if moving[row] and margin < rest and slope > 0 and norm > 0:
                # A Newton step, or the longest step if that is shorter.
                lengths[row] = min((aim - margin) / slope, longest / norm)
                steps[row] += 1
        scales = legal_range * column(x.new_tensor(lengths), x)
        x = region.project(torch.addcmul(x, smooth, scales))

    leaf, seen = ask(forward, pick(moving, x, start))
    climbed = climb(
        forward, leaf, seen, targets, ascent, region, directions, max_steps=ascent.finish_steps
    )
    lower = [end < begin for end, begin in zip(climbed.last, before, strict=True)]
    end = climbed.end
    return Ascended(
        pick(lower, start, end.inputs) if any(lower) else end.inputs,
        [first + last for first, last in zip(steps, end.steps, strict=True)],
        end.stopped,
    )


def _mean(looks: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The means of several margins and of their gradients."""
    if len(looks) == 1:
        return looks[0]
    margins, gradients = (torch.stack(parts).mean(0) for parts in zip(*looks, strict=True))
    return margins, gradients


def _changes(start: Tensor, ascent: VisibleAscent) -> Iterable[Sequence[Transformation]]:
    """The transformations of each step, ``draws`` a step."""
    shape = start.shape[1:]
    elements = ascent.steps * ascent.draws * shape.numel()
    source = _kept_changes if elements <= _KEPT else _drawn_changes
    return source(shape, ascent, start.device, start.dtype)


def _drawn_changes(
    shape: torch.Size, ascent: VisibleAscent, device: torch.device, dtype: torch.dtype
) -> Iterator[Sequence[Transformation]]:
    source = Transformations(shape, ascent.shift, ascent.scale, ascent.noise, ascent.seed)
    for step in range(ascent.steps):
        strength = min(1.0, (1 - step / ascent.steps) / _FADING)
        yield [source.draw(strength).to(device, dtype) for _ in range(ascent.draws)]


@functools.lru_cache(maxsize=4)
def _kept_changes(
    shape: torch.Size, ascent: VisibleAscent, device: torch.device, dtype: torch.dtype
) -> Sequence[Sequence[Transformation]]:
    with torch.inference_mode(False):
        return [*_drawn_changes(shape, ascent, device, dtype)]


def _legal_range(start: Tensor, bounds: tuple[Tensor, Tensor] | None) -> Tensor:
    """The highest legal value minus the lowest; of each row by itself where there is no bound."""
    dims = all_but_rows(start)
    own = start.amax(dims, keepdim=True) - start.amin(dims, keepdim=True)
    own = torch.where((own > 0) & own.isfinite(), own, torch.ones_like(own))
    if bounds is None:
        return own
    legal = bounds[1] - bounds[0]
    return torch.where((legal > 0) & legal.isfinite(), legal, own)
