"""Models that end in a softmax or a sigmoid: their outputs are turned back into logits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import torch
from torch import Tensor

from tb_gradascent.functional.margins import at_least_float32

OutputForm = Literal["logits", "softmax", "sigmoid"]
"""What a model's output holds: logits or log-probabilities, the probabilities of a softmax, or
those of one sigmoid for each class."""

#: Nodes of autograd that select, arrange, copy or average values.
_TRANSPARENT: Final = frozenset(
    {
        "AddBackward0",
        "AliasBackward0",
        "AsStridedBackward0",
        "CatBackward0",
        "ClampBackward0",
        "ClampBackward1",
        "ClampMaxBackward0",
        "ClampMinBackward0",
        "CloneBackward0",
        "ContiguousBackward0",
        "CopyBackwards",
        "DivBackward0",
        "ExpandBackward0",
        "IndexBackward0",
        "IndexSelectBackward0",
        "MeanBackward0",
        "MeanBackward1",
        "MulBackward0",
        "NarrowBackward0",
        "PermuteBackward0",
        "ReshapeAliasBackward0",
        "SelectBackward0",
        "SliceBackward0",
        "SplitBackward0",
        "SplitWithSizesBackward0",
        "SqueezeBackward0",
        "SqueezeBackward1",
        "SqueezeBackward2",
        "StackBackward0",
        "SumBackward0",
        "SumBackward1",
        "TBackward0",
        "ToCopyBackward0",
        "TransposeBackward0",
        "UnbindBackward0",
        "UnsafeViewBackward0",
        "UnsqueezeBackward0",
        "ViewBackward0",
    }
)

_MOST_NODES: Final = 200

#: How far probabilities may be from summing to 1, since half precision rounds.
_ROUNDING: Final = 0.02


def form_of(output: Tensor) -> OutputForm:
    """Return what an output (N, C) or (N,) holds, from the node of autograd that made it.

    The values only confirm what the node says: one positive logit may look like a sigmoid's
    output. An output without a graph holds logits.
    """
    sources = set(_sources(output.grad_fn))
    if not sources or not sources <= {"SoftmaxBackward0", "SigmoidBackward0", "ExpBackward0"}:
        return "logits"
    # One of a softmax's columns is the output of a sigmoid: exp(a) / (exp(a) + exp(b)).
    is_column = output.dim() == 1 or output.shape[1] == 1
    form: OutputForm = "sigmoid" if is_column or "SigmoidBackward0" in sources else "softmax"
    return form if may_be(output.detach(), form) else "logits"


def may_be(values: Tensor, form: OutputForm) -> bool:
    """Return whether values (N, C) or (N,) are in the range of an output of this form."""
    values = values.detach().float()
    if not ((values >= 0) & (values <= 1 + 1e-3)).all():
        return False
    return form != "softmax" or bool(((values.sum(1) - 1).abs() <= _ROUNDING).all())


def to_logits(output: Tensor, form: OutputForm) -> Tensor:
    """Return logits whose softmax, or whose sigmoid, is the output.

    A probability that was rounded to 0, or of a sigmoid to 1, becomes the nearest number that is
    not.
    """
    if form == "logits":
        return output
    probabilities = at_least_float32(output)
    info = torch.finfo(probabilities.dtype)
    if form == "softmax":
        return probabilities.clamp_min(info.tiny).log()
    inside = probabilities.clamp(info.tiny, 1 - info.eps / 2)
    return inside.log() - torch.log1p(-inside)


def _sources(node: Any) -> Iterator[str]:
    """Yield the names of the first nodes that do more than arrange or average values."""
    waiting, seen = [node] if node is not None else [], 0
    while waiting:
        node = waiting.pop()
        seen += 1
        name = node.name()
        name = name.rpartition("::")[2] if "::" in name else name
        before = [inner for inner, _ in node.next_functions if inner is not None]
        if seen > _MOST_NODES:
            yield "too many"
            return
        if name in _TRANSPARENT and before:
            waiting += before
        elif name == "ExpBackward0" and {inner.name() for inner in before} != {
            "LogSoftmaxBackward0"
        }:
            yield "another function"
        else:
            yield name
