"""What a viewer paints of a sample, before it rounds to 8 bits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tb_gradascent import Sample
from tb_gradascent.format.samples import Array, CapturedSample


def painted(sample: Sample | CapturedSample, strength: float, delta: Array | None) -> Tensor:
    """Return the point at a strength, clipped to the sample's bounds, shape (1, channels, …)."""
    assert delta is not None
    point = sample.image + np.float32(strength) * delta
    if sample.bounds is not None:
        shape = (-1,) + (1,) * (point.ndim - 1)
        low, high = (np.array(values, np.float32).reshape(shape) for values in sample.bounds)
        point = np.clip(point, low, high)
    return torch.from_numpy(point)[None]
