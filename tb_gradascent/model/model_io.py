"""Find images, labels and logits in batches, and in a model's arguments and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeGuard

import torch
from torch import Tensor, nn

from tb_gradascent.functional.validation import describe

#: The names of labels in a batch and among a model's arguments.
LABEL_NAMES = ("labels", "label", "targets", "target", "y")


def find_inputs(args: Iterable[object], kwargs: Mapping[str, object]) -> Tensor | None:
    """Return the first floating point batch of images or signals among a model's arguments."""
    for value in (*args, *kwargs.values()):
        if _is_inputs(value):
            return value
    return None


def find_in_batch(batch: object) -> tuple[Tensor | None, Tensor | None]:
    """Return the images or signals of a data loader's batch, and their labels.

    The images are the first floating point tensor of a fitting shape, at any depth. The labels are
    a tensor of whole numbers, one per sample. A tensor named in ``LABEL_NAMES`` comes first. If
    the tensors have no names, the labels are the first such tensor after the images.
    """
    inputs = find_inputs((value for _, value in _leaves(batch)), {})
    if inputs is None:
        return None, None
    labels = None
    after_inputs = False
    for name, value in _leaves(batch):
        after_inputs |= value is inputs
        if _are_labels(value, len(inputs)):
            if name in LABEL_NAMES:
                return inputs, value
            if after_inputs and name is None and labels is None:
                labels = value
    return inputs, labels


def find_labels(kwargs: Mapping[str, object], samples: int) -> Tensor | None:
    """Return the labels among a model's keyword arguments: whole numbers, one per sample."""
    for name in LABEL_NAMES:
        value = kwargs.get(name)
        if _are_labels(value, samples):
            return value
    return None


def find_logits(output: object) -> Tensor | None:
    """Return the logits in a model's output, or ``None`` if there are none.

    The logits are the output itself if it is a tensor, or its ``logits`` attribute or key, or the
    first element of a tuple. A binary model returns one column, or a flat tensor. Its logit z
    becomes two columns (−z/2, z/2), because sigmoid(z) = softmax((−z/2, z/2))₁ and both classes
    then have a gradient.
    """
    if not isinstance(output, Tensor):
        if isinstance(output, Mapping):
            output = output.get("logits")
        elif hasattr(output, "logits"):
            output = output.logits
        elif isinstance(output, (tuple, list)) and output:
            output = output[0]
    if not isinstance(output, Tensor) or not output.is_floating_point():
        return None
    if output.dim() == 1:
        output = output[:, None]
    if output.dim() == 2 and output.shape[1] == 1:
        return torch.cat((-output, output), 1) / 2
    return output


def logits_in(output: object, samples: int, who: str) -> Tensor:
    """The logits in a model's output, shape (N, C) with at least two columns.

    Args:
        output: See :func:`find_logits`.
        samples: N.
        who: Begins the error: ``"logits must be"``.

    Raises:
        ValueError: There are none, or not a row for each sample.
    """
    logits = find_logits(output)
    if logits is None or logits.dim() != 2 or logits.shape[0] != samples:
        raise ValueError(
            f"{who} logits of shape ({samples}, classes), one row for each sample, got "
            f"{describe(output)}: give forward=lambda model, inputs: …, if the model does not map "
            "one tensor to logits"
        )
    return logits


class Wanted(NamedTuple):
    """The device and dtype of the inputs that a model expects.

    Attributes:
        device: The device of its first parameter or buffer; ``None`` if it has neither.
        dtype: The dtype of its floating point parameters; ``None`` if it has none, or if their
            dtypes differ.
    """

    device: torch.device | None
    dtype: torch.dtype | None


def wanted_by(module: nn.Module) -> Wanted:
    """Derive from a model's parameters which inputs it expects."""
    parameters = [*module.parameters()]
    first = parameters[0] if parameters else next(module.buffers(), None)
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
    return isinstance(value, Tensor) and value.is_floating_point() and value.dim() in (3, 4)


def _are_labels(value: object, samples: int) -> TypeGuard[Tensor]:
    return (
        isinstance(value, Tensor)
        and value.shape == (samples,)
        and not (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool)
    )
