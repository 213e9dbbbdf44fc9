"""From a few images to samples: gradients, morphs and the network's verdict on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tb_gradascent.format.quantization import DELTA_LEVELS
from tb_gradascent.format.samples import CapturedSample, Stopped, Target
from tb_gradascent.functional.ascend import ascend
from tb_gradascent.functional.ascent import Ascent
from tb_gradascent.functional.gradients import Forward, Score, all_but_rows, score_gradient
from tb_gradascent.functional.host_copy import HostCopy
from tb_gradascent.functional.margins import at_least_float32, ranked
from tb_gradascent.functional.response import response
from tb_gradascent.functional.targets import Targets, choose_targets, wants_labels
from tb_gradascent.functional.uncertainty import cross_entropy_of, entropy_of, probabilities_of

#: Where the network is asked along a morph: eighths, and a point beyond the end of the ascent.
STRENGTHS: Final = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.25)

_LISTED_CLASSES: Final = 10

#: The smallest quantum: float32's smallest number above 0.
_LEAST: Final = torch.finfo(torch.float32).smallest_normal * torch.finfo(torch.float32).eps


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
    labels: Sequence[int | None] | None = None,
    ids: Sequence[str | None] | None = None,
    probe: bool = False,
) -> PendingSamples:
    """Records every image given. Pure: what must be restored is the caller's to restore.

    Deltas are rounded to what is stored of them before the network is asked about them, so that a
    viewer shows the very images that the probabilities belong to.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself, in eval mode.
        inputs: Shape (N, channels, height, width), floating point.
        recipe: What to record.
        max_rows: Images in one pass at the most, so that a capture needs no more memory than the
            loop's own step; ``None`` for no limit.
        step: Copied into the samples.
        labels, ids: One a sample, ``None`` where unknown.
        probe: Copied into the samples.

    Returns:
        The samples, whose arrays may still be on their way from the device: ask for them on another
        thread, so that the loop need not wait.

    Raises:
        ValueError: The recipe does not fit the logits or labels.
    """
    images = inputs.detach().float()
    with torch.no_grad():
        logits = torch.cat([forward(rows) for rows in images.split(max_rows or len(images))])
    known = None
    if wants_labels(recipe.targets) and labels is not None and None not in labels:
        known = torch.tensor(labels, device=logits.device)
    targets = choose_targets(recipe.targets, logits, known)
    each = targets.shape[1]
    at_once = max_rows or targets.numel()
    morphs = _joined(
        [
            _morph(forward, rows, target, recipe, max_rows)
            for rows, target in zip(
                images.repeat_interleave(each, 0).split(at_once),
                targets.flatten().split(at_once),
                strict=True,
            )
        ]
    )
    # The rest needs no device, and the loop need not wait for it.
    copies = HostCopy(
        (
            images,
            at_least_float32(logits),
            targets,
            morphs.gradients,
            morphs.deltas,
            at_least_float32(morphs.answers),
        )
    )

    return PendingSamples(
        copies=copies,
        ends=[*zip(morphs.steps, morphs.stopped, strict=True)],
        step=step,
        labels=labels,
        ids=ids,
        probe=probe,
        count=len(images),
    )


@dataclasses.dataclass(frozen=True)
class PendingSamples:
    """Samples whose arrays are on their way to the host.

    Attributes:
        copies: Images, logits, targets, gradients, deltas and answers.
        ends: Steps and the reason to stop of each pair of sample and target.
        count: How many samples there are.
        step, labels, ids, probe: As :func:`capture` was given.
    """

    copies: HostCopy
    ends: Sequence[tuple[int, Stopped]]
    count: int
    step: int
    labels: Sequence[int | None] | None
    ids: Sequence[str | None] | None
    probe: bool

    def __len__(self) -> int:
        return self.count

    def samples(self) -> list[CapturedSample]:
        """Wait for the arrays and return the samples, in the order of the images."""
        images, logits, targets, gradients, deltas, answers = self.copies.arrays()
        each = targets.shape[1]
        chances = probabilities_of(logits)
        classes = ranked(torch.from_numpy(logits))[:, :_LISTED_CLASSES].numpy()
        shown = [
            Target(
                index=target,
                gradient=gradient,
                delta=delta if len(answer) else None,
                strengths=np.array(STRENGTHS[: len(answer)], np.float32),
                probabilities=said[:, target],
                original_probabilities=said[:, original],
                predictions=answer.argmax(-1),
                steps=steps,
                stopped=stopped,
            )
            for target, original, gradient, delta, answer, said, (steps, stopped) in zip(
                targets.flatten().tolist(),
                classes[:, 0].repeat(each),
                gradients,
                deltas,
                answers,
                probabilities_of(answers).astype(np.float32),
                self.ends,
                strict=True,
            )
        ]
        return [
            CapturedSample(
                step=self.step,
                id=None if self.ids is None else self.ids[place],
                label=None if self.labels is None else self.labels[place],
                image=image,
                classes=classes[place],
                probabilities=chances[place][classes[place]].astype(np.float32),
                margin=float(np.subtract(*chances[place][classes[place][:2]])),
                entropy=entropy_of(chances[place]),
                loss=cross_entropy_of(logits[place], self.labels[place]) if self.labels else None,
                targets=tuple(shown[place * each : (place + 1) * each]),
                probe=self.probe,
            )
            for place, image in enumerate(images)
        ]


def as_stored(arrays: Tensor) -> Tensor:
    """Each row (N, …), float32, rounded to what ``quantization`` stores of a delta."""
    magnitude = arrays.nan_to_num(0, 0, 0).abs_().amax(all_but_rows(arrays), keepdim=True)
    quantum = (magnitude / DELTA_LEVELS).clamp_min_(_LEAST)
    return (arrays / quantum).round_().mul_(quantum)


class _Morphs(NamedTuple):
    """What was computed for some rows, a row a pair of sample and target.

    Attributes:
        gradients: Shape (N, …).
        deltas: Shaped like the gradients; without an ascent (N, 0).
        answers: The logits along the way, shape (N, A, C); without an ascent (N, 0, C).
        steps, stopped: As in ``Ascended``.
    """

    gradients: Tensor
    deltas: Tensor
    answers: Tensor
    steps: list[int]
    stopped: list[Stopped]


def _joined(pieces: Sequence[_Morphs]) -> _Morphs:
    if len(pieces) == 1:
        return pieces[0]
    return _Morphs(
        torch.cat([piece.gradients for piece in pieces]),
        torch.cat([piece.deltas for piece in pieces]),
        torch.cat([piece.answers for piece in pieces]),
        [count for piece in pieces for count in piece.steps],
        [reason for piece in pieces for reason in piece.stopped],
    )


def _morph(
    forward: Forward, images: Tensor, targets: Tensor, recipe: Recipe, max_rows: int | None
) -> _Morphs:
    with torch.enable_grad():
        images = images.detach().requires_grad_()
        logits = forward(images)
    ascent = recipe.ascent
    gradients = score_gradient(logits, images, targets, recipe.score, keep_graph=ascent is not None)
    if ascent is None:
        rows = len(targets)
        nothing = gradients.new_zeros((rows, 0))
        answers = logits.detach()[:, None][:, :0]
        return _Morphs(gradients, nothing, answers, [0] * rows, ["none"] * rows)
    bounds = None
    if recipe.bounds is not None:
        shape = (-1,) + (1,) * (images.dim() - 2)
        low, high = (images.new_tensor(values).reshape(shape) for values in recipe.bounds)
        bounds = (low, high)
    end = ascend(forward, images, targets, ascent, bounds=bounds, score=recipe.score, logits=logits)
    images = images.detach()
    deltas = as_stored(end.inputs - images)
    answers = response(forward, images, deltas, STRENGTHS, max_rows=max_rows, logits=logits)
    return _Morphs(gradients, deltas, answers, end.steps, end.stopped)
