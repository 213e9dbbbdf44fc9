"""From a few images to samples: gradients, morphs and the network's verdict on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tb_gradascent.ascent import NO_ASCENT, REASONS, Ascent, ascend, response
from tb_gradascent.gradients import Forward, Score, gradient_of, target_score
from tb_gradascent.margins import at_least_float32
from tb_gradascent.quantization import DELTA_LEVELS
from tb_gradascent.samples import Array, Sample, Target
from tb_gradascent.targets import Targets, choose_targets
from tb_gradascent.transfer import fetch
from tb_gradascent.uncertainty import cross_entropy_of, entropy_of, probabilities_of

#: Where the network is asked along a morph: eighths, and a point beyond the end of the ascent.
STRENGTHS: Final = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.25)

_LISTED_CLASSES: Final = 10


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is recorded of every sample.

    Attributes:
        targets: See :func:`choose_targets`.
        score: What the recorded gradient differentiates.
        ascent: How morphs are made; ``None`` for the gradient alone.
        bounds: Lowest and highest legal value, a value a channel each.
    """

    targets: Targets = "top2"
    score: Score = "logit"
    ascent: Ascent | None = dataclasses.field(default_factory=Ascent)
    bounds: tuple[tuple[float, ...], tuple[float, ...]] | None = None


def capture(
    forward: Forward,
    inputs: Tensor,
    recipe: Recipe,
    *,
    max_rows: int | None = None,
    step: int,
    tag: str,
    labels: Sequence[int | None] | None = None,
    ids: Sequence[str | None] | None = None,
    probe: bool = False,
) -> Callable[[], list[Sample]]:
    """Records every image given. Pure: what must be restored is the caller's to restore.

    Deltas are rounded to what is stored of them before the network is asked about them, so that a
    viewer shows the very images that the probabilities belong to.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself, in eval mode.
        inputs: Shape (N, channels, height, width), floating point.
        recipe: What to record.
        max_rows: Images in one pass at the most, so that a capture needs no more memory than the
            loop's own step; ``None`` for no limit.
        step, tag: Copied into the samples.
        labels, ids: One a sample, ``None`` where unknown.
        probe: Copied into the samples.

    Returns:
        What gives the samples, once they are there: to be called on another thread, so that the
        loop need not wait for the device.

    Raises:
        ValueError: The recipe does not fit the logits or labels.
    """
    images = inputs.detach().float()
    with torch.no_grad():
        logits = torch.cat([forward(rows) for rows in images.split(max_rows or len(images))])
    known = None
    if labels is not None and None not in labels:
        known = torch.tensor(labels, device=logits.device)
    targets = choose_targets(recipe.targets, logits, known)
    classes = logits.topk(min(_LISTED_CLASSES, logits.shape[1])).indices
    each = targets.shape[1]
    at_once = max_rows or targets.numel()
    pieces = [
        _morph(forward, rows, target, original, recipe, max_rows)
        for rows, target, original in zip(
            images.repeat_interleave(each, 0).split(at_once),
            targets.flatten().split(at_once),
            classes[:, :1].expand(-1, each).flatten().split(at_once),
            strict=True,
        )
    ]
    morphs = pieces[0]
    if len(pieces) > 1:
        morphs = _Morphs(*(torch.cat(parts) for parts in zip(*pieces, strict=True)))
    arrays = fetch((images, at_least_float32(logits), classes, targets, *morphs))

    def samples() -> list[Sample]:
        images, logits, classes, targets, *morphs = arrays()
        chances = probabilities_of(logits)
        shown = [_target(*row) for row in zip(targets.flatten().tolist(), *morphs, strict=True)]
        return [
            Sample(
                run="",
                tag=tag,
                step=step,
                wall_time=0.0,
                index=place,
                id=None if ids is None else ids[place],
                label=None if labels is None else labels[place],
                image=image,
                mean=None,
                std=None,
                classes=classes[place],
                probabilities=chances[place][classes[place]].astype(np.float32),
                margin=float(np.subtract(*chances[place][classes[place][:2]])),
                entropy=entropy_of(chances[place]),
                loss=None if labels is None else cross_entropy_of(logits[place], labels[place]),
                targets=tuple(shown[place * each : (place + 1) * each]),
                probe=probe,
            )
            for place, image in enumerate(images)
        ]

    return samples


def as_stored(arrays: Tensor) -> Tensor:
    """Each row (N, …), float32, rounded to what ``quantization`` stores of a delta."""
    shape = (-1,) + (1,) * (arrays.dim() - 1)
    magnitude = arrays.abs().nan_to_num(0, 0, 0).flatten(1).amax(1)
    least = torch.finfo(torch.float32).smallest_normal * torch.finfo(torch.float32).eps
    quantum = (magnitude / DELTA_LEVELS).clamp_min(least).reshape(shape)
    return (arrays / quantum).round() * quantum


class _Morphs(NamedTuple):
    """What was computed for some rows, a row a pair of sample and target.

    Without an ascent, the strengths are none and the deltas have no elements.
    """

    gradients: Any
    deltas: Any
    probabilities: Any
    original_probabilities: Any
    predictions: Any
    steps: Any
    stopped: Any


def _morph(
    forward: Forward,
    images: Tensor,
    targets: Tensor,
    originals: Tensor,
    recipe: Recipe,
    max_rows: int | None,
) -> _Morphs:
    with torch.enable_grad():
        images = images.detach().requires_grad_()
        logits = forward(images)
        gradients = gradient_of(
            target_score(logits, targets, recipe.score),
            images,
            keep_graph=recipe.ascent is not None,
        )
    if recipe.ascent is None:
        nothing = targets.new_zeros((len(targets), 0))
        return _Morphs(
            gradients,
            nothing.float(),
            nothing.float(),
            nothing.float(),
            nothing,
            torch.zeros_like(targets),
            torch.full_like(targets, NO_ASCENT),
        )
    bounds = None
    if recipe.bounds is not None:
        shape = (-1,) + (1,) * (images.dim() - 2)
        low, high = (images.new_tensor(values).reshape(shape) for values in recipe.bounds)
        bounds = (low, high)
    end = ascend(
        forward, images, targets, recipe.ascent, bounds=bounds, score=recipe.score, logits=logits
    )
    images = images.detach()
    deltas = as_stored(end.inputs - images)
    classes = torch.stack((targets, originals), 1)
    said = response(forward, images, deltas, classes, STRENGTHS, max_rows=max_rows, logits=logits)
    return _Morphs(
        gradients,
        deltas,
        said.probabilities[..., 0],
        said.probabilities[..., 1],
        said.predictions,
        end.steps,
        end.stopped,
    )


def _target(
    target: int,
    gradient: Array,
    delta: Array,
    probabilities: Array,
    original_probabilities: Array,
    predictions: npt.NDArray[np.int64],
    steps: int,
    stopped: int,
) -> Target:
    ascended = len(probabilities) > 0
    return Target(
        index=target,
        gradient=gradient,
        delta=delta if ascended else None,
        strengths=np.array(STRENGTHS if ascended else (), np.float32),
        probabilities=probabilities,
        original_probabilities=original_probabilities,
        predictions=predictions,
        steps=int(steps),
        stopped=REASONS[stopped],
    )
