"""The network's answers along a morph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tb_gradascent.functional.gradients import Forward


def response(
    forward: Forward,
    inputs: Tensor,
    deltas: Tensor,
    strengths: Sequence[float],
    *,
    bounds: tuple[Tensor, Tensor] | None,
    max_rows: int | None,
    logits: Tensor | None = None,
) -> Tensor:
    """The network's logits of ``inputs + s * deltas`` for every strength s, shape (N, A, C).

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        inputs, deltas: Shape (N, …), floating point.
        strengths: The A strengths.
        bounds: Every point is clipped to these values, broadcastable to ``inputs``.
        max_rows: Rows that may run in one pass; ``None`` for no limit.
        logits: What ``forward(inputs)`` gave, where the caller has it already and the first
            strength is 0: that one is then not asked again.
    """
    rows = len(inputs)
    answers = [] if logits is None else [logits.detach()]
    unknown = torch.tensor(strengths[len(answers) :], dtype=inputs.dtype, device=inputs.device)
    at_once = len(unknown) if max_rows is None else max(max_rows // rows, 1)
    with torch.no_grad():
        for some in unknown.split(at_once):
            scales = some.reshape((-1,) + (1,) * inputs.dim())
            points = torch.addcmul(inputs, scales, deltas)
            if bounds is not None:
                points = points.clamp(*bounds)
            points = points.flatten(0, 1)
            answers += [forward(piece) for piece in points.split(max_rows or len(points))]
        joined: Tensor = torch.cat(answers).unflatten(0, (-1, rows))
        return joined.transpose(0, 1)
