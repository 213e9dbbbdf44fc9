"""What one call of the hook is about: inputs, and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tb_gradascent import arguments
from tb_gradascent.metadata import MAX_CHANNELS, MAX_ELEMENTS, SessionInfo

Labels = Tensor | Sequence[int]
Ids = Tensor | Sequence[object]


class Batch:
    """Inputs with what is known of each: labels and ids."""

    def __init__(self, inputs: Tensor, labels: Labels | None, ids: Ids | None) -> None:
        self.inputs = inputs
        self.labels = labels
        self.ids = ids

    @classmethod
    def of(cls, inputs: Tensor, labels: Labels | None, ids: Ids | None) -> Batch:
        """A batch whose parts fit each other.

        Raises:
            ValueError: They do not.
        """
        if (
            not isinstance(inputs, Tensor)
            or inputs.dim() != 4
            or not inputs.is_floating_point()
            or not 1 <= inputs.shape[1] <= MAX_CHANNELS
            or not 0 < inputs[:1].numel() <= MAX_ELEMENTS
        ):
            raise ValueError(
                "inputs must be a floating point tensor of shape (N, channels, height, width) "
                f"with 1 to {MAX_CHANNELS} channels, and is {describe(inputs)}"
            )
        for name, values in (("labels", labels), ("ids", ids)):
            if values is None:
                continue
            shape = tuple(values.shape) if isinstance(values, Tensor) else (len(values),)
            if shape != (len(inputs),):
                raise ValueError(
                    f"{name} must have one value a sample, {len(inputs)} in all, and has the "
                    f"shape {shape}"
                )
        if isinstance(labels, Tensor) and (labels.is_floating_point() or labels.is_complex()):
            raise ValueError(f"labels must be class indices, and are {describe(labels)}")
        return cls(inputs, labels, ids)

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

    def label_list(self, rows: Sequence[int]) -> list[int] | None:
        """The labels of some rows as plain numbers."""
        if isinstance(self.labels, Tensor):
            # Indexed on the device first, so that only these few are fetched.
            return [int(label) for label in self.labels[list(rows)].tolist()]
        return None if self.labels is None else [int(self.labels[row]) for row in rows]


def id_text(value: object) -> str:
    """An id as it is stored.

    Raises:
        ValueError: It is too long.
    """
    return arguments.text("ids", str(value.item() if isinstance(value, Tensor) else value))


def describe(value: object) -> str:
    """A value in an error: its type, and a tensor's dtype and shape."""
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
