"""Whether a finished morph still convinces the network after small changes."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from tb_gradascent.functional.gradients import Forward, all_but_rows
from tb_gradascent.functional.region import column

CHECKS: Final = 8
"""How many small changes are tried; see :func:`small_changes`."""

_LEVELS: Final = 255
_NOISE: Final = 4 / _LEVELS
_SEED: Final = 0


def small_changes(inputs: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return each input under eight fixed small changes, shape (8, N, …).

    The changes are, in order:

    - Four shifts by one pixel: to the left, right, up and down. A signal is shifted by one and by
      two values, both ways.
    - A blur with a 3×3 box, or over 3 values of a signal.
    - Two noises with a standard deviation of 4/255 of the legal range.
    - Rounding to 256 levels of the legal range.

    Shifts and the blur repeat the edge.

    Args:
        inputs: Shape (N, channels, height, width) or (N, channels, length), float32.
        low, high: The legal range, broadcastable to ``inputs``.
    """
    if inputs.dim() == 4:
        padded = functional.pad(inputs, (1, 1, 1, 1), mode="replicate")
        rows, columns = padded[..., 1:-1], padded[..., 1:-1, :]
        changed = [columns[..., 2:], columns[..., :-2], rows[..., 2:, :], rows[..., :-2, :]]
        changed.append(functional.avg_pool2d(padded, 3, stride=1))
    else:
        padded = functional.pad(inputs, (2, 2), mode="replicate")
        changed = [padded[..., 3:-1], padded[..., 1:-3], padded[..., 4:], padded[..., :-4]]
        changed.append(functional.avg_pool1d(padded[..., 1:-1], 3, stride=1))
    generator = torch.Generator().manual_seed(_SEED)
    for _ in range(2):
        # One noise for all rows, so that a row does not depend on its neighbours.
        noise = torch.randn(inputs.shape[1:], generator=generator).to(inputs.device)
        changed.append(torch.addcmul(inputs, noise, (high - low) * _NOISE))
    step = (high - low) / _LEVELS
    changed.append(low + ((inputs - low) / step).round() * step)
    return torch.maximum(torch.minimum(torch.stack(changed), high), low)


def survives(
    forward: Forward,
    inputs: Tensor,
    targets: Tensor,
    *,
    bounds: tuple[Tensor, Tensor] | None = None,
    max_rows: int | None = None,
) -> Tensor:
    """Ask the network about each input under eight small changes.

    Args:
        forward: Maps inputs (N, …) to logits (N, C), each row by itself.
        inputs: The finished morphs, shape (N, …), float32.
        targets: Class indices, int64, shape (N,).
        bounds: Lowest and highest legal values, broadcastable to ``inputs``. Without them each row
            has its own range.
        max_rows: Rows in one pass at most; ``None`` for no limit.

    Returns:
        Whether the network predicts the target, bool, shape (N, 8).
    """
    low, high = bounds or _own_range(inputs)
    changed = small_changes(inputs, low, high).flatten(0, 1)
    with torch.no_grad():
        logits = torch.cat([forward(rows) for rows in changed.split(max_rows or len(changed))])
    predictions = logits.argmax(1).unflatten(0, (CHECKS, -1))
    convinced: Tensor = predictions == targets
    return convinced.T


def _own_range(inputs: Tensor) -> tuple[Tensor, Tensor]:
    dims = all_but_rows(inputs)
    low, high = inputs.amin(dims), inputs.amax(dims)
    # A row of one value keeps a range above 0, so that rounding is defined.
    return column(low, inputs), column(torch.where(high > low, high, low + 1), inputs)
