"""``SeenRange`` against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tb_gradascent.training.seen_range import SeenRange


@pytest.mark.parametrize("bad", [None, torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(5, 3, 4, 6), (5, 2, 7)])
def test_the_range_is_that_of_the_finite_values_of_each_channel(
    shape: tuple[int, ...], dtype: torch.dtype, bad: float | None
) -> None:
    seen = SeenRange()
    values = []
    for seed in range(3):
        inputs = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
        if bad is not None and seed == 1:
            inputs[2, 1] = bad
        seen.add(inputs)
        values.append(inputs.float().numpy())
    together = np.concatenate(values).swapaxes(0, 1).reshape(shape[1], -1)
    finite = np.where(np.isfinite(together), together, np.nan)
    bounds = seen.bounds()
    assert bounds is not None
    np.testing.assert_array_equal(bounds[0], np.nanmin(finite, axis=1).astype(np.float32))
    np.testing.assert_array_equal(bounds[1], np.nanmax(finite, axis=1).astype(np.float32))
