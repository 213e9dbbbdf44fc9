"""A batch that the hook is given: inputs, labels, ids and further arguments of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from tb_gradascent.format.metadata import (
    MAX_ELEMENTS,
    MAX_IMAGE_CHANNELS,
    MAX_SIGNAL_CHANNELS,
    SessionInfo,
    is_sample_shape,
)
from tb_gradascent.functional.validation import describe
from tb_gradascent.model.forward_args import AdditionalForwardArgs, ForwardArgs
from tb_gradascent.training import arguments

Labels = Tensor | npt.NDArray[Any] | Sequence[Any]
"""True classes as a tensor, an array or a list, in one of two forms:

- Class indices, shape (N,). A negative index (such as -100, which a loss ignores) or ``None`` means
  that the class is unknown. An index beyond the last class is kept.
- One-hot rows, shape (N, C) with C of at least 2, of whole numbers, floats or booleans. Each row
  holds exactly one 1, and 0 elsewhere. The label is the index of the 1.

Other rows have no single class to compare a prediction with, and raise an error:

- Soft labels. Label smoothing does not move the largest value: give ``labels.argmax(1)``. After
  mixup or CutMix a sample has no single class: leave the labels out.
- Multi-hot labels, with one sigmoid per label. The hook applies a softmax to logits, which does not
  fit such a model. Capture one label k instead: with z = logits[:, k], the softmax of the two
  columns ``torch.stack((-z, z), 1) / 2`` is exactly 1 - sigmoid(z) and sigmoid(z). Give these
  columns as the logits, return them from ``forward=``, and give ``labels[:, k]`` in whole numbers.
"""
Ids = Tensor | npt.NDArray[Any] | Sequence[object]
"""N names or numbers, one per sample; ``None`` for a sample without one."""


class Batch:
    """Inputs with their labels, ids and further arguments of the model.

    Attributes:
        inputs: Images (N, channels, height, width) or signals (N, channels, length).
        labels: N class indices, negative or ``None`` if unknown; ``None`` if all are unknown.
        ids: One per sample, or ``None``.
        forward_args: The model's arguments besides the inputs.
    """

    def __init__(
        self,
        inputs: Tensor,
        labels: Tensor | Sequence[int | None] | None,
        ids: Ids | None,
        forward_args: ForwardArgs | None = None,
    ) -> None:
        self.inputs = inputs
        self.labels = labels
        self.ids = ids
        self.forward_args = forward_args or ForwardArgs(len(inputs))

    @classmethod
    def of(
        cls,
        inputs: Tensor | None,
        labels: Labels | None,
        ids: Ids | None,
        additional_forward_args: AdditionalForwardArgs | None = None,
    ) -> Batch:
        """Make a batch of a call's arguments. It may be empty.

        Raises:
            ValueError: ``inputs`` are not images or signals, or another argument is of the wrong
                type or does not have one value per sample.
        """
        if inputs is None:
            raise ValueError(
                "inputs must be a tensor, got None: no forward pass of the model in training mode "
                "was recorded that took a floating point tensor of images, shape (N, channels, "
                "height, width), and returned a row of logits for each. Call "
                "hook(inputs, logits, labels) in the loop instead"
            )
        if (
            not isinstance(inputs, Tensor)
            or not inputs.is_floating_point()
            or not is_sample_shape(inputs.shape[1:])
        ):
            raise ValueError(
                "inputs must be a floating point tensor of images or signals, got "
                f"{describe(inputs)}: give images, shape (N, channels, height, width) with 1 to "
                f"{MAX_IMAGE_CHANNELS} channels, or signals, shape (N, channels, length) with 1 to "
                f"{MAX_SIGNAL_CHANNELS} channels. Each may have at most {MAX_ELEMENTS} values"
            )
        classes = None if labels is None else _class_indices(labels, len(inputs))
        if ids is not None:
            # A data frame's column is not indexed by position. A tensor stays on its device,
            # because only a few ids are needed.
            ids = ids if isinstance(ids, Tensor) else _plain(ids)
            _check_one_per_sample("ids", _shape_of(ids), len(inputs))
        return cls(inputs, classes, ids, ForwardArgs.of(additional_forward_args, len(inputs)))

    def check_channels(self, info: SessionInfo) -> None:
        """Check that a session's mean, std and bounds fit the inputs' channels.

        Raises:
            ValueError: One of them has neither one value nor one per channel.
        """
        channels = self.inputs.shape[1]
        for name, values in (
            ("mean and std", info.mean),
            ("bounds", info.bounds and info.bounds[0]),
        ):
            if values is not None and len(values) not in (1, channels):
                raise ValueError(
                    f"{name} must have one value or one per channel, got {len(values)} for inputs "
                    f"of {channels} channels"
                )

    def label_list(self, rows: Sequence[int]) -> list[int | None] | None:
        """Return the labels of some rows as integers, ``None`` where unknown."""
        if self.labels is None:
            return None
        if isinstance(self.labels, Tensor):
            # Indexed on the device first, so that only a few labels are copied to the host.
            indices = torch.tensor(rows, dtype=torch.int64, device=self.labels.device)
            labels = self.labels.index_select(0, indices).tolist()
        else:
            labels = [self.labels[row] for row in rows]
        return [None if label is None or label < 0 else label for label in labels]


def id_text(value: object) -> str | None:
    """Return an id as the text that is stored; ``None`` stays ``None``.

    Raises:
        ValueError: The text is too long.
    """
    if value is None:
        return None
    return arguments.text("ids", str(value.item() if isinstance(value, Tensor) else value))


def _class_indices(labels: Labels, samples: int) -> Tensor:
    """Convert labels of any form to class indices, int64, shape (N,), negative if unknown."""
    values = labels if isinstance(labels, Tensor) else _tensor(labels)
    if values.dim() == 2 and len(values) == samples and not values.is_complex():
        return _one_hot_indices(values)
    _check_one_per_sample("labels", tuple(values.shape), samples)
    if values.is_floating_point() or values.is_complex():
        raise ValueError(
            f"labels must be class indices, got {describe(values)}: give whole numbers, such as "
            "labels.long()"
        )
    return values.detach().to(torch.int64)


def _tensor(labels: object) -> Tensor:
    # Converted to plain numbers, because an array may be read-only or of a dtype that torch lacks.
    values = _plain(labels)
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        raise ValueError(f"labels must be class indices, got {describe(labels)}")
    if not values:
        return torch.empty(0, dtype=torch.int64)
    try:
        return torch.tensor([-1 if value is None else _plain(value) for value in values])
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"labels must be class indices, got {describe(labels)} that torch cannot convert: "
            f"{error}"
        ) from None


def _plain(values: Any) -> Any:
    """Convert arrays, tensors and data frames' columns to numbers and lists."""
    tolist = getattr(values, "tolist", None)
    return values if tolist is None else tolist()


