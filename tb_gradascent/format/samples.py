"""Samples and their targets: what a capture records, and what :func:`read_samples` gives."""

from __future__ import annotations

import dataclasses
import importlib
import math
import statistics
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float32]
Bounds = tuple[tuple[float, ...], tuple[float, ...]]
Stopped = Literal["confidence", "max_steps", "stalled", "nonfinite", "none", "surest", "chance"]
Spread = tuple[float, float]
"""The lowest and the highest probability among several answers."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Response:
    """The answers of one network along a morph, at the morph's strengths.

    Attributes:
        probabilities: Shape (A,), float32, the target's probability at each strength.
        original_probabilities: Shape (A,), float32, the probability at each strength of the class
            that the captured network predicts for the image itself.
        predictions: Shape (A,), int64, the predicted class at each strength.
    """

    probabilities: Array
    original_probabilities: Array
    predictions: npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Morph(Response):
    """The image changed towards a target by one ascent, and the network's answers on the way.

    Attributes:
        target: The target class.
        delta: The whole change, shaped like the image, in model space.
        strengths: Shape (A,), float32, ascending. The network was asked at the points
            ``image + strength * delta``, clipped to the sample's ``bounds``.
        steps: How many steps the ascent took.
        stopped: Why the ascent stopped: ``"confidence"`` (it was reached), ``"max_steps"``,
            ``"stalled"`` (the gradient vanished, or the bounds or ``epsilon`` left no room), or
            ``"nonfinite"``. If the network answers at random: ``"chance"`` (one answer reached the
            confidence, their mean does not).
        survived: For each of the fixed small changes of the finished morph, whether the network
            still predicts the target. Empty if it was not asked.
        judges: The answers of other networks, by the judge's name.
        spread: If the network answers at random, it is asked eight times about the finished morph.
            This is the lowest and the highest probability of the target. The mean is the
            probability at strength 1. ``None`` if the network answers the same twice.
    """

    target: int
    delta: Array = dataclasses.field(repr=False)
    strengths: Array
    steps: int
    stopped: Stopped
    survived: tuple[bool, ...] = ()
    judges: Mapping[str, Response] = dataclasses.field(default_factory=dict)
    spread: Spread | None = None

    @cached_property
    def delta_norm(self) -> float:
        """‖delta‖₂."""
        return _norm(self.delta)

    @cached_property
    def largest_change(self) -> float:
        """The largest magnitude in ``delta``."""
        return float(np.abs(self.delta).max())

    @cached_property
    def mean_change(self) -> float:
        """The mean magnitude in ``delta``."""
        return float(np.abs(self.delta).mean(dtype=np.float64))

    @property
    def flip(self) -> float | None:
        """The smallest strength at which the network predicts the target, or ``None``."""
        convinced = self.strengths[self.predictions == self.target]
        return float(convinced.min()) if convinced.size else None

    @property
    def flip_distance(self) -> float | None:
        """‖delta‖₂ · flip: the size of the change at which the network predicts the target."""
        return None if self.flip is None else self.flip * self.delta_norm


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """One class that a sample was moved towards.

    ``delta``, ``flip`` and the other properties of a morph are those of :attr:`smallest`.

    Attributes:
        index: The target class.
        gradient: ∂score/∂x at the image, shaped like the image, in model space.
        morphs: The morphs, by the name of their ascent. Empty without an ascent, and if the network
            predicts the target for the image itself.
        direction: 1 if the score of the class was raised, -1 if it was lowered.
    """

    index: int
    gradient: Array = dataclasses.field(repr=False)
    morphs: Mapping[str, Morph] = dataclasses.field(default_factory=dict)
    direction: Literal[1, -1] = 1

    @cached_property
    def gradient_norm(self) -> float:
        """‖gradient‖₂."""
        return _norm(self.gradient)

    @cached_property
    def gradient_p99(self) -> float:
        """The 99th percentile of the gradient's magnitudes."""
        with np.errstate(all="ignore"):  # a gradient may hold infinities
            return float(np.percentile(np.abs(self.gradient), 99))

    @property
    def smallest(self) -> Morph | None:
        """The morph named ``"smallest"``, or the first one, or ``None`` without morphs."""
        return self.morphs.get("smallest") or next(iter(self.morphs.values()), None)

    @property
    def delta(self) -> Array | None:
        """The whole change of the smallest morph, or ``None``."""
        return self.smallest.delta if self.smallest else None

    @property
    def delta_norm(self) -> float | None:
        """‖delta‖₂ of the smallest morph, or ``None``."""
        return self.smallest.delta_norm if self.smallest else None

    @property
    def strengths(self) -> Array:
        """The strengths of the smallest morph; empty without one."""
        return self.smallest.strengths if self.smallest else np.zeros(0, np.float32)

    @property
    def probabilities(self) -> Array:
        """The target's probability along the smallest morph; empty without one."""
        return self.smallest.probabilities if self.smallest else np.zeros(0, np.float32)

    @property
    def original_probabilities(self) -> Array:
        """The original class's probability along the smallest morph; empty without one."""
        return self.smallest.original_probabilities if self.smallest else np.zeros(0, np.float32)

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """The predicted class along the smallest morph; empty without one."""
        return self.smallest.predictions if self.smallest else np.zeros(0, np.int64)

    @property
    def steps(self) -> int:
        """How many steps the ascent of the smallest morph took; 0 without one."""
        return self.smallest.steps if self.smallest else 0

    @property
    def stopped(self) -> Stopped:
        """Why the ascent of the smallest morph stopped; ``"none"`` without one."""
        return self.smallest.stopped if self.smallest else "none"

    @property
    def flip(self) -> float | None:
        """The strength at which the smallest morph flips the prediction, or ``None``."""
        return self.smallest.flip if self.smallest else None

    @property
    def flip_distance(self) -> float | None:
        """‖delta‖₂ · flip of the smallest morph, or ``None``."""
        return self.smallest.flip_distance if self.smallest else None


