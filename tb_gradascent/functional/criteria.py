"""Which samples of a batch confuse the network most.

A criterion maps ``(logits, labels)`` to one score a sample: the higher, the more confused; ``-inf``
is never taken. Two of them joined by ``&`` take what both would take, in the first one's order:
``Misclassified() & ProbabilityMargin(0.2)`` are the mistakes that were nearly none.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from tb_gradascent.functional.margins import TargetMargin, probability_margin
from tb_gradascent.functional.validation import describe


class Criterion(Protocol):
    """Any callable of this shape serves as ``GradAscentHook(criterion=…)``."""

    def __call__(self, logits: Tensor, labels: Tensor | None, /) -> Tensor:
        """One score a sample, shape (N,), of logits (N, C) and class indices (N,) if known.

        Booleans serve as well: ``True`` may be taken, ``False`` is never taken.
        """
        ...


AnyCriterion = Criterion | Callable[[Tensor, Tensor | None], Tensor]


class Combinable:
    """Gives a criterion ``&``, with any other callable on either side of it."""

    def __and__(self: Criterion, other: AnyCriterion) -> Both:
        return Both(self, other) if callable(other) else NotImplemented

    def __rand__(self: Criterion, other: AnyCriterion) -> Both:
        return Both(other, self) if callable(other) else NotImplemented


@dataclasses.dataclass(frozen=True)
class Both(Combinable):
    """``first & second``: takes what both would take, ranked by the first.

    Args:
        first, second: Criteria.
    """

    first: AnyCriterion
    second: AnyCriterion

    def __post_init__(self) -> None:
        check_criterion(self.first)
        check_criterion(self.second)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """The first one's scores, shape (N,), and ``-inf`` where the second's is that or NaN.

        Raises:
            ValueError: One of the two did not return a score a sample.
        """
        first = scores_of(self.first, logits, labels, "each side of &")
        second = scores_of(self.second, logits, labels, "each side of &")
        return torch.where(second > -torch.inf, first, -torch.inf)


@dataclasses.dataclass(frozen=True)
class ProbabilityMargin(Combinable):
    """The smaller the difference of the two largest probabilities, the more confused.

    Args:
        max_margin: Samples with a larger margin, in [0, 1], are not confused at all and never
            taken. 1 takes the least certain ones however certain they are.
    """

    max_margin: float = 0.5

    def __post_init__(self) -> None:
        _check("ProbabilityMargin(max_margin)", self.max_margin, 0, 1)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """The negative margin, float32, shape (N,), of logits or log-probabilities (N, C).

        Raises:
            ValueError: Labels are given and not of shape (N,).
        """
        check_labels(logits, labels)
        scores = probability_margin(logits).neg_()
        return scores.masked_fill_(scores < -self.max_margin, -torch.inf)


@dataclasses.dataclass(frozen=True)
class LogitMargin(Combinable):
    """The smaller the difference of the two largest logits, the more confused.

    This is the rule of Falcon and Canziani's tutorial, applied to each sample by itself.

    Args:
        max_difference: Samples with a larger difference are never taken.
        min_logit: Neither are samples whose largest logit is smaller: they look like nothing that
            the network knows. ``None`` asks for no minimum.
    """

    max_difference: float = 0.1
    min_logit: float | None = None

    def __post_init__(self) -> None:
        _check("LogitMargin(max_difference)", self.max_difference, 0, math.inf)
        if self.min_logit is not None:
            _check("LogitMargin(min_logit)", self.min_logit, -math.inf, math.inf)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """The negative difference, float32, shape (N,), of logits (N, C).

        Raises:
            ValueError: Labels are given and not of shape (N,).
        """
        check_labels(logits, labels)
        first, second = logits.float().topk(2, 1).values.unbind(1)
        difference = first - second
        taken = difference <= self.max_difference
        if self.min_logit is not None:
            taken &= first >= self.min_logit
        return torch.where(taken, -difference, -torch.inf)


@dataclasses.dataclass(frozen=True)
class Entropy(Combinable):
    """The more classes share the probability, and the more evenly, the more confused.

    Shannon's −Σ p log₂ p, in bits: 1 is a coin toss between two classes, 2 an even choice among
    four, log₂ C among all. Unlike an entropy divided by its largest value, a bit means the same
    whatever the number of classes.

    Args:
        min_entropy: Samples with fewer bits are not confused at all and never taken. The default
            lets through what is torn between two classes at 3 to 1, as the default of
            :class:`ProbabilityMargin` does. 0 takes the least certain ones however certain they
            are.
    """

    min_entropy: float = 0.8

    def __post_init__(self) -> None:
        _check("Entropy(min_entropy)", self.min_entropy, 0, math.inf)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """Bits, float32, shape (N,), of logits or log-probabilities (N, C).

        Raises:
            ValueError: So many bits are impossible with so few classes, or labels are given and not
                of shape (N,).
        """
        check_labels(logits, labels)
        most = math.log2(logits.shape[1])
        if self.min_entropy > most:
            raise ValueError(
                f"Entropy(min_entropy) is in bits, of which {logits.shape[1]} classes have "
                f"{most:.3g} at most, and is {self.min_entropy}: 1 is a coin toss between two "
                "classes"
            )
        bits = torch.special.entr(logits.float().softmax(1)).sum(1) / math.log(2)
        return torch.where(bits >= self.min_entropy, bits, -torch.inf)


@dataclasses.dataclass(frozen=True)
class Misclassified(Combinable):
    """Only what the network gets wrong, the most confidently wrong first.

    Samples without a valid label (``-100``, say) are never taken.
    """

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """The log-odds ln p/(1 − p) of the predicted class, float32, shape (N,).

        They order samples as the probability p does, and still where p itself has run into 1.

        Raises:
            ValueError: There are no labels, or they are not of shape (N,).
        """
        truth, known = _needed(self, logits, labels)
        logits = logits.float()
        prediction = logits.argmax(1)
        odds = TargetMargin(logits, prediction).values
        wrong = known & (prediction != truth) & logits.amax(1).isfinite()
        return torch.where(wrong, odds, -torch.inf)


@dataclasses.dataclass(frozen=True)
class Loss(Combinable):
    """The larger the cross entropy, the more confused: the hardest samples.

    Samples without a valid label (``-100``, say) are never taken.

    Args:
        min_loss: Samples with a smaller loss, in nats, are never taken: 0.69 (ln 2) leaves those
            whose true class has at most half of the probability.
    """

    min_loss: float = 0.0

    def __post_init__(self) -> None:
        _check("Loss(min_loss)", self.min_loss, 0, math.inf)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """−ln p of the true class, float32, shape (N,), of logits or log-probabilities (N, C).

        Raises:
            ValueError: There are no labels, or they are not of shape (N,).
        """
        truth, known = _needed(self, logits, labels)
        loss = -logits.float().log_softmax(1).gather(1, truth[:, None]).squeeze(1)
        return torch.where(known & (loss >= self.min_loss), loss, -torch.inf)


_OURS: Final = frozenset({ProbabilityMargin, LogitMargin, Entropy, Misclassified, Loss, Both})


def check_criterion(criterion: object) -> None:
    """Refuses what :func:`scores_of` could not use.

    Raises:
        ValueError: It is no callable, or a class of which none was made.
    """
    if isinstance(criterion, type):
        raise ValueError(
            "criterion must be a callable (logits, labels) -> scores, and is the class "
            f"{criterion.__name__}: make one of it, {criterion.__name__}(…)"
        )
    if not callable(criterion):
        raise ValueError(
            "criterion must be a callable (logits, labels) -> scores, and is "
            f"{criterion!r}: ProbabilityMargin() is the default"
        )


def scores_of(
    criterion: AnyCriterion, logits: Tensor, labels: Tensor | None, name: str = "criterion"
) -> Tensor:
    """What a criterion returns, as numbers, shape (N,): of booleans, ``False`` is never taken.

    Raises:
        ValueError: It is not a score a sample.
    """
    if type(criterion) not in _OURS:  # one of the user's own, which may write in place
        logits, labels = logits.clone(), None if labels is None else labels.clone()
    values = criterion(logits, labels)
    if not isinstance(values, Tensor) or values.shape != logits.shape[:1]:
        raise ValueError(
            f"{name} must return a tensor with one score a sample, shape ({len(logits)},), and "
            f"{criterion!r} returned {describe(values)}"
        )
    return _as_scores(values)


def most_confused(scores: Tensor, top_k: int) -> list[int]:
    """The rows of the ``top_k`` highest scores (N,), the highest first.

    Fewer where fewer are above ``-inf``; NaN and ``False`` count as ``-inf``.
    """
    scores = _as_scores(scores.detach()).float()
    scores = scores.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    best = scores.topk(min(top_k, len(scores)))
    # One transfer: on a GPU each one waits for the queue.
    rows = best.indices.masked_fill_(best.values == -torch.inf, -1).tolist()
    return [row for row in rows if row >= 0]


def check_labels(logits: Tensor, labels: Tensor | None) -> None:
    """Refuses labels that are not one class index a sample; ``None`` passes.

    Raises:
        ValueError: They are not.
    """
    if labels is not None and labels.shape != logits.shape[:1]:
        raise ValueError(
            f"labels must be one class index a sample, shape ({len(logits)},), and are "
            f"{describe(labels)}: of a multi-label (sigmoid) model leave them out, and let a "
            "criterion of your own choose among the samples"
        )


def valid_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """Which labels (N,) are classes of the logits (N, C), shape (N,)."""
    return (labels >= 0) & (labels < logits.shape[1])


def _needed(criterion: object, logits: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """Class indices that are safe to gather by, and where they are the true ones."""
    if labels is None:
        raise ValueError(
            f"criterion {criterion!r} needs labels: pass them to the hook, or choose "
            "ProbabilityMargin()"
        )
    check_labels(logits, labels)
    labels = labels.to(logits.device, torch.int64)
    known = valid_labels(logits, labels)
    return labels.where(known, 0), known


def _as_scores(values: Tensor) -> Tensor:
    return torch.where(values, 0.0, -torch.inf) if values.dtype == torch.bool else values


def _check(name: str, value: Any, low: float, high: float) -> None:
    is_number = isinstance(value, numbers.Real)
    if not is_number or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}, and is {value!r}")
