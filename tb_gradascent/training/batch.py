"""What one call of the hook is about: inputs, and what is known of each."""

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
"""True classes, a tensor, an array or a list, in one of two forms:

- class indices, shape (N,). A negative one (-100, say, which a loss ignores) or ``None`` means that
  the class is not known. One beyond the last class is kept as it is.
- one-hot rows, shape (N, C) with C of at least 2, of whole numbers, floats or booleans: exactly one
  1 a row, and else 0. They count as the index of that 1.

Other rows have no one class to compare a prediction with, and are refused:

- Soft labels: label smoothing does not move the largest value, so give ``labels.argmax(1)``. After
  mixup or CutMix a sample has no single class: leave the labels out.
- Multi-hot labels, each with a sigmoid of its own: the hook reads logits by a softmax, which such a
  model does not mean. Look at one label k: with z = logits[:, k], the two columns
  ``torch.stack((-z, z), 1) / 2`` have a softmax of exactly 1 - sigmoid(z) and sigmoid(z). Give them
  as the logits and return them from ``forward=``, with ``labels[:, k]`` as the labels, in whole
  numbers.
"""
Ids = Tensor | npt.NDArray[Any] | Sequence[object]
"""A name or number a sample, N in all; ``None`` where it has none."""


class Batch:
    """Inputs with what is known of each: labels and ids.

    Attributes:
        inputs: Images (N, channels, height, width) or signals (N, channels, length).
        labels: Class indices, negative or ``None`` where unknown; ``None`` if all are.
        ids: One a sample, or ``None``.
        forward_args: What the model is given beside the inputs.
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
        """A batch whose parts fit each other; it may be empty.

        Raises:
            ValueError: They do not.
        """
        if inputs is None:
            raise ValueError(
                "inputs is None: no forward pass of the model in training mode was seen that took "
                "a floating point tensor of images, shape (N, channels, height, width), and gave a "
                "row of logits for each. Call hook(inputs, logits, labels) in the loop instead"
            )
        if (
            not isinstance(inputs, Tensor)
            or not inputs.is_floating_point()
            or not is_sample_shape(inputs.shape[1:])
        ):
            raise ValueError(
                "inputs must be a floating point tensor of images, shape (N, channels, height, "
                f"width) with 1 to {MAX_IMAGE_CHANNELS} channels, or of signals, shape (N, "
                f"channels, length) with 1 to {MAX_SIGNAL_CHANNELS} channels, of at most "
                f"{MAX_ELEMENTS} values each, and is {describe(inputs)}"
            )
        classes = None if labels is None else _class_indices(labels, len(inputs))
        if ids is not None:
            # A data frame's column is not indexed by place; a tensor's few ids are fetched later.
            ids = ids if isinstance(ids, Tensor) else _plain(ids)
            _check_count("ids", _shape_of(ids), len(inputs))
        return cls(inputs, classes, ids, ForwardArgs.of(additional_forward_args, len(inputs)))

    def check_channels(self, info: SessionInfo) -> None:
        """Whether a session's mean, std and bounds fit the inputs.

        Raises:
            ValueError: They do not.
        """
        channels = self.inputs.shape[1]
        for name, values in (
            ("mean and std", info.mean),
            ("bounds", info.bounds and info.bounds[0]),
        ):
            if values is not None and len(values) not in (1, channels):
                raise ValueError(
                    f"{name} must have one value or one a channel, and have {len(values)} for "
                    f"inputs of {channels} channels"
                )

    def label_list(self, rows: Sequence[int]) -> list[int | None] | None:
        """The labels of some rows as plain numbers, ``None`` where unknown."""
        if self.labels is None:
            return None
        if isinstance(self.labels, Tensor):
            # Indexed on the device first, so that only these few are fetched.
            places = torch.tensor(rows, dtype=torch.int64, device=self.labels.device)
            labels = self.labels.index_select(0, places).tolist()
        else:
            labels = [self.labels[row] for row in rows]
        return [None if label is None or label < 0 else label for label in labels]


def id_text(value: object) -> str | None:
    """An id as it is stored; ``None`` where there is none.

    Raises:
        ValueError: It is too long.
    """
    if value is None:
        return None
    return arguments.text("ids", str(value.item() if isinstance(value, Tensor) else value))


def _class_indices(labels: Labels, samples: int) -> Tensor:
    """Labels of any form as class indices, int64, shape (N,), negative where unknown."""
    values = labels if isinstance(labels, Tensor) else _tensor(labels)
    if values.dim() == 2 and len(values) == samples and not values.is_complex():
        return _places(values)
    _check_count("labels", tuple(values.shape), samples)
    if values.is_floating_point() or values.is_complex():
        raise ValueError(
            f"labels must be class indices, and are {describe(values)}: give whole numbers, "
            "labels.long() if that is what they hold"
        )
    return values.detach().to(torch.int64)


def _tensor(labels: object) -> Tensor:
    # An array may be read-only or of a dtype that torch does not have; plain numbers may not.
    values = _plain(labels)
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        raise ValueError(f"labels must be class indices, and is {describe(labels)}")
    if not values:
        return torch.empty(0, dtype=torch.int64)
    try:
        return torch.tensor([-1 if value is None else _plain(value) for value in values])
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"labels must be class indices, and cannot be read: {error}") from None


def _plain(values: Any) -> Any:
    """What arrays, tensors and data frames' columns hold, as numbers and lists."""
    tolist = getattr(values, "tolist", None)
    return values if tolist is None else tolist()


def _places(rows: Tensor) -> Tensor:
    """The place of the 1 in each row (N, C)."""
    if rows.shape[1] == 1:
        raise ValueError(
            f"labels must have one value a sample, and are {describe(rows)}: give labels[:, 0], "
            "in whole numbers"
        )
    ones = rows == 1
    exact = (ones.sum(1) == 1) & (ones | (rows == 0)).all(1)
    if not exact.all():
        (row, *_) = (~exact).nonzero().flatten().tolist()
        raise ValueError(
            "labels must have one value a sample, a class index, or one row a sample with a single "
            f"1 and else 0, and row {row} holds {_shortened(rows[row].tolist())}. Of soft labels "
            "give labels.argmax(1). Of a multi-label model look at one label k: give labels[:, k], "
            "in whole numbers, and, as the logits and from forward=…, torch.stack((-z, z), 1) / 2 "
            "with z = logits[:, k], whose softmax is z's sigmoid"
        )
    return ones.int().argmax(1)


def _shortened(values: list[float]) -> str:
    shown = ", ".join(f"{value:.6g}" for value in values[:10])
    return f"[{shown}{', …' if len(values) > 10 else ''}]"


def _shape_of(values: object) -> tuple[int, ...]:
    if isinstance(values, Tensor):
        return tuple(values.shape)
    return (len(values),) if isinstance(values, Sequence) else ()


def _check_count(name: str, shape: tuple[int, ...], samples: int) -> None:
    if shape != (samples,):
        raise ValueError(
            f"{name} must have one value a sample, {samples} in all, and has the shape {shape}"
        )
