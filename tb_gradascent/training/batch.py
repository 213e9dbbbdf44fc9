"""A batch that the hook is given: inputs, labels, ids and further arguments of the model."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy.typing as npt
import torch
from torch import Tensor

from tb_gradascent.format.metadata import (
    MAX_ELEMENTS,
    MAX_IMAGE_CHANNELS,
    MAX_NAME_LENGTH,
    MAX_SIGNAL_CHANNELS,
    SessionInfo,
    is_sample_shape,
)
from tb_gradascent.functional.labels import (
    LabelKind,
    Labels,
    check_one_per_sample,
    plain,
    read_labels,
)
from tb_gradascent.functional.validation import describe, without_subclass
from tb_gradascent.model.forward_args import AdditionalForwardArgs, ForwardArgs

Ids = Tensor | npt.NDArray[Any] | Sequence[object]
"""N names or numbers, one per sample; ``None`` for a sample without one."""

InputKind = Literal["auto", "image", "signal"]
"""What inputs of shape (N, A, B) are. ``"auto"`` and ``"signal"`` take them for signals."""

#: A signal of (channels, length) looks like an image without a channel if both are at least this,
#: and if neither is more than twice the other.
_LEAST_SIDE: Final = 8


class Batch:
    """Inputs with their labels, ids and further arguments of the model.

    Attributes:
        inputs: Images (N, channels, height, width) or signals (N, channels, length).
        labels: N class indices, negative or ``None`` if unknown; ``None`` if all are unknown.
        ids: One per sample, or ``None``.
        forward_args: The model's arguments besides the inputs.
        label_kind: The form of the labels before they became class indices.
        value_range: The least and the greatest value that the inputs' dtype allows, if it is one of
            whole numbers, else ``None``.
    """

    def __init__(
        self,
        inputs: Tensor,
        labels: Tensor | Sequence[int | None] | None,
        ids: Ids | None,
        forward_args: ForwardArgs | None = None,
        label_kind: LabelKind = "classes",
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self.inputs = inputs
        self.labels = labels
        self.ids = ids
        self.forward_args = forward_args or ForwardArgs(len(inputs))
        self.label_kind: LabelKind = label_kind
        self.value_range = value_range

    @classmethod
    def of(
        cls,
        inputs: Tensor | None,
        labels: Labels | None,
        ids: Ids | None,
        additional_forward_args: AdditionalForwardArgs | None = None,
        kind: InputKind = "auto",
    ) -> Batch:
        """Make a batch of a call's arguments. It may be empty.

        Bytes become floating point numbers of the same value, because only these have gradients.

        Raises:
            ValueError: ``inputs`` are not images or signals, or another argument is of the wrong
                type or does not have one value per sample.
        """
        inputs = _check_inputs(inputs, kind)
        value_range = None
        if inputs.dtype == torch.uint8:
            inputs, value_range = inputs.float(), (0.0, 255.0)
        read = None if labels is None else read_labels(labels, len(inputs))
        if ids is not None:
            # A data frame's column is not indexed by position. A tensor stays on its device,
            # because only a few ids are needed.
            ids = ids if isinstance(ids, Tensor) else plain(ids)
            check_one_per_sample("ids", _shape_of(ids), len(inputs))
        return cls(
            inputs,
            None if read is None else read.indices,
            ids,
            ForwardArgs.of(additional_forward_args, len(inputs)),
            "classes" if read is None else read.kind,
            value_range,
        )

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

    def move_to(self, device: torch.device | None) -> None:
        """Move inputs and labels to a device, behind the work that it has to do already."""
        if device is None:
            return
        self.inputs = self.inputs.to(device, non_blocking=device.type == "cuda")
        if isinstance(self.labels, Tensor):
            self.labels = self.labels.to(device, non_blocking=device.type == "cuda")

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

    A text that is too long is cut, and ends with a checksum of the whole text.
    """
    if value is None:
        return None
    text = str(value.item() if isinstance(value, Tensor) else value)
    if len(text) <= MAX_NAME_LENGTH:
        return text
    checksum = f"…{zlib.crc32(text.encode(errors='surrogatepass')):08x}"
    return text[: MAX_NAME_LENGTH - len(checksum)] + checksum


