"""Criteria: which samples of a batch confuse the network most.

A criterion maps ``(logits, labels)`` to one score per sample. A higher score means a more confused
sample. A sample with the score ``-inf`` is never taken. ``first & second`` takes the samples that
both criteria take, in the order of the first: ``Misclassified() & ProbabilityMargin(0.2)`` takes
the mistakes that the network nearly got right.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Final, Protocol

import torch
from torch import Tensor

from tb_gradascent.functional.margins import probability_margin, target_margin
from tb_gradascent.functional.validation import check_range, check_returned, describe


class Criterion(Protocol):
    """The signature that ``GradAscentHook(criterion=…)`` calls; any callable may have it."""

    def __call__(self, logits: Tensor, labels: Tensor | None, /) -> Tensor:
        """Return one score per sample, shape (N,).

        The logits have the shape (N, C). The labels are class indices, shape (N,), or ``None``.
        Boolean scores are allowed: ``True`` may be taken, ``False`` is never taken.
        """
        ...


AnyCriterion = Criterion | Callable[[Tensor, Tensor | None], Tensor]


class Combinable:
    """Adds the operator ``&`` to a criterion. The other side may be any callable."""

    def __and__(self: Criterion, other: AnyCriterion) -> Both:
        return Both(self, other) if callable(other) else NotImplemented

    def __rand__(self: Criterion, other: AnyCriterion) -> Both:
        return Both(other, self) if callable(other) else NotImplemented


@dataclasses.dataclass(frozen=True)
class Both(Combinable):
    """``first & second``: takes the samples that both take, ranked by the first.

    Args:
        first, second: Criteria.
    """

    first: AnyCriterion
    second: AnyCriterion

    def __post_init__(self) -> None:
        check_criterion(self.first)
        check_criterion(self.second)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """Return the first scores, shape (N,), and ``-inf`` where the second are ``-inf`` or NaN.

        Raises:
            ValueError: One of the two did not return one score per sample.
        """
        first = scores_of(self.first, logits, labels, "each side of &")
        second = scores_of(self.second, logits, labels, "each side of &")
        return torch.where(second > -torch.inf, first, -torch.inf)


@dataclasses.dataclass(frozen=True)
class ProbabilityMargin(Combinable):
    """The smaller the difference of the two largest probabilities, the more confused.

    Args:
        max_margin: Samples with a larger margin are never taken, in [0, 1]. With 1 the least
            certain samples are always taken.
    """

    max_margin: float = 0.5

    def __post_init__(self) -> None:
        check_range("ProbabilityMargin(max_margin)", self.max_margin, 0, 1)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """Return the negative margin, float32, shape (N,), of logits or log-probabilities (N, C).

        Raises:
            ValueError: ``labels`` has another shape than (N,).
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
        min_logit: Samples whose largest logit is smaller are never taken, because they do not look
            like any class. ``None`` sets no minimum.
    """

    max_difference: float = 0.1
    min_logit: float | None = None

    def __post_init__(self) -> None:
        check_range("LogitMargin(max_difference)", self.max_difference, 0)
        if self.min_logit is not None:
            check_range("LogitMargin(min_logit)", self.min_logit, -math.inf)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """Return the negative difference, float32, shape (N,), of logits (N, C).

        Raises:
            ValueError: ``labels`` has another shape than (N,).
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
    """The larger the entropy of the probabilities, the more confused.

    Shannon's entropy −Σ p log₂ p is in bits: 1 for two equally probable classes, 2 for four, log₂ C
    for all C. A bit means the same for any number of classes.

    Args:
        min_entropy: Samples with fewer bits are never taken. The default takes samples that are
            split between two classes at 3 to 1 or closer, as the default of
            :class:`ProbabilityMargin` does. With 0 the least certain samples are always taken.
    """

    min_entropy: float = 0.8

    def __post_init__(self) -> None:
        check_range("Entropy(min_entropy)", self.min_entropy, 0)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """Return the entropy in bits, float32, shape (N,), of logits or log-probabilities (N, C).

        Raises:
            ValueError: ``min_entropy`` is more than log₂ C, or ``labels`` has another shape than
                (N,).
        """
        check_labels(logits, labels)
        most = math.log2(logits.shape[1])
        if self.min_entropy > most:
            raise ValueError(
                f"Entropy(min_entropy) must be at most log2(C) = {most:.3g} bits for "
                f"C = {logits.shape[1]} classes, got {self.min_entropy}: 1 bit is an even choice "
                "between two classes"
            )
        bits = torch.special.entr(logits.float().softmax(1)).sum(1) / math.log(2)
        return torch.where(bits >= self.min_entropy, bits, -torch.inf)


