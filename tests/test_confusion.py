"""Criteria against numpy, one sample at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tb_gradascent.confusion import LogitMargin, ProbabilityMargin, most_confused

LOGITS = torch.tensor(
    [[3.0, 2.95, 0.0], [9.0, 1.0, 0.0], [0.1, 0.0, 0.05], [2.0, 1.0, 1.5], [5.0, 5.0, 5.0]]
)


def test_probability_margin_is_the_difference_of_the_two_largest_probabilities() -> None:
    scores = ProbabilityMargin(max_margin=1)(LOGITS, None).numpy()
    for score, row in zip(scores, LOGITS.numpy().astype(float), strict=True):
        chances = np.sort(np.exp(row) / np.exp(row).sum())
        assert score == pytest.approx(-(chances[-1] - chances[-2]), abs=1e-6)


def test_probability_margin_takes_log_probabilities_as_well() -> None:
    criterion = ProbabilityMargin()
    torch.testing.assert_close(criterion(LOGITS.log_softmax(1)), criterion(LOGITS))


def test_probability_margin_never_takes_what_is_too_certain() -> None:
    scores = ProbabilityMargin(max_margin=0.1)(LOGITS)
    assert scores.isneginf().tolist() == [False, True, False, True, False]


def test_logit_margin_is_the_tutorials_rule_for_each_sample_by_itself() -> None:
    scores = LogitMargin(max_difference=0.1, min_logit=1.0)(LOGITS)
    assert scores.tolist() == pytest.approx([-0.05, -np.inf, -np.inf, -np.inf, 0.0], abs=1e-6)
    together = LogitMargin(max_difference=0.1)(LOGITS)
    for row in range(len(LOGITS)):
        alone = LogitMargin(max_difference=0.1)(LOGITS[row : row + 1])
        assert alone.item() == together[row].item()


def test_most_confused_are_the_highest_scores_in_order() -> None:
    scores = torch.tensor([0.1, float("nan"), 0.9, -torch.inf, 0.5])
    assert most_confused(scores, 2) == [2, 4]
    assert most_confused(scores, 10) == [2, 4, 0]
    assert most_confused(torch.full((3,), -torch.inf), 2) == []
    assert most_confused(torch.zeros(0), 2) == []


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: ProbabilityMargin(max_margin=1.5), r"ProbabilityMargin\(max_margin\)"),
        (lambda: LogitMargin(max_difference=-1), r"LogitMargin\(max_difference\)"),
        (lambda: LogitMargin(min_logit="5"), r"LogitMargin\(min_logit\)"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_argument_is_named(make: object, name: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=name):
        make()
