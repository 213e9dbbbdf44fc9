"""What a model is given beside the image: captum's ``additional_forward_args``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import torch
from torch import Tensor

from tb_gradascent.functional.validation import describe

AdditionalForwardArgs = Union[Tensor, Sequence[Any], Mapping[str, Any], "ForwardArgs"]
"""A tensor, a sequence of what follows the inputs, or a mapping of what is given by keyword.

A tensor whose first dimension is the batch's has a row a sample. Whatever else there is, such as a
flag, is the same for all samples.
"""


@dataclasses.dataclass(frozen=True)
class ForwardArgs:
    """What a model is given beside a batch of inputs.

    Attributes:
        samples: The batch's size.
        args: What follows the inputs.
        kwargs: What is given by keyword.
    """

    samples: int
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, given: AdditionalForwardArgs | None, samples: int) -> ForwardArgs:
        """From what a user gave.

        Raises:
            ValueError: It is of another kind.
        """
        if isinstance(given, ForwardArgs):
            return given
        if given is None:
            return cls(samples)
        if isinstance(given, Tensor):
            return cls(samples, (given,))
        if isinstance(given, Mapping):
            return cls(samples, kwargs=dict(given))
        if isinstance(given, Sequence) and not isinstance(given, str):
            return cls(samples, tuple(given))
        raise ValueError(
            "additional_forward_args must be a tuple of what follows the inputs when the model is "
            f"called, or a dictionary of what it is given by keyword, and is {describe(given)}"
        )

    @property
    def none(self) -> bool:
        """Whether the model is given the inputs and nothing else."""
        return not (self.args or self.kwargs)

    @property
    def differ(self) -> bool:
        """Whether each sample has its own."""
        return any(map(self._has_rows, (*self.args, *self.kwargs.values())))

    def of_row(self, row: int, times: int) -> ForwardArgs:
        """Those of one sample, for so many inputs."""
        return self._changed(
            lambda value: (
                value[row].expand(times, *value.shape[1:]) if self._has_rows(value) else value
            )
        )

    def alone(self, row: int) -> ForwardArgs:
        """A copy of one sample's in the computer's own memory, as if all samples had the same."""

        def own(value: Tensor) -> Tensor:
            if not self._has_rows(value):
                return value.cpu().clone()
            return value[row].cpu().clone().expand(self.samples, *value.shape[1:])

        return self._changed(own)

    def to(self, device: torch.device) -> ForwardArgs:
        """On a device."""
        return self._changed(lambda value: value.to(device))

    def copied(self) -> ForwardArgs:
        """As they are now, whatever the loop does to them."""
        return self._changed(Tensor.clone)

    def _has_rows(self, value: object) -> bool:
        return isinstance(value, Tensor) and value.dim() > 0 and len(value) == self.samples

    def _changed(self, change: Callable[[Tensor], Tensor]) -> ForwardArgs:
        if self.none:
            return self

        def changed(value: Any) -> Any:
            return change(value.detach()) if isinstance(value, Tensor) else value

        kwargs = {name: changed(value) for name, value in self.kwargs.items()}
        return ForwardArgs(self.samples, tuple(map(changed, self.args)), kwargs)
