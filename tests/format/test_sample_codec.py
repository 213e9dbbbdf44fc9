"""Samples come back from their record and payload."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given

from tb_gradascent.format import metadata
from tb_gradascent.format.record import JsonNumber
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import decode_sample, encode_sample
from tb_gradascent.format.samples import Array, CapturedSample, Morph, Target
from testing.strategies import captured_samples, stored
from testing.synthetic import make_sample


@given(captured_samples())
def test_a_sample_comes_back_as_it_was(sample: CapturedSample) -> None:
    data, payload = encode_sample(sample)
    back = decode_sample(parse_record(data), payload)
    for field in ("step", "id", "label", "probe"):
        assert getattr(back, field) == getattr(sample, field)
    assert (back.bounds is None) == (sample.bounds is None)
    np.testing.assert_array_equal(
        np.array(back.bounds or 0.0, np.float32),
        np.array(sample.bounds or 0.0, np.float32),
        strict=True,
    )
    assert back.image.shape == sample.image.shape
    np.testing.assert_array_equal(back.image.view(np.uint32), sample.image.view(np.uint32))
    np.testing.assert_array_equal(back.classes, sample.classes)
    np.testing.assert_array_equal(back.probabilities, sample.probabilities)
    np.testing.assert_array_equal(np.float32(back.margin), np.float32(sample.margin))
    assert len(back.targets) == len(sample.targets)
    for got, target in zip(back.targets, sample.targets, strict=True):
        assert (got.index, got.direction) == (target.index, target.direction)
        assert got.gradient.shape == sample.image.shape
        assert_close(got.gradient, target.gradient, 1024)
        assert list(got.morphs) == list(target.morphs)
        for one, two in zip(got.morphs.values(), target.morphs.values(), strict=True):
            assert_same_morph(one, two)


def assert_same_morph(got: Morph, morph: Morph) -> None:
    assert (got.target, got.steps, got.stopped) == (morph.target, morph.steps, morph.stopped)
    assert got.survived == morph.survived
    assert (got.spread is None) == (morph.spread is None)
    np.testing.assert_array_equal(np.array(got.spread or 0, "f"), np.array(morph.spread or 0, "f"))
    assert_close(got.delta, morph.delta, 128)
    np.testing.assert_array_equal(got.strengths, morph.strengths)
    assert list(got.judges) == list(morph.judges)
    responses = [(got, morph), *((got.judges[name], morph.judges[name]) for name in morph.judges)]
    for one, two in responses:
        np.testing.assert_array_equal(one.probabilities, two.probabilities)
        np.testing.assert_array_equal(one.original_probabilities, two.original_probabilities)
        np.testing.assert_array_equal(one.predictions, two.predictions)


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
        arrays += [target.gradient, *(morph.delta for morph in target.morphs.values())]
    return arrays


@given(captured_samples())
def test_a_record_holds_the_measures_of_the_arrays(sample: CapturedSample) -> None:
    record, _ = stored(sample)
    for described, target in zip(record["targets"], sample.targets, strict=True):
        same(described["gradient_norm"], float(np.linalg.norm(target.gradient.astype(float))))
        with np.errstate(all="ignore"):
            same(described["gradient_p99"], np.percentile(np.abs(target.gradient), 99))
        for stored_morph, morph in zip(described["morphs"], target.morphs.values(), strict=True):
            magnitudes = np.abs(morph.delta.astype(float))
            same(stored_morph["delta_norm"], np.sqrt((magnitudes**2).sum()))
            same(stored_morph["largest_change"], magnitudes.max())
            same(stored_morph["mean_change"], magnitudes.mean())


def same(stored_number: JsonNumber | None, number: float) -> None:
    """Check that a stored number is the nearest float32 of a number, or its neighbour."""
    assert stored_number is not None
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(np.float32(float(stored_number)), np.float32(number), rtol=3e-7)


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
    (morph,) = second.morphs.values()
    uneven = with_morph(second, dataclasses.replace(morph, strengths=morph.strengths * 2))
    with pytest.raises(ValueError, match="must have the same strengths"):
        encode_sample(dataclasses.replace(sample, targets=(first, uneven)))
    odd = dataclasses.replace(second, gradient=second.gradient[:, 1:])
    with pytest.raises(ValueError, match=r"image's shape \(1, 28, 28\), got \(1, 27, 28\)"):
        encode_sample(dataclasses.replace(sample, targets=(first, odd)))
    odd = with_morph(second, dataclasses.replace(morph, delta=morph.delta[:, 1:]))
    with pytest.raises(ValueError, match=r"image's shape \(1, 28, 28\), got \(1, 27, 28\)"):
        encode_sample(dataclasses.replace(sample, targets=(first, odd)))
    strange = with_morph(second, dataclasses.replace(morph, target=7))
    with pytest.raises(ValueError, match=r"the target 5 must have that target, got 7"):
        encode_sample(dataclasses.replace(sample, targets=(first, strange)))
    many = dataclasses.replace(second, morphs=dict.fromkeys("abcde", morph))
    with pytest.raises(ValueError, match=r"morphs must have at most 4 elements, got 5"):
        encode_sample(dataclasses.replace(sample, targets=(many,)))


def with_morph(target: Target, morph: Morph) -> Target:
    return dataclasses.replace(target, morphs={"smallest": morph})
