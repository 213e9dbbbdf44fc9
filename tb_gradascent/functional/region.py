"""The region that an ascent may not leave, and the operations that its loops share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tb_gradascent.functional.gradients import Forward, Norm, all_but_rows, lengths

#: Keeps a division by a row's own zero finite.
TINY = torch.finfo(torch.float32).tiny


class Region:
    """The legal points of each row: within the bounds, and within a ball around its start.

    Args:
        start: Shape (N, …).
        bounds: Lowest and highest legal values, broadcastable to ``start``. An element that starts
            outside may stay where it is.
        norm, epsilon: The ball's geometry and radius. A radius of ``None`` means no ball.
    """

    def __init__(
        self,
        start: Tensor,
        bounds: tuple[Tensor, Tensor] | None,
        norm: Norm = "l2",
        epsilon: float | None = None,
    ) -> None:
        self._start = start
        self._radius: float | None = None
        self._box: tuple[Tensor, Tensor] | None = None
        if bounds is not None:
            self._box = torch.minimum(start, bounds[0]), torch.maximum(start, bounds[1])
        if epsilon is not None:
            epsilon = float(epsilon)
            if norm == "l2":
                self._radius = epsilon
            else:  # a box, as the bounds are
                ball = start - epsilon, start + epsilon
                low, high = self._box or ball
                self._box = torch.maximum(low, ball[0]), torch.minimum(high, ball[1])
        if self._box is not None:
            self._factor = _exact_factor(*self._box)
            self._edges = self._box[0] * self._factor, self._box[1] * self._factor

    def project(self, x: Tensor) -> Tensor:
        """The point of the ball that is nearest to x, clipped to the bounds.

        The clipped point is still inside the ball.
        """
        if self._radius is not None:
            delta = x - self._start
            x = self._start + delta * (self._radius / lengths(delta).clamp_min(TINY)).clamp_max(1)
        return x if self._box is None else x.clamp(*self._box)

    def inward(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The gradient without the elements that stand at a bound and would leave it."""
        if self._box is None:
            return gradient
        # 0 at a bound, and beyond any gradient elsewhere. Masks take three times as long.
        down, up = (torch.sub(edge, x, alpha=self._factor) for edge in self._edges)
        return gradient.clamp(down, up)

    def has_left(self, x: Tensor, moved: Tensor) -> list[bool]:
        """Which rows could move: on a sphere, by more than its rounding."""
        if self._radius is None and self._box is None:
            return [True] * len(x)
        changed = moved != x
        if self._radius is not None:
            rounding = 4 * torch.finfo(x.dtype).eps * torch.maximum(self._start.abs(), x.abs())
            changed = (moved - x).abs() > rounding
        left: list[bool] = torch.any(changed, all_but_rows(x)).tolist()
        return left


def _exact_factor(low: Tensor, high: Tensor) -> float:
    """A large power of two whose product with each value of a box is finite in float32.

    Such a product is not rounded. So the difference of two products is 0 only if the values are
    equal, and is beyond any gradient otherwise.
    """
    reach = float(torch.maximum(high.amax(), -low.amin()))
    exponent = math.frexp(reach)[1] if math.isfinite(reach) else 64
    return 2.0 ** (126 - max(exponent, 0))


def ask(forward: Forward, x: Tensor) -> tuple[Tensor, Tensor]:
    """A leaf that is equal to ``x``, and its logits. The caller has gradients enabled."""
    leaf = x.detach().requires_grad_()
    return leaf, forward(leaf)


def pick(rows: Sequence[bool], these: Tensor, others: Tensor) -> Tensor:
    """Some rows of one tensor (N, …), and the rest of another."""
    if all(rows):
        return these
    return torch.where(column(torch.tensor(rows, device=these.device), these), these, others)


def column(values: Tensor, x: Tensor) -> Tensor:
    """A value a row, shape (N,), to be broadcast over x (N, …)."""
    return values.reshape((-1,) + (1,) * (x.dim() - 1))


def log_odds(probability: float) -> float:
    """The margin whose sigmoid is a probability."""
    return math.log(probability / (1 - probability))
