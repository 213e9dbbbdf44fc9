"""Samples and their targets: what a capture records, and what :func:`read_samples` gives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Stopped = Literal["confidence", "max_steps", "stalled", "nonfinite", "none"]


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """One class that a sample was moved towards.

    Attributes:
        index: The target class.
        gradient: ∂score/∂x at the image, shaped like the image, in model space.
        delta: The whole change that the ascent made; ``None`` without an ascent.
        strengths: Shape (A,). The network was asked at the points ``image + strength * delta``.
            Empty without a delta.
        probabilities: Shape (A,), the target's probability at each strength.
        original_probabilities: Shape (A,), the probability at each strength of the class that the
            network predicts for the image itself.
        predictions: Shape (A,), the predicted class at each strength.
        steps: How many steps the ascent took.
        stopped: Why the ascent stopped: ``"confidence"`` (it was reached), ``"max_steps"``,
            ``"stalled"`` (the gradient vanished, or the bounds or ``epsilon`` left no room),
            ``"nonfinite"`` or ``"none"`` (there was no ascent).
    """

    index: int
    gradient: Array
    delta: Array | None
    strengths: Array
    probabilities: Array
    original_probabilities: Array
    predictions: npt.NDArray[np.int64]
    steps: int = 0
    stopped: Stopped = "none"

    @cached_property
    def gradient_norm(self) -> float:
        """‖gradient‖₂."""
        return _norm(self.gradient)

    @cached_property
    def delta_norm(self) -> float | None:
        """‖delta‖₂; ``None`` without a delta."""
        return None if self.delta is None else _norm(self.delta)

    @property
    def flip(self) -> float | None:
        """The smallest strength at which the network predicts the target, or ``None``.

        It is 0 if the network predicts the target for the image itself.
        """
        convinced = self.strengths[self.predictions == self.index]
        return float(convinced.min()) if convinced.size else None

    @property
    def flip_distance(self) -> float | None:
        """‖delta‖₂ · flip: the size of the change at which the network predicts the target."""
        if self.flip is None or self.delta_norm is None:
            return None
        return self.flip * self.delta_norm


@dataclasses.dataclass(frozen=True, eq=False)
class CapturedSample:
    """One image or signal of a capture, before it is written.

    It holds what the training side knows of each sample. The rest of a :class:`Sample` belongs to
    the event or to the session. The attributes are those of :class:`Sample`.
    """

    step: int
    id: str | None
    label: int | None
    image: Array
    classes: npt.NDArray[np.int64]
    probabilities: Array
    margin: float
    entropy: float
    loss: float | None
    targets: tuple[Target, ...]
    probe: bool = False


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
    """

    run: str
    tag: str
    step: int
    wall_time: float
    index: int
    id: str | None
    label: int | None
    image: Array
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


def mean_flip_distance(samples: Iterable[CapturedSample]) -> dict[str, float]:
    """Return the mean ``flip_distance`` of all targets that flip, as ``{"flip_distance": …}``.

    Probes do not count. Neither do targets that the network predicts for the image itself. The
    result is empty if no target is left.
    """
    distances = [
        target.flip_distance
        for sample in samples
        if not sample.probe
        for target in sample.targets
        if target.flip_distance
    ]
    return {"flip_distance": math.fsum(distances) / len(distances)} if distances else {}


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array.astype(np.float64)))
