"""From a few images to samples: gradients, morphs and the network's answers about them."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tb_gradascent.format.quantization import DELTA_LEVELS, LARGE, LARGE_DELTA_LEVELS
from tb_gradascent.format.samples import (
    Array,
    Bounds,
    CapturedSample,
    Morph,
    Response,
    Spread,
    Stopped,
    Target,
)
from tb_gradascent.functional.ascend import ascend
from tb_gradascent.functional.ascent import Ascent, VisibleAscent
from tb_gradascent.functional.gradients import Forward, Score, all_but_rows, score_gradient
from tb_gradascent.functional.host_copy import HostCopy
from tb_gradascent.functional.margins import at_least_float32, ranked
from tb_gradascent.functional.repetition import ask_again
from tb_gradascent.functional.response import response
from tb_gradascent.functional.survival import survives
from tb_gradascent.functional.targets import Targets, choose_targets
from tb_gradascent.functional.uncertainty import cross_entropy_of, entropy_of, probabilities_of

#: Where the network is asked along a morph: eighths, and a point beyond the end of the ascent.
STRENGTHS: Final = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.25)

_END: Final = STRENGTHS.index(1.0)

_LISTED_CLASSES: Final = 10

#: Values that are outside of the bounds by less than this part of their range are rounded.
_BEYOND: Final = 1e-3

#: The smallest quantum: the smallest positive float32.
_LEAST: Final = torch.finfo(torch.float32).smallest_normal * torch.finfo(torch.float32).eps


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is recorded of every sample.

    Attributes:
        targets: See :func:`choose_targets`.
        score: What the recorded gradient differentiates.
        ascents: How morphs are made, by name. Empty for the gradient alone.
        bounds: The lowest and highest legal values, each with one value a channel. ``None`` takes
            those that :func:`capture` is given.
    """

    targets: Targets = "top2"
    score: Score = "logit"
    ascents: Mapping[str, Ascent] = dataclasses.field(
        default_factory=lambda: {"smallest": Ascent.smallest()}
    )
    bounds: Bounds | None = None


def capture(
    forward: Forward,
    inputs: Tensor,
    recipe: Recipe,
    *,
    seen: Tensor | None = None,
    max_rows: int | None = None,
    step: int,
    labels: Sequence[int | None] | None = None,
    ids: Sequence[str | None] | None = None,
    probe: bool = False,
    loop_margins: Tensor | None = None,
    surest: Tensor | None = None,
    judges: Mapping[str, Forward] | None = None,
    at_random: bool = False,
) -> PendingSamples:
    """Record every image given. The caller restores what the passes may disturb.

    A delta is rounded to its stored form before the network is asked about it. So a viewer shows
    the very images that the probabilities belong to.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself, in eval mode.
        inputs: Shape (N, channels, height, width) or (N, channels, length), floating point.
        recipe: What to record.
        seen: The lowest and highest value of each channel that the network was given so far, shape
            (2, channels). They are the bounds if the recipe has none.
        max_rows: Images in one pass at most, so that a capture needs no more memory than the
            loop's own step; ``None`` for no limit.
        step: Copied into the samples.
        labels, ids: One for each sample, ``None`` if unknown.
        probe: Copied into the samples.
        loop_margins: The margins that the samples were chosen by, shape (N,), if there were some.
        surest: The probability, shape (), that the network gives its surest samples. A morph that
            reaches it, and not the ascent's confidence, stopped at ``"surest"``.
        judges: Other networks, called like ``forward``, by name.
        at_random: Whether two passes of one image may differ. Then the network is asked about each
            image and each finished morph several times, and the mean is recorded with the spread.

    Returns:
        The samples. Their arrays may still be on their way from the device, so ask for them on
        another thread.

    Raises:
        ValueError: The recipe does not fit the logits or labels.
    """
    images = inputs.detach().float()
    at_once = max_rows or len(images)
    legal = _legal_values(images, recipe.bounds, seen)
    known = [None] * len(images) if labels is None else list(labels)
    pieces = [
        _capture_rows(
            forward,
            rows,
            known[start : start + at_once],
            recipe,
            legal,
            max_rows,
            judges or {},
            at_random,
        )
        for start, rows in zip(range(0, len(images), at_once), images.split(at_once), strict=True)
    ]
    return PendingSamples(
        pieces=pieces,
        step=step,
        labels=known,
        ids=[None] * len(images) if ids is None else list(ids),
        probe=probe,
        bounds=recipe.bounds,
        loop_margins=None if loop_margins is None else HostCopy([loop_margins.float()]),
        surest=None if surest is None else HostCopy([surest.float()]),
    )


