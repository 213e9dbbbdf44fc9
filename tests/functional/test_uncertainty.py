"""Probabilities, entropy and loss of one prediction, against sums by hand and torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from tb_gradascent.functional.uncertainty import cross_entropy_of, entropy_of, probabilities_of


def test_values_equal_those_by_hand() -> None:
    logits = np.log([0.5, 0.25, 0.25])
    assert probabilities_of(logits) == pytest.approx([0.5, 0.25, 0.25])
    assert entropy_of(probabilities_of(logits)) == pytest.approx(1.5)
    assert cross_entropy_of(logits, 1) == pytest.approx(math.log(4))


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=20), st.integers(0, 19))
def test_values_equal_those_of_torch(values: list[float], label: int) -> None:
    logits = torch.tensor(values, dtype=torch.float64)
    label %= len(values)
    chances = probabilities_of(logits.numpy())
    torch.testing.assert_close(torch.from_numpy(chances), logits.softmax(0))
    entropy = torch.distributions.Categorical(logits=logits).entropy().item() / math.log(2)
    assert entropy_of(chances) == pytest.approx(entropy, abs=1e-9)
    loss = cross_entropy(logits[None], torch.tensor([label])).item()
    assert cross_entropy_of(logits.numpy(), label) == pytest.approx(loss, abs=1e-9)


def test_a_certain_prediction_has_no_entropy() -> None:
    assert entropy_of(probabilities_of(np.array([1e4, 0, -np.inf], np.float32))) == 0


@pytest.mark.parametrize("label", [None, -1, -100, 3, 255])
def test_without_a_valid_label_there_is_no_loss(label: int | None) -> None:
    assert cross_entropy_of(np.zeros(3, np.float32), label) is None


def test_nan_logits_give_nan() -> None:
    logits = np.array([np.nan, 0, 1], np.float32)
    assert math.isnan(entropy_of(probabilities_of(logits)))
    assert math.isnan(cross_entropy_of(logits, 1) or 0)
