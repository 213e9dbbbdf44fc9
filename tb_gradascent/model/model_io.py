"""Where images, labels and logits are among what a loop loads, and a model takes and returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeGuard

import torch
from torch import Tensor, nn

from tb_gradascent.functional.validation import describe

#: What labels are called in a batch, and among a model's arguments.
LABEL_NAMES = ("labels", "label", "targets", "target", "y")


def find_inputs(args: Iterable[object], kwargs: Mapping[str, object]) -> Tensor | None:
    """The first floating point batch of images or signals among a model's arguments."""
    for value in (*args, *kwargs.values()):
        if _is_inputs(value):
            return value
    return None


def find_in_batch(batch: object) -> tuple[Tensor | None, Tensor | None]:
    """Images or signals, and their labels, in what a data loader gave.

    The images are its first floating point tensor of a fitting shape, however nested. The labels
    are whole numbers, one a sample: what is called so (``LABEL_NAMES``), or else, where nothing has
    names, the first of them after the images.
    """
    inputs = find_inputs((value for _, value in _leaves(batch)), {})
    if inputs is None:
        return None, None
    labels = None
    after = False
    for name, value in _leaves(batch):
        after |= value is inputs
        if _are_labels(value, len(inputs)):
            if name in LABEL_NAMES:
                return inputs, value
            if after and name is None and labels is None:
                labels = value
    return inputs, labels


def find_labels(kwargs: Mapping[str, object], samples: int) -> Tensor | None:
    """Whole numbers, one a sample, that a model was given as its ``labels``."""
    for name in LABEL_NAMES:
        value = kwargs.get(name)
        if _are_labels(value, samples):
            return value
    return None


def find_logits(output: object) -> Tensor | None:
    """The logits in what a model returned, as at least two columns; ``None`` if there are none.

    Looked for are a tensor, a ``logits`` attribute or key, and the first element of a tuple. One
    column, or none at all, is a binary model's: its logit z becomes (−z/2, z/2), since
    sigmoid(z) = softmax((−z/2, z/2))₁, and both classes then have a gradient.
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
    """What inputs a model wants.

    Attributes:
        device: That of its first parameter or buffer; ``None`` if it has neither.
        dtype: That of its floating point parameters; ``None`` if they have none or several.
    """

    device: torch.device | None
    dtype: torch.dtype | None


def wanted_by(module: nn.Module) -> Wanted:
    """What inputs a model wants, by its parameters."""
    parameters = [*module.parameters()]
    first = parameters[0] if parameters else next(module.buffers(), None)
    dtypes = {parameter.dtype for parameter in parameters if parameter.is_floating_point()}
    return Wanted(
        None if first is None else first.device, dtypes.pop() if len(dtypes) == 1 else None
    )


def _leaves(value: object, name: str | None = None) -> Iterator[tuple[str | None, object]]:
    """What is nested in mappings, tuples and lists, each with its name if it has one."""
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