def _capture_rows(
    forward: Forward,
    images: Tensor,
    labels: Sequence[int | None],
    recipe: Recipe,
    legal: Tensor | None,
    max_rows: int | None,
    judges: Mapping[str, Forward],
    at_random: bool,
) -> _PendingRows:
    """Record images that fit into one pass."""
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        with_graph = forward(leaf)
    repeated = ask_again(forward, images, with_graph) if at_random else None
    logits = with_graph.detach() if repeated is None else repeated.logits
    known = torch.tensor([-1 if label is None else label for label in labels], device=logits.device)
    targets = choose_targets(recipe.targets, logits, known)
    gradients = _gradients(with_graph, leaf, targets, recipe.score)
    predicted = ranked(logits)[:, :1]
    # A class that the network predicts already needs no morph.
    rows, columns = ((targets >= 0) & (targets != predicted)).nonzero(as_tuple=True)
    starts, goals, answers = images[rows], targets[rows, columns], logits[rows]
    shown = None if legal is None else _shown_values(images, legal)
    limits = _Limits(legal, None if shown is None else shown[rows])
    morphs = [
        _morphs(
            forward, starts, goals, answers, ascent, recipe, limits, max_rows, judges, at_random
        )
        for ascent in recipe.ascents.values()
        if len(rows)
    ]
    tensors = [images, at_least_float32(logits), targets, gradients]
    tensors += [] if shown is None else [shown]
    return _PendingRows(
        arrays=HostCopy(tensors),
        spread=None if repeated is None else HostCopy([repeated.spread]),
        morphs=dict(zip(recipe.ascents, morphs, strict=False)),
        judges=tuple(judges),
        count=len(images),
    )


def _gradients(logits: Tensor, leaf: Tensor, targets: Tensor, score: Score) -> Tensor:
    """∂score/∂x of each image towards each of its targets, shape (N, T, …)."""
    columns = targets.clamp_min(0).unbind(1)
    last = len(columns) - 1
    return torch.stack(
        [
            score_gradient(logits, leaf, column, score, keep_graph=number < last)
            for number, column in enumerate(columns)
        ],
        1,
    )


def _morphs(
    forward: Forward,
    starts: Tensor,
    targets: Tensor,
    logits: Tensor,
    ascent: Ascent,
    recipe: Recipe,
    limits: _Limits,
    max_rows: int | None,
    judges: Mapping[str, Forward],
    at_random: bool,
) -> _PendingMorphs:
    """Make one morph of each start (M, …) towards its target (M,), and ask the networks."""
    bounds = None if limits.legal is None else _bounds_like(starts, limits.legal)
    at_once = max_rows or len(starts)
    coarse = starts.shape[1:].numel() >= LARGE and not isinstance(ascent, VisibleAscent)
    levels = LARGE_DELTA_LEVELS if coarse else DELTA_LEVELS
    steps: list[int] = []
    stopped: list[Stopped] = []
    results: list[list[Tensor]] = []
    spreads: list[Tensor] = []
    for first in range(0, len(starts), at_once):
        rows = slice(first, first + at_once)
        x, target, answer = starts[rows], targets[rows], logits[rows]
        shown = None if limits.shown is None else _bounds_like(x, limits.shown[rows])
        # Other ascents need the graph of their first answer.
        first_answer = answer if isinstance(ascent, VisibleAscent) else None
        end = ascend(
            forward, x, target, ascent, bounds=bounds, score=recipe.score, logits=first_answer
        )
        steps += end.steps
        stopped += end.stopped
        delta = as_stored(end.inputs - x, levels)
        ask = functools.partial(response, bounds=shown, max_rows=max_rows)
        line = (x, delta, STRENGTHS)
        answers = [ask(forward, *line, logits=answer)]
        if at_random:
            finished = x + delta if shown is None else (x + delta).clamp(*shown)
            repeated = ask_again(forward, finished, answers[0][:, _END])
            answers[0] = at_least_float32(answers[0]).index_copy(
                1, torch.tensor([_END], device=x.device), repeated.logits[:, None]
            )
            spreads.append(repeated.spread)
        answers += [ask(judge, *line) for judge in judges.values()]
        survived = survives(forward, x + delta, target, bounds=bounds, max_rows=max_rows)
        results.append([delta, survived, *map(at_least_float32, answers)])
    joined = [torch.cat(parts) for parts in zip(*results, strict=True)]
    spread = HostCopy([torch.cat(spreads)]) if at_random else None
    return _PendingMorphs(HostCopy(joined), steps, stopped, ascent.confidence, spread)


class _Limits(NamedTuple):
    """The values that morphs keep to.

    Attributes:
        legal: The lowest and highest legal value of each channel, shape (2, channels).
        shown: The lowest and highest value of each channel that a viewer paints, shape
            (M, 2, channels), one for each start.
    """

    legal: Tensor | None
    shown: Tensor | None


