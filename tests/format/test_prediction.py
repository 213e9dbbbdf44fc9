"""Residuals, compared with a loop over pixels, and folded integers."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_gradascent.format.folding import fold, unfold
from tb_gradascent.format.prediction import LARGEST_SIDE, can_predict, residuals_of, restore
from testing.prediction import restore_by_loop

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))
VALUES = hnp.arrays(np.int32, SHAPES, elements=st.integers(-300, 300))


@given(VALUES)
def test_values_come_back_from_their_residuals(values: npt.NDArray[np.int32]) -> None:
    residuals = residuals_of(values)
    np.testing.assert_array_equal(restore(residuals), values)
    np.testing.assert_array_equal(restore_by_loop(residuals), values)


@given(hnp.arrays(np.int32, SHAPES, elements=st.integers(-(2**15), 2**15 - 1)))
def test_any_residuals_are_restored_as_by_the_loop(residuals: npt.NDArray[np.int32]) -> None:
    np.testing.assert_array_equal(restore(residuals), restore_by_loop(residuals))


def test_smooth_and_coloured_values_have_small_residuals() -> None:
    y, x = np.mgrid[:20, :30]
    plane = (2 * x - 3 * y).astype(np.int32)
    residuals = residuals_of(np.stack([plane, plane + 5, plane + 7]))
    assert np.abs(residuals[0, 1:, 1:]).max() == 0
    assert residuals[1, 0, 0] == 5
    assert residuals[2, 0, 0] == 2
    assert np.count_nonzero(residuals[1:]) == 2


@pytest.mark.parametrize(
    ("shape", "can"),
    [
        ((1, 1, 1), True),
        ((4, 4096, 4096), True),
        ((1, 4097, 1), False),
        ((1, 1, 4097), False),
        ((3, 100), False),
    ],
    ids=str,
)
def test_only_images_with_moderate_sides_can_be_predicted(
    shape: tuple[int, ...], can: bool
) -> None:
    assert can_predict(shape) is can


def test_the_largest_residuals_do_not_overflow_and_take_little_time() -> None:
    residuals = np.full((4, 8, LARGEST_SIDE), -(2**15), np.int32)
    start = time.perf_counter()
    restored = restore(residuals).astype(np.int64)
    assert time.perf_counter() - start < 10
    wide = restored[:, 0, -1]
    np.testing.assert_array_equal(wide, -(2**15) * LARGEST_SIDE * np.arange(1, 5))


@given(hnp.arrays(np.int16, hnp.array_shapes(max_dims=3, max_side=5)))
def test_folded_integers_come_back(values: npt.NDArray[np.int16]) -> None:
    data = fold(values)
    assert len(data) == 2 * values.size
    np.testing.assert_array_equal(unfold(data), values.reshape(-1))


def test_small_magnitudes_fold_to_small_numbers() -> None:
    values = np.array([0, -1, 1, -2, 128, 32767, -32768], np.int16)
    assert fold(values) == bytes([0, 1, 2, 3, 0, 254, 255, 0, 0, 0, 0, 1, 255, 255])