@dataclasses.dataclass(frozen=True)
class Misclassified(Combinable):
    """Only wrong predictions; the more probable the wrong class, the more confused.

    Samples without a valid label (for example ``-100``) are never taken.
    """

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """Return the log-odds ln p/(1 − p) of the predicted class, float32, shape (N,).

        Log-odds order samples as the probability p does, also where p is rounded to 1.

        Raises:
            ValueError: ``labels`` is ``None``, or has another shape than (N,).
        """
        truth, known = _require_labels(self, logits, labels)
        logits = logits.float()
        prediction = logits.argmax(1)
        odds = target_margin(logits, prediction)
        wrong = known & (prediction != truth) & logits.amax(1).isfinite()
        return torch.where(wrong, odds, -torch.inf)


@dataclasses.dataclass(frozen=True)
class Loss(Combinable):
    """The larger the cross entropy, the more confused.

    Samples without a valid label (for example ``-100``) are never taken.

    Args:
        min_loss: Samples with a smaller loss, in nats, are never taken. With 0.69 (ln 2) only
            samples are taken whose true class has a probability of at most 0.5.
    """

    min_loss: float = 0.0

    def __post_init__(self) -> None:
        check_range("Loss(min_loss)", self.min_loss, 0)

    def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """Return −ln p of the true class, float32, shape (N,), of logits or log-probabilities.

        Raises:
            ValueError: ``labels`` is ``None``, or has another shape than (N,).
        """
        truth, known = _require_labels(self, logits, labels)
        loss = -logits.float().log_softmax(1).gather(1, truth[:, None]).squeeze(1)
        return torch.where(known & (loss >= self.min_loss), loss, -torch.inf)


#: These do not write to their arguments.
_BUILT_IN: Final = frozenset({ProbabilityMargin, LogitMargin, Entropy, Misclassified, Loss, Both})


def check_criterion(criterion: object) -> None:
    """Check that :func:`scores_of` can use ``criterion``.

    Raises:
        ValueError: ``criterion`` is not callable, or it is a class instead of an instance.
    """
    if isinstance(criterion, type):
        raise ValueError(
            "criterion must be a callable (logits, labels) -> scores, got the class "
            f"{criterion.__name__}: give an instance, {criterion.__name__}(…)"
        )
    if not callable(criterion):
        raise ValueError(
            f"criterion must be a callable (logits, labels) -> scores, got {criterion!r}: "
            "ProbabilityMargin() is the default"
        )


def scores_of(
    criterion: AnyCriterion, logits: Tensor, labels: Tensor | None, name: str = "criterion"
) -> Tensor:
    """Return a criterion's scores as numbers, shape (N,); ``False`` becomes ``-inf``.

    Args:
        criterion: Is called.
        logits: Shape (N, C).
        labels: Class indices, shape (N,), or ``None``.
        name: The argument that an error names.

    Raises:
        ValueError: The criterion did not return one score per sample.
    """
    if type(criterion) not in _BUILT_IN:  # a user's criterion may write to its arguments
        logits, labels = logits.clone(), None if labels is None else labels.clone()
    scores = check_returned(
        criterion(logits, labels),
        lambda values: values.shape == logits.shape[:1],
        f"{name} must return a tensor with one score per sample, shape ({len(logits)},)",
        criterion,
    )
    return _as_scores(scores)


def comparable(scores: Tensor) -> Tensor:
    """Return scores (N,) that can be ordered, float32: ``-inf`` for ``-inf``, NaN and ``False``."""
    scores = _as_scores(scores.detach()).float()
    return scores.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def most_confused(scores: Tensor, top_k: int) -> list[int]:
    """Return the rows of the ``top_k`` highest scores (N,), the highest first.

    Rows with a score of ``-inf``, NaN or ``False`` are left out.
    """
    best = comparable(scores).topk(min(top_k, len(scores)))
    # One transfer to the host, because each transfer waits for the GPU's queue.
    rows = best.indices.masked_fill_(best.values == -torch.inf, -1).tolist()
    return [row for row in rows if row >= 0]


def check_labels(logits: Tensor, labels: Tensor | None) -> None:
    """Check that labels are ``None`` or one class index per sample.

    Raises:
        ValueError: ``labels`` has another shape than (N,).
    """
    if labels is not None and labels.shape != logits.shape[:1]:
        raise ValueError(
            f"labels must be one class index per sample, shape ({len(logits)},), got "
            f"{describe(labels)}: for a multi-label (sigmoid) model leave the labels out, and "
            "select samples by your own criterion"
        )


def valid_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """Return which labels (N,) are classes of the logits (N, C), boolean, shape (N,)."""
    return (labels >= 0) & (labels < logits.shape[1])


def _require_labels(
    criterion: object, logits: Tensor, labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return class indices that are safe to gather by, and which of them are valid labels."""
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