def _legal_values(images: Tensor, bounds: Bounds | None, seen: Tensor | None) -> Tensor | None:
    """Return the lowest and highest legal value of each channel, shape (2, channels)."""
    if bounds is None:
        return None if seen is None else seen.to(images)
    return images.new_tensor(bounds).expand(2, images.shape[1])


def _shown_values(images: Tensor, legal: Tensor) -> Tensor:
    """Return the range that a viewer paints each image (N, …) in, shape (N, 2, channels).

    It is the legal range. An image with other values has a range that holds these too. The range
    of all its channels then grows by the same part, so that the image keeps its colours.
    """
    low, high = _bounds_like(images, legal)
    parts = ((images - low) / (high - low)).flatten(1)
    finite = parts.isfinite()
    least = parts.where(finite, 0).amin(1)
    most = parts.where(finite, 1).amax(1)
    # A value that is outside by its rounding does not count.
    ends = torch.stack((least.where(least < -_BEYOND, 0), most.where(most > 1 + _BEYOND, 1)), 1)
    return torch.lerp(legal[:1], legal[1:], ends[:, :, None])


def _bounds_like(images: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return bounds (2, channels) or (N, 2, channels), broadcastable to images (N, channels, …)."""
    shape = values.shape[:-2] + (2, values.shape[-1]) + (1,) * (images.dim() - 2)
    low, high = values.reshape(shape).unbind(values.dim() - 2)
    return low, high


def _as_given(values: Array, bounds: Bounds | None) -> Bounds:
    """Return bounds (2, channels) as numbers; those of the user if they are the same in float32."""
    channels = values.shape[1]
    if bounds is not None:
        low, high = (own * channels if len(own) == 1 else own for own in bounds)
        if np.array_equal(values, np.array((low, high), np.float32)):
            return low, high
    low, high = (tuple(row) for row in values.tolist())
    return low, high


class _PendingMorphs(NamedTuple):
    """One morph of each changed pair of image and target.

    Attributes:
        arrays: Deltas (M, …); survival (M, 8); and logits (M, A, C) of the network and each judge.
        steps, stopped: As in ``Ascended``.
        confidence: The ascent's.
        spread: The lowest and highest probability of each class (M, 2, C), of several answers about
            the finished morphs, if the network answers at random.
    """

    arrays: HostCopy
    steps: list[int]
    stopped: list[Stopped]
    confidence: float | None
    spread: HostCopy | None

    def morphs(
        self, pairs: Sequence[tuple[int, int]], judges: Sequence[str], surest: float | None
    ) -> list[Morph]:
        """Wait for the arrays.

        Args:
            pairs: Of each row, the target and the class predicted for the image itself.
            judges: The judges' names.
            surest: The probability that the network gives its surest samples, if it is known.
        """
        deltas, survived, *answers = self.arrays.arrays()
        spread = None if self.spread is None else self.spread.arrays()[0]
        own, *others = (probabilities_of(logits).astype(np.float32) for logits in answers)
        predictions, *other_predictions = (logits.argmax(-1) for logits in answers)
        return [
            Morph(
                target=target,
                delta=deltas[row],
                strengths=np.array(STRENGTHS, np.float32),
                steps=self.steps[row],
                stopped=self._stopped(row, own[row, _END, target], surest),
                spread=None if spread is None else _spread(spread[row, :, target]),
                survived=tuple(survived[row].tolist()),
                judges={
                    name: Response(
                        probabilities=said[row][:, target],
                        original_probabilities=said[row][:, original],
                        predictions=predicted[row],
                    )
                    for name, said, predicted in zip(judges, others, other_predictions, strict=True)
                },
                probabilities=own[row][:, target],
                original_probabilities=own[row][:, original],
                predictions=predictions[row],
            )
            for row, (target, original) in enumerate(pairs)
        ]

    def _stopped(self, row: int, reached: float, surest: float | None) -> Stopped:
        """Why an ascent stopped, by the probability that its end reached."""
        stopped = self.stopped[row]
        if stopped == "confidence" and self.spread and reached < (self.confidence or 0):
            stopped = "chance"
        missed = stopped in {"max_steps", "stalled", "chance"}
        return "surest" if missed and surest is not None and reached >= surest else stopped


def _spread(ends: Array) -> Spread:
    """Return the lowest and the highest probability as numbers."""
    low, high = ends.tolist()
    return low, high


@dataclasses.dataclass(frozen=True)
class _PendingRows:
    """What was recorded of images that ran in one pass.

    Attributes:
        arrays: Images (N, …), logits (N, C), targets (N, T) with -1 for none, gradients
            (N, T, …), and if there are bounds, those of each image (N, 2, channels).
        spread: The lowest and highest probability of each class (N, 2, C), of several answers about
            the images, if the network answers at random.
        morphs: By the name of their ascent.
        judges: The judges' names.
        count: N.
    """

    arrays: HostCopy
    spread: HostCopy | None
    morphs: Mapping[str, _PendingMorphs]
    judges: tuple[str, ...]
    count: int


@dataclasses.dataclass(frozen=True)
class PendingSamples:
    """Samples whose arrays are on their way to the host.

    Attributes:
        pieces: The images that ran together, in their order.
        step, labels, ids, probe: Copied into the samples.
        bounds: Those that the user gave.
        loop_margins: Those of the loop's logits, if there were some.
        surest: The probability that the network gives its surest samples, if it is known.
    """

    pieces: Sequence[_PendingRows]
    step: int
    labels: Sequence[int | None]
    ids: Sequence[str | None]
    probe: bool
    bounds: Bounds | None
    loop_margins: HostCopy | None
    surest: HostCopy | None

    def __len__(self) -> int:
        return sum(piece.count for piece in self.pieces)

    def samples(self) -> list[CapturedSample]:
        """Wait for the arrays and return the samples, in the order of the images."""
        samples: list[CapturedSample] = []
        margins = self.loop_margins and self.loop_margins.arrays()[0].tolist()
        surest = None if self.surest is None else float(self.surest.arrays()[0])
        for piece in self.pieces:
            images, logits, targets, gradients, *shown = piece.arrays.arrays()
            bounds = [_as_given(row, self.bounds) for row in shown[0]] if shown else []
            classes = ranked(torch.from_numpy(logits))[:, :_LISTED_CLASSES].numpy()
            spread = None if piece.spread is None else piece.spread.arrays()[0]
            found = _targets(piece, targets, classes[:, 0], gradients, surest)
            for place, own_targets in enumerate(found):
                own = images[place], logits[place], classes[place], own_targets
                own_bounds = bounds[place] if bounds else None
                own_spread = (
                    None if spread is None else _spread(spread[place, :, classes[place, 0]])
                )
                margin = margins[len(samples)] if margins else None
                samples.append(self._sample(len(samples), *own, own_bounds, margin, own_spread))
        return samples

    def _sample(
        self,
        number: int,
        image: Array,
        logits: Array,
        classes: npt.NDArray[np.int64],
        targets: tuple[Target, ...],
        bounds: Bounds | None,
        loop_margin: float | None,
        spread: Spread | None,
    ) -> CapturedSample:
        chances = probabilities_of(logits)
        label = self.labels[number]
        return CapturedSample(
            step=self.step,
            id=self.ids[number],
            label=label,
            image=image,
            classes=classes,
            probabilities=chances[classes].astype(np.float32),
            margin=float(np.subtract(*chances[classes[:2]])),
            entropy=entropy_of(chances),
            loss=cross_entropy_of(logits, label),
            targets=targets,
            probe=self.probe,
            bounds=bounds,
            loop_margin=loop_margin,
            spread=spread,
        )


def _targets(
    piece: _PendingRows,
    targets: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    gradients: Array,
    surest: float | None,
) -> list[tuple[Target, ...]]:
    """The targets of each image, with their morphs."""
    changed = (targets >= 0) & (targets != predicted[:, None])
    rows, columns = changed.nonzero()
    pairs = [*zip(targets[rows, columns].tolist(), predicted[rows].tolist(), strict=True)]
    morphs: dict[tuple[int, int], dict[str, Morph]] = collections.defaultdict(dict)
    for name, pending in piece.morphs.items():
        made = pending.morphs(pairs, piece.judges, surest)
        for row, column, morph in zip(rows.tolist(), columns.tolist(), made, strict=True):
            morphs[row, column][name] = morph
    return [
        tuple(
            Target(
                index=target,
                gradient=gradients[row, column],
                morphs=morphs[row, column],
            )
            for column, target in enumerate(own)
            if target >= 0
        )
        for row, own in enumerate(targets.tolist())
    ]


def as_stored(arrays: Tensor, levels: int) -> Tensor:
    """Round each row (N, …), float32, to values that ``quantization`` stores unchanged.

    Args:
        levels: ``DELTA_LEVELS`` or ``LARGE_DELTA_LEVELS``.
    """
    magnitude = arrays.nan_to_num(0, 0, 0).abs_().amax(all_but_rows(arrays), keepdim=True)
    # A whole multiple of the stored quantum, even where float32 has few bits left.
    quantum = (magnitude / DELTA_LEVELS).clamp_min_(_LEAST) * (DELTA_LEVELS // levels)
    return (arrays / quantum).round_().mul_(quantum)
