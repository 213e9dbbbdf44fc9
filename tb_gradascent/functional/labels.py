"""Labels of every form, as class indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy.typing as npt
import torch
from torch import Tensor

from tb_gradascent.functional.validation import describe, without_subclass

Labels = Tensor | npt.NDArray[Any] | Sequence[Any]
"""True classes as a tensor, an array or a list, in one of these forms:

- Class indices, whole numbers of shape (N,) or (N, 1). A negative index (such as -100, which a loss
  ignores) or ``None`` means that the class is unknown. An index beyond the last class is kept.
- Numbers from 0 to 1 of shape (N,) or (N, 1), as the loss of a model with one logit takes them. 0
  and 1 are the two classes. A number between 0.01 and 0.99 means that the class is unknown.
- One-hot rows, shape (N, C) with C of at least 2. Each row holds exactly one 1, and 0 elsewhere.
- Soft labels, shape (N, C): rows of probabilities, as mixup, CutMix and label smoothing make them.
  The label is the class of at least 0.99. Without such a class it is unknown.
- Multi-label rows, shape (N, C): one number from 0 to 1 for each class. There is no single true
  class, so that the label is unknown.
"""

LabelKind = Literal["classes", "soft", "multi-label"]

#: The smallest part of a soft label that is taken for the true class.
CERTAIN: Final = 0.99

#: How far the sum of a row of probabilities may be from 1, since half precision rounds.
_ROUNDING: Final = 0.02


class ReadLabels(NamedTuple):
    """Labels as the hook uses them.

    Attributes:
        indices: Class indices, int64, shape (N,), negative if unknown.
        kind: ``"classes"`` if each label names one class, ``"soft"`` for rows of probabilities,
            ``"multi-label"`` for rows that may name several classes.
    """

    indices: Tensor
    kind: LabelKind


def read_labels(labels: Labels, samples: int) -> ReadLabels:
    """Convert labels of any form to class indices.

    Raises:
        ValueError: The labels have none of the forms of :data:`Labels`.
    """
    values = without_subclass(labels) if isinstance(labels, Tensor) else _tensor(labels)
    values = values.detach()
    if values.dim() == 2 and len(values) == samples and not values.is_complex():
        if values.shape[1] != 1:
            return _of_rows(values)
        values = values[:, 0]
    check_one_per_sample("labels", tuple(values.shape), samples)
    if values.is_floating_point():
        return _of_fractions(values)
    if values.is_complex():
        raise ValueError(
            f"labels must be class indices, got {describe(values)}: give whole numbers"
        )
    return ReadLabels(values.to(torch.int64), "classes")


def are_labels(values: Tensor, samples: int) -> bool:
    """Return whether a tensor that has no name may be the labels of so many samples.

    These are whole numbers of shape (N,) or (N, 1), floating point zeros and ones of such a shape,
    and rows of zeros and ones or of probabilities.
    """
    if values.is_complex() or values.dim() not in (1, 2) or len(values) != samples:
        return False
    binary = bool(((values == 0) | (values == 1)).all()) if values.is_floating_point() else False
    if values.dim() == 1 or values.shape[1] == 1:
        return binary if values.is_floating_point() else values.dtype != torch.bool
    try:
        read = _of_rows(values.detach())
    except ValueError:
        return False
    return read.kind != "multi-label" or binary or not values.is_floating_point()


def check_one_per_sample(name: str, shape: tuple[int, ...], samples: int) -> None:
    """Check that an argument has one value for each sample.

    Raises:
        ValueError: ``shape`` is another one than (samples,).
    """
    if shape != (samples,):
        raise ValueError(
            f"{name} must have one value per sample, {samples} in all, got the shape {shape}"
        )


def plain(values: Any) -> Any:
    """Convert arrays, tensors and data frames' columns to numbers and lists."""
    tolist = getattr(values, "tolist", None)
    return values if tolist is None else tolist()


def _of_rows(rows: Tensor) -> ReadLabels:
    """Read rows (N, C) that are one-hot, soft or multi-label."""
    exact = rows.double()
    outside = ~((exact >= 0) & (exact <= 1)).all(1)  # also NaN
    if rows.shape[1] == 0 or outside.any():
        row = int(outside.int().argmax()) if rows.shape[1] else 0
        raise ValueError(
            "labels must be one class index per sample, or rows of numbers from 0 to 1, got "
            f"{_shortened(rows[row].tolist())} in row {row}"
            if len(rows)
            else f"labels must be one class index per sample, got {describe(rows)}"
        )
    ones = exact == 1
    one_hot = ((ones.sum(1) == 1) & (ones | (exact == 0)).all(1)).all()
    best = exact.max(1) if len(rows) else None
    indices = rows.new_zeros(0, dtype=torch.int64) if best is None else best.indices
    if one_hot:
        return ReadLabels(indices, "classes")
    if ((exact.sum(1) - 1).abs() > _ROUNDING).any():
        return ReadLabels(torch.full_like(indices, -1), "multi-label")
    assert best is not None, "an empty batch is one-hot"  # noqa: S101
    return ReadLabels(indices.where(best.values >= CERTAIN, -1), "soft")


def _of_fractions(values: Tensor) -> ReadLabels:
    """Read the labels (N,) of a model with one logit."""
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"labels must be class indices, got {describe(values)}: give whole numbers, such as "
            "labels.long(), or numbers from 0 to 1 for a model with one logit"
        )
    unknown = (values > 1 - CERTAIN) & (values < CERTAIN)
    kind: LabelKind = "soft" if unknown.any() else "classes"
    return ReadLabels(values.round().to(torch.int64).where(~unknown, -1), kind)


def _tensor(labels: object) -> Tensor:
    # Converted to plain numbers, because an array may be read-only or of a dtype that torch lacks.
    values = plain(labels)
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        raise ValueError(f"labels must be class indices, got {describe(labels)}")
    if not values:
        return torch.empty(0, dtype=torch.int64)
    try:
        return torch.tensor([-1 if value is None else plain(value) for value in values])
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"labels must be class indices, got {describe(labels)} that torch cannot convert: "
            f"{error}"
        ) from None


def _shortened(values: list[float]) -> str:
    shown = ", ".join(f"{value:.6g}" for value in values[:10])
    return f"[{shown}{', …' if len(values) > 10 else ''}]"