def _one_hot_indices(rows: Tensor) -> Tensor:
    """Return the index of the 1 in each row (N, C)."""
    if rows.shape[1] == 1:
        raise ValueError(
            f"labels must have one value per sample, got {describe(rows)}: give labels[:, 0] in "
            "whole numbers"
        )
    ones = rows == 1
    exact = (ones.sum(1) == 1) & (ones | (rows == 0)).all(1)
    if not exact.all():
        (row, *_) = (~exact).nonzero().flatten().tolist()
        raise ValueError(
            "labels must be one class index per sample, or one row per sample with a single 1 and "
            f"0 elsewhere, got {_shortened(rows[row].tolist())} in row {row}. For soft labels give "
            "labels.argmax(1). For a multi-label model choose one label k. Give labels[:, k] in "
            "whole numbers. With z = logits[:, k], give torch.stack((-z, z), 1) / 2 as the logits "
            "and return it from forward=…: its softmax is the sigmoid of z"
        )
    return ones.int().argmax(1)


def _shortened(values: list[float]) -> str:
    shown = ", ".join(f"{value:.6g}" for value in values[:10])
    return f"[{shown}{', …' if len(values) > 10 else ''}]"


def _shape_of(values: object) -> tuple[int, ...]:
    if isinstance(values, Tensor):
        return tuple(values.shape)
    return (len(values),) if isinstance(values, Sequence) else ()


def _check_one_per_sample(name: str, shape: tuple[int, ...], samples: int) -> None:
    if shape != (samples,):
        raise ValueError(
            f"{name} must have one value per sample, {samples} in all, got the shape {shape}"
        )