@dataclasses.dataclass(frozen=True, eq=False)
class CapturedSample:
    """One image or signal of a capture, before it is written.

    It holds what the training side knows of each sample. The rest of a :class:`Sample` belongs to
    the event or to the session. The attributes are those of :class:`Sample`.
    """

    step: int
    id: str | None
    label: int | None
    image: Array = dataclasses.field(repr=False)
    classes: npt.NDArray[np.int64]
    probabilities: Array
    margin: float
    entropy: float
    loss: float | None
    targets: tuple[Target, ...]
    probe: bool = False
    bounds: Bounds | None = None
    loop_margin: float | None = None
    spread: Spread | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """One image or signal of a capture, with everything that was recorded of it.

    Attributes:
        run: The run's directory, relative to the log directory.
        tag: The hook's tag.
        step: The training step.
        wall_time: Seconds since the epoch.
        index: Its index in the capture.
        id: The user's name for it, or ``None``.
        label: Its true class, or ``None`` if unknown. A negative label counts as unknown. A label
            may be beyond the last class.
        image: float32, exactly as the model saw it: shape (channels, height, width), or
            (channels, length) for a signal.
        mean, std: One value a channel: ``image * std + mean`` is the image as a person would see
            it. ``None`` if the hook was not given them.
        classes: The most probable classes, descending.
        probabilities: Their probabilities, float32, shape like ``classes``.
        margin: The largest probability minus the second largest.
        entropy: The entropy of all classes' probabilities, in bits.
        loss: The cross entropy, in nats; ``None`` without a label that is a class.
        targets: The classes that it was moved towards.
        probe: Whether the user chose it (:meth:`GradAscentHook.probe`). Otherwise the criterion
            did.
        class_names: The name of class 0, 1, …, or ``None``.
        rank: The rank of the process that recorded it; ``None`` if there was only one process.
        bounds: The input values ``(low, high)`` in model space that its morphs kept to, each with
            one value a channel; ``None`` if there were none. They are the legal values, or those
            that the network was given so far. They also hold the values of the image itself.
        loop_margin: The margin by the loop's own logits, which the sample was chosen by. They may
            be those of training mode; ``margin`` is that of eval mode. ``None`` if the loop gave
            no logits, and for probes.
        spread: If the network answers at random, ``probabilities`` are the means of eight answers.
            This is the lowest and the highest probability of the first class. ``None`` if the
            network answers the same twice.
    """

    run: str
    tag: str
    step: int
    wall_time: float
    index: int
    id: str | None
    label: int | None
    image: Array = dataclasses.field(repr=False)
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    classes: npt.NDArray[np.int64]
    probabilities: Array
    margin: float
    entropy: float
    loss: float | None
    targets: tuple[Target, ...]
    probe: bool = False
    class_names: tuple[str, ...] | None = None
    rank: int | None = None
    bounds: Bounds | None = None
    loop_margin: float | None = None
    spread: Spread | None = None

    def figure(self, *, strength: float = 1.0) -> Figure:
        """Draw the sample as a figure of matplotlib, for a paper or a notebook.

        Each target has a row. It starts with the gradient, summed over the channels: a brighter
        pixel raises the score where it is red. For each morph follow the changed image and the
        network's answers on the way to it.

        Args:
            strength: How much of each morph's change is added to the image, at least 0.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: ``strength`` is negative or no number.
        """
        figure: Figure = _notebook().draw_figure(self, strength)
        return figure

    def _repr_html_(self) -> str:
        """A notebook shows the sample as a card with a slider, see :func:`tb_gradascent.show`."""
        shown: str = _notebook().show(self)._repr_html_()
        return shown


def _notebook() -> Any:
    """The module that shows samples. The record format itself depends on nothing that shows it."""
    return importlib.import_module("tb_gradascent.notebook")


def flip_distances(samples: Iterable[CapturedSample]) -> dict[str, float]:
    """Return the median distance to a flip, for probes and for selected samples by themselves.

    Each class that the network does not predict for the image itself gives one distance. A class
    that is never reached gives infinity.

    Returns:
        ``probes/flip_distance`` and ``selected/flip_distance``. A group without a distance is left
        out, and a median can be infinite.
    """
    found: dict[str, list[float]] = {}
    for sample in samples:
        group = "probes" if sample.probe else "selected"
        for target in sample.targets:
            if target.smallest is not None and target.flip_distance != 0:
                distance = target.flip_distance
                found.setdefault(group, []).append(math.inf if distance is None else distance)
    return {
        f"{group}/flip_distance": statistics.median(distances) for group, distances in found.items()
    }


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array.astype(np.float64)))
