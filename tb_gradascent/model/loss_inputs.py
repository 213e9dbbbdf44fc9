"""The inputs of a classifier's loss, read from the loss's graph."""

from __future__ import annotations

from typing import Any, Final

from torch import Tensor

#: Nodes of autograd, and the name of what each saved: rows of log-probabilities, or of logits.
_SAVED: Final = {
    "LogSoftmaxBackward0": "_saved_result",
    "NllLossBackward0": "_saved_self",
    "BinaryCrossEntropyWithLogitsBackward0": "_saved_self",
}

_MOST_NODES: Final = 64


def loss_inputs(loss: object) -> list[Tensor]:
    """Return the logits or log-probabilities (N, C) that a loss was computed from.

    The graph must not be freed yet. There may be several, as with a loss for each of two heads, or
    none, as with a loss that is written by hand.
    """
    waiting: list[Any] = [getattr(loss, "grad_fn", None)]
    found: list[Tensor] = []
    for _ in range(_MOST_NODES):
        if not waiting:
            break
        node = waiting.pop(0)
        if node is None:
            continue
        saved = getattr(node, _SAVED.get(node.name(), ""), None)
        if isinstance(saved, Tensor) and saved.dim() == 2:
            found.append(saved.detach())
        else:
            waiting += [inner for inner, _ in node.next_functions]
    return found
