"""What the format's document says of predicted arrays, in the plainest code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def restore_by_loop(residuals: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Restore values pixel by pixel, as http_api.md describes it."""
    differences: dict[tuple[int, int, int], int] = {}
    values = np.zeros_like(residuals)
    channels, height, width = residuals.shape
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                west = differences.get((c, y, x - 1), 0)
                north = differences.get((c, y - 1, x), 0)
                corner = differences.get((c, y - 1, x - 1), 0)
                prediction = sorted([west, north, west + north - corner])[1]
                differences[c, y, x] = int(residuals[c, y, x]) + prediction
                values[c, y, x] = differences[c, y, x] + (values[c - 1, y, x] if c else 0)
    return values
