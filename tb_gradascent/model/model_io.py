"""Find images and labels in batches, and in a model's arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeGuard

import torch
from torch import Tensor, nn

from tb_gradascent.functional.labels import are_labels

#: The names of labels in a batch and among a model's arguments.
LABEL_NAMES = ("labels", "label", "targets", "target", "y")


def find_inputs(args: Iterable[object], kwargs: Mapping[str, object]) -> Tensor | None:
    """Return the first batch of images or signals among a model's arguments.

    Bytes are taken only if there is no floating point tensor of a fitting shape.
    """
    found = [value for value in (*args, *kwargs.values()) if _is_inputs(value)]
    return next(filter(Tensor.is_floating_point, found), found[0] if found else None)


def find_in_batch(batch: object) -> tuple[Tensor | None, Tensor | None]:
    """Return the images or signals of a data loader's batch, and their labels.

    The images are the first floating point tensor of a fitting shape, at any depth. Without such a
    tensor they are the first one of bytes. The labels are whole numbers, one per sample, or rows as
    :func:`are_labels` knows them. A tensor named in ``LABEL_NAMES`` comes first. If the tensors
    have no names, the labels are the first such tensor after the images. Whole numbers come before
    rows.
    """
    inputs = find_inputs((value for _, value in _leaves(batch)), {})
    if inputs is None:
        return None, None
    labels = None
    after_inputs = False
    for name, value in _leaves(batch):
        after_inputs |= value is inputs
        if value is not inputs and _are_labels(value, len(inputs)):
            if name in LABEL_NAMES:
                return inputs, value
            if after_inputs and name is None and (labels is None or _is_plain(value, labels)):
                labels = value
    return inputs, labels


def find_labels(kwargs: Mapping[str, object], samples: int) -> Tensor | None:
    """Return the labels among a model's keyword arguments, see :func:`are_labels`."""
    for name in LABEL_NAMES:
        value = kwargs.get(name)
        if _are_labels(value, samples):
            return value
    return None


class Wanted(NamedTuple):
    """The device and dtype of the inputs that a model expects.

    Attributes:
        device: The device of its first parameter or buffer that has data; ``None`` if there is
            none. A part of an offloaded model is on the device "meta", without data.
        dtype: The dtype of its floating point parameters; ``None`` if it has none, or if their
            dtypes differ.
    """

    device: torch.device | None
    dtype: torch.dtype | None


def wanted_by(module: nn.Module) -> Wanted:
    """Derive from a model's parameters which inputs it expects."""
    parameters = [*module.parameters()]
    first = next((p for p in (*parameters, *module.buffers()) if not p.is_meta), None)
    dtypes = {parameter.dtype for parameter in parameters if parameter.is_floating_point()}
    return Wanted(
        None if first is None else first.device, dtypes.pop() if len(dtypes) == 1 else None
    )


def _leaves(value: object, name: str | None = None) -> Iterator[tuple[str | None, object]]:
    """Yield the values nested in mappings, tuples and lists, each with its name or ``None``."""
    if isinstance(value, Mapping):
        for key, element in value.items():
            yield from _leaves(element, str(key))
    elif isinstance(value, (tuple, list)):
        names = getattr(value, "_fields", None) or [None] * len(value)
        for key, element in zip(names, value, strict=True):
            yield from _leaves(element, key)
    else:
        yield name, value


def _is_inputs(value: object) -> TypeGuard[Tensor]:
    return (
        isinstance(value, Tensor)
        and (value.is_floating_point() or value.dtype == torch.uint8)
        and value.dim() in (3, 4)
    )


def _is_plain(value: Tensor, than: Tensor) -> bool:
    """Return whether a tensor is class indices and another one is not."""
    plain, other = (not v.is_floating_point() and v.dim() == 1 for v in (value, than))
    return plain and not other


def _are_labels(value: object, samples: int) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and are_labels(value, samples)
