"""The error of quantization, and that quantizing twice changes nothing more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_gradascent.format.quantization import (
    DELTA_LEVELS,
    GRADIENT_LEVELS,
    LARGE,
    LEAST_COSINE,
    dequantize,
    gradient_levels,
    quantize,
)

Array = npt.NDArray[np.float32]
SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=6)
LEVELS = st.sampled_from([DELTA_LEVELS, GRADIENT_LEVELS])
ANY_FLOATS = hnp.arrays(np.float32, SHAPES, elements=st.floats(width=32))
FINITE_FLOATS = hnp.arrays(
    np.float32, SHAPES, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
)
# Quotient and product are float32. Their rounding adds at most 2^-13 of a quantum.
SLACK = 1 + 2.0**-12
TINY = np.float64(np.finfo(np.float32).smallest_subnormal)


@given(FINITE_FLOATS, LEVELS)
def test_the_error_is_at_most_half_a_quantum(array: Array, count: int) -> None:
    quantum, levels = quantize(array, count)
    error = np.abs(dequantize(quantum, levels).astype(np.float64) - array.astype(np.float64))
    assert error.max() <= np.float64(quantum) / 2 * SLACK


@given(FINITE_FLOATS)
def test_the_error_is_at_most_a_2048th_of_the_largest_magnitude(array: Array) -> None:
    stored = dequantize(*quantize(array, GRADIENT_LEVELS))
    error = np.abs(stored.astype(np.float64) - array.astype(np.float64))
    # If the largest magnitude is subnormal, float32 itself allows no smaller error.
    assert error.max() <= max(np.abs(array).max().astype(np.float64) / 2048 * SLACK, TINY / 2)


@given(ANY_FLOATS, LEVELS)
def test_quantizing_twice_changes_nothing_more(array: Array, count: int) -> None:
    once = dequantize(*quantize(array, count))
    twice = dequantize(*quantize(once, count))
    np.testing.assert_array_equal(once, twice)


@given(ANY_FLOATS, LEVELS)
def test_values_that_are_not_finite_stay_and_affect_no_other(array: Array, count: int) -> None:
    stored = dequantize(*quantize(array, count))
    finite = np.isfinite(array)
    np.testing.assert_array_equal(stored[~finite], array[~finite])
    alone = dequantize(*quantize(np.where(finite, array, np.float32(0)), count))
    np.testing.assert_array_equal(stored[finite], alone[finite])


@given(ANY_FLOATS, LEVELS)
def test_signs_and_the_order_of_values_stay(array: Array, count: int) -> None:
    stored = dequantize(*quantize(array, count))
    finite = np.isfinite(array)
    assert np.all(stored[finite] * np.sign(array[finite]) >= 0)
    ordered = np.sort(array[finite])
    assert np.all(np.diff(dequantize(*quantize(ordered, count))) >= 0)


@pytest.mark.parametrize("largest", [0.0, 1e-45, 1e-34, 1.0, np.pi, 3.4028235e38])
def test_the_largest_magnitude_is_exact(largest: float) -> None:
    array = np.array([[[largest, -largest, largest / 3]]], np.float32)
    quantum, levels = quantize(array, GRADIENT_LEVELS)
    stored = dequantize(quantum, levels)
    np.testing.assert_array_equal(stored[..., :2], array[..., :2])
    assert levels.dtype == np.dtype("<i2")
    if largest > 1e-30:
        assert levels.max() == GRADIENT_LEVELS


def test_a_tie_caused_by_float32_rounding_stays_within_the_slack() -> None:
    array = np.array([[[8.2094091e15]], [[3.1782363e16]]], np.float32)
    quantum, levels = quantize(array, GRADIENT_LEVELS)
    error = np.abs(dequantize(quantum, levels).astype(np.float64) - array.astype(np.float64))
    assert np.float64(quantum) / 2 < error.max() <= np.float64(quantum) / 2 * SLACK


@pytest.mark.parametrize("kind", ["noise", "sparse", "heavy tails", "one", "tiny", "huge"])
def test_a_large_gradient_keeps_its_direction_with_few_levels(kind: str) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1, 128, 128))
    gradient = {
        "noise": noise,
        "sparse": noise * (rng.random(noise.shape) < 0.02),
        "heavy tails": noise**3,
        "one": np.eye(1, LARGE).reshape(noise.shape),
        "tiny": noise * 1e-30,
        "huge": noise * 1e35,
    }[kind].astype(np.float32)
    levels = gradient_levels(gradient)
    stored = dequantize(*quantize(gradient, levels)).astype(np.float64)
    true = gradient.astype(np.float64)
    cosine = (stored * true).sum() / np.linalg.norm(stored) / np.linalg.norm(true)
    assert cosine >= LEAST_COSINE
    assert levels <= (GRADIENT_LEVELS if kind == "one" else 250)
    if kind == "noise":
        coarser = dequantize(*quantize(gradient, levels * 9 // 10)).astype(np.float64)
        assert (coarser * true).sum() / np.linalg.norm(coarser) / np.linalg.norm(true) < 0.999


def test_small_and_odd_gradients_have_all_levels() -> None:
    noise = np.random.default_rng(0).normal(size=LARGE).astype(np.float32)
    assert gradient_levels(noise[:-1]) == GRADIENT_LEVELS
    assert gradient_levels(noise * 0) == GRADIENT_LEVELS
    for special in (np.nan, np.inf):
        noise[7] = special
        assert gradient_levels(noise) == GRADIENT_LEVELS


def test_zeros_cause_no_division_by_zero() -> None:
    quantum, levels = quantize(np.zeros((1, 2, 2), np.float32), GRADIENT_LEVELS)
    assert quantum > 0
    assert not levels.any()
    assert not dequantize(quantum, levels).any()


@given(
    st.floats(width=32),
    hnp.arrays(np.int16, (1, 2, 3)),
)
def test_damaged_quanta_and_levels_raise_no_error(
    quantum: float, levels: npt.NDArray[np.int16]
) -> None:
    assert dequantize(np.float32(quantum), levels).shape == (1, 2, 3)
