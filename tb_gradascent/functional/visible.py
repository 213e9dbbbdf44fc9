"""The ascent whose change a person can see."""

from __future__ import annotations

import torch
from torch import Tensor

from tb_gradascent.functional.ascent import VisibleAscent
from tb_gradascent.functional.gradients import Forward, all_but_rows, gradient_of
from tb_gradascent.functional.margins import TargetMargin, at_least_float32
from tb_gradascent.functional.newton import Ascended, climb
from tb_gradascent.functional.prior import Prior
from tb_gradascent.functional.region import TINY, Region, ask, column, log_odds, pick
from tb_gradascent.functional.transformations import Transformations

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
    prior = Prior(shape, start.device)
    steepest = ascent.spectrum_exponent
    if steepest is None:
        steepest = prior.exponent
    change = Transformations(shape, ascent.shift, ascent.scale, ascent.noise, ascent.seed)

    def directions(gradients: Tensor, step: int = 0) -> tuple[Tensor, Tensor]:
        """K·g in parts of the legal range, and √⟨g, K·g⟩. K keeps less and less of the prior."""
        exponent = steepest * (1 - step / ascent.finish_steps)
        largest = gradients.abs().amax(all_but_rows(start), keepdim=True).clamp_min(TINY)
        scaled = gradients / largest * legal_range
        smooth = prior(scaled, exponent)
        slopes = (scaled * smooth).sum(all_but_rows(start)).clamp_min(0).sqrt()
        return smooth * legal_range * largest, slopes * largest.flatten()

    goal, rest, aim = (
        log_odds(ascent.confidence + part * (1 - ascent.confidence)) for part in (0, _REST, _AIM)
    )
    before = TargetMargin(logits.detach(), targets).values
    moving = (before < goal) & before.isfinite()
    x, mean, steps = start, torch.zeros_like(start), torch.zeros_like(targets)
    for step in range(ascent.steps if moving.any() else 0):
        strength = min(1.0, (1 - step / ascent.steps) / _FADING)
        margins, gradients = torch.zeros_like(before), torch.zeros_like(x)
        for _ in range(ascent.draws):
            leaf = x.clone().requires_grad_()
            with torch.enable_grad():
                seen = forward(change(leaf, legal_range, strength))
            margin = TargetMargin(seen.detach(), targets)
            margins += margin.values / ascent.draws
            gradients += gradient_of(seen, leaf, margin.slopes()) / ascent.draws
        # A single gradient that is not finite must not spoil the mean for good.
        mean = mean.lerp(gradients.nan_to_num(0, 0, 0), 1 - _MOMENTUM)
        gradients = mean / (1 - _MOMENTUM ** (step + 1))
        direction, slopes = directions(region.inward(x, gradients))
        length = ((aim - margins) / slopes).to(x.dtype)
        move = direction * column(length / slopes, x)
        rms = (move / legal_range).square().mean(all_but_rows(x), keepdim=True).sqrt()
        move = move * (ascent.max_step_rms / rms.clamp_min(TINY)).clamp_max(1)
        climbing = moving & (margins < rest) & rms.flatten().isfinite()
        x = torch.where(column(climbing, x), region.project(x + move), x)
        steps += climbing

    leaf, seen = ask(forward, x.clone())
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


def _legal_range(start: Tensor, bounds: tuple[Tensor, Tensor] | None) -> Tensor:
    """The highest legal value minus the lowest; of each row by itself where there is no bound."""
    dims = all_but_rows(start)
    own = start.amax(dims, keepdim=True) - start.amin(dims, keepdim=True)
    own = torch.where((own > 0) & own.isfinite(), own, torch.ones_like(own))
    if bounds is None:
        return own
    legal = bounds[1] - bounds[0]
    return torch.where((legal > 0) & legal.isfinite(), legal, own)