class Given(NamedTuple):
    """What the loop gives the hook: the arguments of ``GradAscentHook.__call__``."""

    inputs: Tensor
    logits: object
    labels: Labels | None = None
    ids: Ids | None = None
    additional_forward_args: AdditionalForwardArgs | None = None

    def batch(self, kind: InputKind) -> Batch:
        """Return it as a batch; see :meth:`Batch.of`."""
        return Batch.of(self.inputs, self.labels, self.ids, self.additional_forward_args, kind)


class MissingPass(NamedTuple):
    """Stands for the inputs if the model made no forward pass that fits.

    Attributes:
        seen: What the last pass was given and returned, if there was one.
    """

    seen: str | None = None


def looks_like_images_without_channel(inputs: Tensor) -> bool:
    """Return whether signals (N, channels, length) have the shape of images (N, height, width)."""
    if inputs.dim() != 3:
        return False
    shorter, longer = sorted(inputs.shape[1:])
    return shorter >= _LEAST_SIDE and longer <= 2 * shorter


def _check_inputs(inputs: object, kind: InputKind) -> Tensor:
    """Check that inputs are images or signals."""
    if isinstance(inputs, MissingPass):
        saw = f". The last pass {inputs.seen}" if inputs.seen else ""
        raise ValueError(
            "inputs are missing: the model made no forward pass in training mode that fits. "
            "Such a pass takes images, shape (N, channels, height, width), and returns "
            f"a row of logits for each{saw}. Call hook(inputs, logits, labels) in the loop instead"
        )
    rule = (
        f"inputs must be a floating point or uint8 tensor of {_SHAPES[kind]}, got "
        f"{describe(inputs)}"
    )
    if not isinstance(inputs, Tensor):
        raise ValueError(f"{rule}: give torch.as_tensor(inputs)")
    if not (inputs.is_floating_point() or inputs.dtype == torch.uint8):
        raise ValueError(f"{rule}: give x.float()")
    shape = tuple(inputs.shape[1:])
    is_image = len(shape) == 3
    if is_sample_shape(shape) and (kind == "auto" or is_image == (kind == "image")):
        return without_subclass(inputs)
    raise ValueError(f"{rule}: {_remedy(inputs, kind)}")


_IMAGES: Final = (
    f"images, shape (N, channels, height, width) with 1 to {MAX_IMAGE_CHANNELS} channels"
)
_SIGNALS: Final = f"signals, shape (N, channels, length) with 1 to {MAX_SIGNAL_CHANNELS} channels"
_SHAPES: Final = {"auto": f"{_IMAGES}, or {_SIGNALS}", "image": _IMAGES, "signal": _SIGNALS}


def _remedy(inputs: Tensor, kind: InputKind) -> str:
    """What to give instead of inputs of a wrong shape."""
    shape = inputs.shape[1:]
    if len(shape) == 3 and 1 <= shape[2] <= MAX_IMAGE_CHANNELS < shape[0]:
        return (
            "the channels come last. Give hook(x.permute(0, 3, 1, 2), …), and make the hook with "
            "forward=lambda model, x: model(x.permute(0, 2, 3, 1))"
        )
    if len(shape) == 1:
        return (
            "one value after another has no channel. Give hook(x[:, None], …), and make the hook "
            "with forward=lambda model, x: model(x[:, 0]), if the model takes x without a channel"
        )
    if len(shape) == 2 and kind == "image":
        return (
            "the images have no channel. Give hook(x[:, None], …), and make the hook with "
            "forward=lambda model, x: model(x[:, 0]), if the model takes x without a channel"
        )
    if len(shape) == 3 and kind == "signal":
        return 'four dimensions are images. Leave out kind="signal"'
    return f"no side may be 0, and a sample may have at most {MAX_ELEMENTS} values"


def _shape_of(values: object) -> tuple[int, ...]:
    if isinstance(values, Tensor):
        return tuple(values.shape)
    return (len(values),) if isinstance(values, Sequence) else ()
