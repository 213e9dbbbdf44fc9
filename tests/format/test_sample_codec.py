"""Samples come back from their record and payload."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given

from tb_gradascent.format import metadata
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import decode_sample, encode_sample
from tb_gradascent.format.samples import Array, CapturedSample
from testing.strategies import captured_samples, stored
from testing.synthetic import make_sample


@given(captured_samples())
def test_a_sample_comes_back_as_it_was(sample: CapturedSample) -> None:
    data, payload = encode_sample(sample)
    back = decode_sample(parse_record(data), payload)
    for field in ("step", "id", "label", "probe"):
        assert getattr(back, field) == getattr(sample, field)
    assert back.image.shape == sample.image.shape
    np.testing.assert_array_equal(back.image.view(np.uint32), sample.image.view(np.uint32))
    np.testing.assert_array_equal(back.classes, sample.classes)
    np.testing.assert_array_equal(back.probabilities, sample.probabilities)
    np.testing.assert_array_equal(np.float32(back.margin), np.float32(sample.margin))
    assert len(back.targets) == len(sample.targets)
    for got, target in zip(back.targets, sample.targets, strict=True):
        assert (got.index, got.steps, got.stopped) == (target.index, target.steps, target.stopped)
        np.testing.assert_array_equal(got.strengths, target.strengths)
        np.testing.assert_array_equal(got.probabilities, target.probabilities)
        np.testing.assert_array_equal(got.predictions, target.predictions)
        assert got.gradient.shape == sample.image.shape
        assert_close(got.gradient, target.gradient, 1024)
        assert (got.delta is None) == (target.delta is None)
        if got.delta is not None and target.delta is not None:
            assert_close(got.delta, target.delta, 128)


def assert_close(got: Array, wanted: Array, levels: int) -> None:
    """Check that finite values are within half a level, and that other values are equal.

    The division and the product are float32, and their own rounding adds to the error.
    """
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(got[~finite], wanted[~finite])
    largest = np.max(np.abs(wanted), where=finite, initial=0).astype(np.float64)
    error = np.abs(got[finite].astype(np.float64) - wanted[finite].astype(np.float64))
    assert error.max(initial=0) <= max(largest / levels / 2 * (1 + 2.0**-12), 1e-45)


@given(captured_samples())
def test_encoding_a_decoded_sample_changes_nothing(sample: CapturedSample) -> None:
    first = decode_sample(*stored(sample))
    again = decode_sample(*stored(first))
    for one, two in zip(arrays_of(first), arrays_of(again), strict=True):
        np.testing.assert_array_equal(one, two)


def arrays_of(sample: CapturedSample) -> list[Array]:
    arrays = [sample.image]
    for target in sample.targets:
        arrays += [array for array in (target.gradient, target.delta) if array is not None]
    return arrays


@given(captured_samples())
def test_a_record_is_strict_json(sample: CapturedSample) -> None:
    data, _ = encode_sample(sample)
    json.loads(data, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert data.isascii()


def test_a_sample_that_breaks_a_limit_is_refused_with_the_reason() -> None:
    sample = make_sample(np.random.default_rng(0), id="x" * (metadata.MAX_NAME_LENGTH + 1))
    with pytest.raises(
        ValueError, match=r"cannot be stored: id must be text of at most 256 .*, got 'xx"
    ):
        encode_sample(sample)
    sample = make_sample(np.random.default_rng(0))
    first, second = sample.targets
    uneven = dataclasses.replace(second, strengths=second.strengths * 2)
    with pytest.raises(ValueError, match="must have the same strengths"):
        encode_sample(dataclasses.replace(sample, targets=(first, uneven)))
    odd = dataclasses.replace(second, gradient=second.gradient[:, 1:])
    with pytest.raises(ValueError, match=r"image's shape \(1, 28, 28\), got \(1, 27, 28\)"):
        encode_sample(dataclasses.replace(sample, targets=(first, odd)))
