"""The settings of an ascent."""

from __future__ import annotations

import dataclasses
from typing import get_args

from tb_gradascent.functional.gradients import Norm
from tb_gradascent.functional.validation import is_finite, is_whole


@dataclasses.dataclass(frozen=True)
class Ascent:
    """How far, and in which steps, an image is changed.

    ``Ascent()`` is the same as :meth:`smallest`.

    ========== ========= =====================================================================
    step_size  epsilon   a step
    ========== ========= =====================================================================
    ``None``   any       the shortest in ``norm`` that reaches the confidence, if the margin
                         is linear: a Newton step (DeepFool's, Moosavi-Dezfooli et al.,
                         arXiv:1511.04599, aimed at a confidence instead of the boundary,
                         and a little beyond it; most of the surplus is taken back in the end)
    a number   ``None``  ``x + step_size * gradient``: Falcon and Canziani's tutorial
    a number   a number  of length ``step_size`` in ``norm``, in its steepest direction:
                         projected gradient ascent (Madry et al., arXiv:1706.06083)
    ========== ========= =====================================================================

    A Newton step follows the margin of the target's logit, whose sigmoid is the target's
    probability. Newton steps are damped: a step that lowers the margin is taken back, and a quarter
    of it is tried. So no image ends with a lower probability than it started with.

    A fixed step follows the hook's ``score`` (the attacks in the literature follow the cross
    entropy: ``score="log_probability"``), and is never taken back. Every step ends within
    ``epsilon`` (first) and the bounds.

    Args:
        confidence: The target's probability at which to stop, between 0 and 1. ``None`` takes all
            ``max_steps``, however convinced the network is, and needs a ``step_size``.
        max_steps: Steps at the most; each costs a forward and a backward pass over all rows.
        step_size: A number, or ``None`` to find the length of each step itself.
        norm: What is short: ``"l2"`` changes much where it matters most; ``"linf"`` changes every
            element alike.
        epsilon: The whole change's largest length in ``norm``, in the units of the model's input:
            that of pixels divided by ``std``. ``None`` sets no limit. Where the edge of this ball
            leaves nowhere to go the ascent has stalled.

    Raises:
        ValueError: A value is out of its range.
    """

    confidence: float | None = 0.95
    max_steps: int = 8
    step_size: float | None = None
    norm: Norm = "l2"
    epsilon: float | None = None

    def __post_init__(self) -> None:
        if self.confidence is None:
            if self.step_size is None:
                raise ValueError(
                    "Ascent(confidence) may be None only with a step_size, since the length of a "
                    "step follows from the confidence: give one of them"
                )
        elif not (is_finite(self.confidence) and 0 < self.confidence < 1):
            raise ValueError(
                f"Ascent(confidence) must lie between 0 and 1, and is {self.confidence!r}: "
                "0.95 is the default"
            )
        if not is_whole(self.max_steps) or self.max_steps < 1:
            raise ValueError(
                f"Ascent(max_steps) must be a whole number of at least 1, and is "
                f"{self.max_steps!r}: for the gradient alone give ascent=None"
            )
        for name, value in (("step_size", self.step_size), ("epsilon", self.epsilon)):
            if value is not None and not (is_finite(value) and value > 0):
                raise ValueError(
                    f"Ascent({name}) must be a positive number or None, and is {value!r}"
                )
        if not isinstance(self.norm, str) or self.norm not in get_args(Norm):
            raise ValueError(f'Ascent(norm) must be "l2" or "linf", and is {self.norm!r}')
        if self.norm == "linf" and self.step_size is not None and self.epsilon is None:
            raise ValueError(
                'Ascent(norm) may be "linf" with a step_size only where epsilon is given, since '
                "without one a step is step_size * gradient, which has no norm: give an epsilon"
            )

    @classmethod
    def smallest(
        cls,
        confidence: float = 0.95,
        max_steps: int = 8,
        norm: Norm = "l2",
        epsilon: float | None = None,
    ) -> Ascent:
        """The smallest change that convinces the network: damped Newton steps.

        Such a change shows how fragile a decision is. On photographs it is mostly invisible.

        Args:
            confidence, max_steps, norm, epsilon: See :class:`Ascent`.

        Raises:
            ValueError: A value is out of its range.
        """
        return Ascent(confidence, max_steps, None, norm, epsilon)
