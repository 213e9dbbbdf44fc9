"""Gradient ascent from an image to what the network takes for another class."""

from __future__ import annotations

import torch
from torch import Tensor

from tb_gradascent.functional.ascent import Ascent, VisibleAscent
from tb_gradascent.functional.gradients import Forward, Score, slopes_of
from tb_gradascent.functional.newton import Ascended, Climbed, climb
from tb_gradascent.functional.region import Region, ask, column, log_odds, pick
from tb_gradascent.functional.visible import climb_visibly

#: A Newton step aims beyond the goal. In the end this part of the surplus is taken back, so that
#: the change is smaller (``python -m bench.quality``).
_TAKEN_BACK = 0.9


@torch.enable_grad()
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

    Newton steps are damped: a row never ends with a lower margin than it started with. A step that
    lowers the margin is taken back, and a shorter one is tried. Fixed steps are taken as they are,
    and end where they lead. A visible ascent is described at :class:`VisibleAscent`.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        inputs: Shape (N, …), floating point.
        targets: Class indices, int64, shape (N,).
        ascent: See :class:`Ascent`.
        bounds: Lowest and highest legal values, broadcastable to ``inputs``. Elements that start
            outside may stay where they are.
        score: What a fixed ``step_size`` follows; the Newton step follows the margin.
        logits: What ``forward(inputs)`` gave, if the caller has it already: it saves one pass. It
            must have its graph, and ``inputs`` must require a gradient, unless the ascent is
            visible.
    """
    start = inputs.detach()
    if isinstance(ascent, VisibleAscent):
        if logits is None:
            with torch.no_grad():
                logits = forward(start)
        return climb_visibly(forward, start, logits, targets, ascent, bounds)
    leaf = inputs
    if logits is None:
        leaf, logits = ask(forward, start.clone())

    def directions(gradients: Tensor, _: int) -> tuple[Tensor, Tensor]:
        steepest = gradients.sign() if ascent.norm == "linf" else gradients
        return steepest, slopes_of(gradients, ascent.norm)

    region = Region(start, bounds, ascent.norm, ascent.epsilon)
    climbed = climb(
        forward,
        leaf,
        logits,
        targets,
        ascent,
        region,
        directions,
        max_steps=ascent.max_steps,
        score=score,
    )
    if ascent.confidence is None or ascent.step_size is not None:
        return climbed.end
    return climbed.end._replace(inputs=_taken_back(start, climbed, log_odds(ascent.confidence)))


def _taken_back(start: Tensor, climbed: Climbed, goal: float) -> Tensor:
    """Where on the way back from the end to the start the margin nearly falls to the goal.

    The surplus is the part of the whole rise that is beyond the goal, as if the margin had risen
    evenly. It mostly rises more slowly towards the end, so that it is then above the goal.
    """
    end = climbed.end
    surplus = [
        (last - goal) / (last - first) if reason == "confidence" and count else 0.0
        for reason, count, first, last in zip(
            end.stopped, end.steps, climbed.first, climbed.last, strict=True
        )
    ]
    if not any(surplus):
        return end.inputs
    back = end.inputs.new_tensor([_TAKEN_BACK * part for part in surplus])
    shorter = end.inputs.lerp(start, column(back, start))
    return pick([part > 0 for part in surplus], shorter, end.inputs)
