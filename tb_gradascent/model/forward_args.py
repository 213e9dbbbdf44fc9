"""Arguments of a model besides the image: captum's ``additional_forward_args``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import torch
from torch import Tensor

from tb_gradascent.functional.validation import describe, without_subclass

AdditionalForwardArgs = Union[Tensor, Sequence[Any], Mapping[str, Any], "ForwardArgs"]
"""A tensor, a sequence of positional arguments after the inputs, or a mapping of keyword arguments.

A tensor whose first dimension has the batch's size holds one row per sample. Any other value, such
as a flag, is the same for all samples.
"""


@dataclasses.dataclass(frozen=True)
class ForwardArgs:
    """The arguments of a model besides a batch of inputs.

    Attributes:
        samples: The batch's size.
        args: The positional arguments after the inputs.
        kwargs: The keyword arguments.
    """

    samples: int
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, given: AdditionalForwardArgs | None, samples: int) -> ForwardArgs:
        """Convert a user's ``additional_forward_args``.

        Raises:
            ValueError: ``given`` is neither a tensor, a sequence nor a mapping.
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
            "additional_forward_args must be a tuple of the model's positional arguments after the "
            f"inputs, or a dictionary of its keyword arguments, got {describe(given)}"
        )

    @property
    def is_empty(self) -> bool:
        """Whether the model takes the inputs only."""
        return not (self.args or self.kwargs)

    @property
    def differ(self) -> bool:
        """Whether an argument has one row per sample."""
        return any(map(self._has_rows, (*self.args, *self.kwargs.values())))

    def of_row(self, row: int, times: int) -> ForwardArgs:
        """Return the arguments of one sample, repeated for ``times`` inputs."""
        return self._changed(
            lambda value: (
                value[row].expand(times, *value.shape[1:]) if self._has_rows(value) else value
            )
        )

    def of_rows(self, rows: Sequence[int]) -> ForwardArgs:
        """Return the arguments of some samples."""
        places = list(rows)
        chosen = self._changed(lambda value: value[places] if self._has_rows(value) else value)
        return dataclasses.replace(chosen, samples=len(places))

    def only_row(self, row: int) -> ForwardArgs:
        """Return a copy of one sample's arguments on the CPU, repeated for all samples.

        The copy does not keep the other samples' arguments in memory.
        """

        def own(value: Tensor) -> Tensor:
            if not self._has_rows(value):
                return value.cpu().clone()
            return value[row].cpu().clone().expand(self.samples, *value.shape[1:])

        return self._changed(own)

    def to(self, device: torch.device) -> ForwardArgs:
        """Return the arguments on a device."""
        return self._changed(lambda value: value.to(device))

    def copied(self) -> ForwardArgs:
        """Return copies, which later writes of the loop do not change."""
        return self._changed(Tensor.clone)

    def _has_rows(self, value: object) -> bool:
        return isinstance(value, Tensor) and value.dim() > 0 and len(value) == self.samples

    def _changed(self, change: Callable[[Tensor], Tensor]) -> ForwardArgs:
        """Apply a function to every tensor, detached."""
        if self.is_empty:
            return self

        def changed(value: Any) -> Any:
            return change(without_subclass(value.detach())) if isinstance(value, Tensor) else value

        kwargs = {name: changed(value) for name, value in self.kwargs.items()}
        return ForwardArgs(self.samples, tuple(map(changed, self.args)), kwargs)
