"""Where the image and the logits are among what a model takes and returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


def find_inputs(args: Iterable[object], kwargs: Mapping[str, object]) -> Tensor | None:
    """The first floating point batch of images or signals among a model's arguments."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor) and value.is_floating_point() and value.dim() in (3, 4):
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


def device_of(module: nn.Module) -> torch.device | None:
    """Where a model's first parameter or buffer is; ``None`` if it has neither."""
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return None
