"""The settings of an ascent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, get_args

from tb_gradascent.functional.gradients import Norm
from tb_gradascent.functional.validation import is_finite, is_whole


@dataclasses.dataclass(frozen=True)
class Ascent:
    """The settings of a gradient ascent: its goal, its limits and its steps.

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
            that of pixels divided by ``std``. ``None`` sets no limit. The ascent stalls if no step
            is possible within this ball.

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
                f"Ascent(confidence) must lie between 0 and 1, got {self.confidence!r}: "
                "0.95 is the default"
            )
        if not is_whole(self.max_steps) or self.max_steps < 1:
            raise ValueError(
                f"Ascent(max_steps) must be a whole number of at least 1, got "
                f"{self.max_steps!r}: for the gradient alone give ascent=None"
            )
        for name, value in (("step_size", self.step_size), ("epsilon", self.epsilon)):
            if value is not None and not (is_finite(value) and value > 0):
                raise ValueError(f"Ascent({name}) must be a positive number or None, got {value!r}")
        if not isinstance(self.norm, str) or self.norm not in get_args(Norm):
            raise ValueError(f'Ascent(norm) must be "l2" or "linf", got {self.norm!r}')
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

    @classmethod
    def visible(
        cls,
        confidence: float = 0.95,
        steps: int = 20,
        finish_steps: int = 9,
        spectrum_exponent: float | None = None,
        shift: float = 0.07,
        scale: float = 0.15,
        noise: float = 0.15,
        draws: int = 1,
        max_step_rms: float = 0.03,
        seed: int = 0,
    ) -> VisibleAscent:
        """A change that a person can see: what the network looks for in its target.

        Args:
            confidence, steps, finish_steps, spectrum_exponent, shift, scale, noise, draws,
                max_step_rms, seed: See :class:`VisibleAscent`.

        Raises:
            ValueError: A value is out of its range.
        """
        return VisibleAscent(
            confidence=confidence,
            steps=steps,
            finish_steps=finish_steps,
            spectrum_exponent=spectrum_exponent,
            shift=shift,
            scale=scale,
            noise=noise,
            draws=draws,
            max_step_rms=max_step_rms,
            seed=seed,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class VisibleAscent(Ascent):
    """An ascent whose change a person can see, and other networks believe.

    It differs from :meth:`Ascent.smallest` in two ways. First, each step follows a prior on the
    spectrum and the colours of natural images. The prior is from Olah, Mordvintsev and Schubert,
    "Feature Visualization", Distill 2017, doi:10.23915/distill.00007. Fel et al., arXiv:2306.06805,
    go further and fix the whole spectrum. Second, each step looks at the image
    under small random transformations (expectation over transformation, Athalye et al.,
    arXiv:1707.07397) and with noise (SmoothGrad, Smilkov et al., arXiv:1706.03825). Newton steps
    without transformations follow, until the network is convinced of the image itself.

    The change is about the same on every device and in every batch: the random numbers are the
    ascent's own, and each row meets the same ones. Inputs without bounds have their own range, from
    the smallest to the largest value of each row, as the legal one.

    Args:
        confidence: The target's probability at which the last steps stop, between 0 and 1.
        steps: Steps under transformations. All are taken, so that their number is the same for
            every row; each costs ``draws`` forward and backward passes. In the last two fifths
            the transformations become smaller and smaller.
        finish_steps: Steps without transformations at the most. The spectrum of these steps falls
            less and less steeply, since fine changes convince the network sooner.
        spectrum_exponent: How steeply the spectrum of a step falls, at least 0. Small exponents
            give fine changes, large ones give coarse changes. ``None`` follows the size: 1 if no
            side is longer than 64, and 1.5 otherwise (``python -m bench.visible``).
        shift: The largest shift along each axis, as a part of the side, below 0.5.
        scale: The largest change of size, as a part of the side, below 0.5.
        noise: The noise's standard deviation, as a part of the legal range.
        draws: Transformations whose gradients are averaged in each step.
        max_step_rms: The largest root mean square of a step, as a part of the legal range.
        seed: Of the random numbers, a whole number from 0 to 2⁶³ − 1.

    Raises:
        ValueError: A value is out of its range.
    """

    confidence: float = 0.95
    max_steps: int = dataclasses.field(init=False, repr=False, default=29)
    step_size: float | None = dataclasses.field(init=False, repr=False, default=None)
    norm: Norm = dataclasses.field(init=False, repr=False, default="l2")
    epsilon: float | None = dataclasses.field(init=False, repr=False, default=None)
    steps: int = 20
    finish_steps: int = 9
    spectrum_exponent: float | None = None
    shift: float = 0.07
    scale: float = 0.15
    noise: float = 0.15
    draws: int = 1
    max_step_rms: float = 0.03
    seed: int = 0

    def __post_init__(self) -> None:
        if self.confidence is None:
            raise ValueError(
                "Ascent.visible(confidence) must lie between 0 and 1, got None: 0.95 is the default"
            )
        for name, least in (("steps", 1), ("finish_steps", 1), ("draws", 1), ("seed", 0)):
            value = getattr(self, name)
            if not is_whole(value) or not least <= value < 2**63:
                raise ValueError(
                    f"Ascent.visible({name}) must be a whole number of at least {least}, "
                    f"got {value!r}"
                )
        for name in ("shift", "scale"):
            value = getattr(self, name)
            if not (is_finite(value) and 0 <= value < 0.5):
                raise ValueError(
                    f"Ascent.visible({name}) must be a part of a side, from 0 to below 0.5, "
                    f"got {value!r}"
                )
        if not (is_finite(self.noise) and self.noise >= 0):
            raise ValueError(
                f"Ascent.visible(noise) must be a number of at least 0, got {self.noise!r}"
            )
        exponent = self.spectrum_exponent
        if exponent is not None and not (is_finite(exponent) and exponent >= 0):
            raise ValueError(
                "Ascent.visible(spectrum_exponent) must be a number of at least 0, or None for one "
                f"that follows the size, got {exponent!r}"
            )
        if not (is_finite(self.max_step_rms) and self.max_step_rms > 0):
            raise ValueError(
                f"Ascent.visible(max_step_rms) must be a positive number, got {self.max_step_rms!r}"
            )
        object.__setattr__(self, "max_steps", self.steps + self.finish_steps)
        super().__post_init__()


DEFAULT_ASCENTS: Final[Mapping[str, Ascent]] = MappingProxyType(
    {"smallest": Ascent.smallest(), "visible": Ascent.visible()}
)
"""The ascents of a hook that is not given any."""
