"""Criteria against numpy and torch, one sample at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import tb_gradascent
from tb_gradascent.functional.criteria import (
    Criterion,
    Entropy,
    LogitMargin,
    Loss,
    Misclassified,
    ProbabilityMargin,
    most_confused,
    scores_of,
)

LOGITS = torch.tensor(
    [[3.0, 2.95, 0.0], [9.0, 1.0, 0.0], [0.1, 0.0, 0.05], [2.0, 1.0, 1.5], [5.0, 5.0, 5.0]]
)
LABELS = torch.tensor([1, 1, 0, -100, 2])

EVERY: list[Criterion] = [
    ProbabilityMargin(max_margin=1),
    LogitMargin(max_difference=100),
    Entropy(min_entropy=0),
    Misclassified(),
    Loss(),
]


def test_probability_margin_is_the_difference_of_the_two_largest_probabilities() -> None:
    scores = ProbabilityMargin(max_margin=1)(LOGITS, None).numpy()
    for score, row in zip(scores, LOGITS.numpy().astype(float), strict=True):
        chances = np.sort(np.exp(row) / np.exp(row).sum())
        assert score == pytest.approx(-(chances[-1] - chances[-2]), abs=1e-6)


def test_probability_margin_never_takes_certain_samples() -> None:
    scores = ProbabilityMargin(max_margin=0.1)(LOGITS)
    assert scores.isneginf().tolist() == [False, True, False, True, False]


def test_logit_margin_is_the_tutorials_rule_for_each_sample() -> None:
    scores = LogitMargin(max_difference=0.1, min_logit=1.0)(LOGITS)
    assert scores.tolist() == pytest.approx([-0.05, -np.inf, -np.inf, -np.inf, 0.0], abs=1e-6)
    together = LogitMargin(max_difference=0.1)(LOGITS)
    for row in range(len(LOGITS)):
        alone = LogitMargin(max_difference=0.1)(LOGITS[row : row + 1])
        assert alone.item() == together[row].item()


def test_entropy_is_in_bits() -> None:
    coin, dice = torch.full((1, 1000), -math.inf), torch.full((1, 1000), -math.inf)
    coin[:, [3, 500]] = 7.0
    dice[:, :8] = -2.0
    everything = torch.zeros(1, 1000)
    scores = Entropy()(torch.cat((coin, dice, everything)))
    assert scores.tolist() == pytest.approx([1, 3, math.log2(1000)], rel=1e-5)


def test_entropy_equals_numpys_and_never_takes_certain_samples() -> None:
    scores = Entropy(min_entropy=1.5)(LOGITS)
    assert scores.isneginf().tolist() == [True, True, False, True, False]
    scores = Entropy(min_entropy=0)(LOGITS)
    for score, row in zip(scores.tolist(), LOGITS.numpy().astype(float), strict=True):
        chances = np.exp(row) / np.exp(row).sum()
        assert score == pytest.approx(-(chances * np.log2(chances)).sum(), abs=1e-6)


def test_the_default_entropy_and_margin_take_the_same_samples_of_two_classes() -> None:
    chances = torch.tensor([[0.76, 0.24], [0.74, 0.26], [0.99, 0.01], [0.5, 0.5]])
    taken = Entropy()(chances.log()) > -torch.inf
    assert taken.tolist() == (ProbabilityMargin()(chances.log()) > -torch.inf).tolist()


def test_more_bits_than_the_classes_allow_are_rejected() -> None:
    assert Entropy(min_entropy=3)(torch.zeros(1, 10)).item() == pytest.approx(math.log2(10))
    with pytest.raises(ValueError, match=r"= 3\.32 bits for C = 10 classes, got 4"):
        Entropy(min_entropy=4)(torch.zeros(1, 10))


def test_misclassified_ranks_mistakes_by_their_probability() -> None:
    logits = torch.tensor(
        [[3.0, 0.0], [0.5, 0.0], [0.0, 9.0], [0.0, 1.0], [60.0, 0.0], [50.0, 0.0], [4.0, 0.0]]
    )
    labels = torch.tensor([1, 1, 1, 0, 1, 1, -100])
    scores = Misclassified()(logits, labels)
    assert most_confused(scores, 10) == [4, 5, 0, 3, 1], (
        "also where both probabilities are 1 in float32"
    )
    chances = torch.tensor(
        [row[0 if place != 3 else 1] for place, row in enumerate(logits.softmax(1))]
    )
    for row in (0, 1, 3):
        assert scores[row].sigmoid().item() == pytest.approx(chances[row].item(), abs=1e-6)


def test_loss_is_the_cross_entropy_of_valid_labels() -> None:
    scores = Loss()(LOGITS, LABELS)
    expected = functional.cross_entropy(LOGITS, LABELS, reduction="none", ignore_index=-100)
    assert scores[[0, 1, 2, 4]].tolist() == pytest.approx(expected[[0, 1, 2, 4]].tolist())
    assert scores[3].isneginf()
    assert Loss(min_loss=2)(LOGITS, LABELS).isneginf().tolist() == [True, False, True, True, True]


@pytest.mark.parametrize("criterion", [Misclassified(), Loss()])
def test_an_invalid_label_is_never_taken(criterion: Criterion) -> None:
    labels = torch.tensor([-100, 3, -1, 2**40, 1])
    scores = criterion(LOGITS, labels)
    assert scores.isneginf().tolist() == [True, True, True, True, False]
    torch.testing.assert_close(criterion(LOGITS, labels.clamp(-128, 127).to(torch.int8)), scores)


@pytest.mark.parametrize("criterion", EVERY)
def test_a_row_with_nan_or_infinity_is_not_taken_and_changes_no_other_row(
    criterion: Criterion,
) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=generator)
    labels = (logits.argmax(1) + 1) % 4
    scores = criterion(logits, labels)
    assert scores.isfinite().all()
    assert scores.dtype == torch.float32
    assert scores.shape == (6,)
    broken = logits.clone()
    broken[1, 2] = math.nan
    broken[3] = math.nan
    broken[4, 0] = math.inf
    good = [0, 2, 5]
    after = criterion(broken, labels)
    assert torch.equal(after[good], scores[good])
    assert not set(most_confused(after, 6)) - {*good, 4}
    if not isinstance(criterion, LogitMargin):
        assert set(most_confused(after, 6)) == set(good)


@pytest.mark.parametrize("criterion", EVERY)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_scores_of_other_dtypes_equal_those_in_float32(
    criterion: Criterion, dtype: torch.dtype
) -> None:
    logits = torch.randn(20, 10, generator=torch.Generator().manual_seed(0)).to(dtype)
    labels = torch.arange(20) % 10
    torch.testing.assert_close(criterion(logits, labels), criterion(logits.float(), labels))


@pytest.mark.parametrize("criterion", EVERY)
def test_log_probabilities_give_the_scores_of_logits(criterion: Criterion) -> None:
    labels = torch.tensor([1, 1, 0, 0, 2])
    torch.testing.assert_close(criterion(LOGITS.log_softmax(1), labels), criterion(LOGITS, labels))


@pytest.mark.parametrize("criterion", EVERY)
@pytest.mark.parametrize("classes", [2, 10_000])
def test_few_and_many_classes_are_scored(criterion: Criterion, classes: int) -> None:
    logits = torch.randn(8, classes, generator=torch.Generator().manual_seed(0)) * 3
    labels = logits.argmin(1)
    scores = criterion(logits, labels)
    assert scores.shape == (8,)
    assert scores.isfinite().all()


@pytest.mark.parametrize("criterion", [Misclassified(), Loss()])
def test_missing_labels_are_reported(criterion: Criterion) -> None:
    with pytest.raises(ValueError, match=r"(Misclassified|Loss)\(.*needs labels: pass them"):
        criterion(LOGITS, None)


@pytest.mark.parametrize("criterion", EVERY)
def test_several_labels_per_sample_are_rejected_with_a_remedy(criterion: Criterion) -> None:
    with pytest.raises(ValueError, match=r"\(5, 3\): for a multi-label .* leave the labels out"):
        criterion(LOGITS, torch.ones(5, 3))


def rows(scores: Tensor) -> set[int]:
    return set(most_confused(scores, len(scores)))


@pytest.mark.parametrize("first", EVERY)
@pytest.mark.parametrize("second", EVERY)
def test_joined_criteria_take_the_common_samples_in_the_first_order(
    first: tb_gradascent.Entropy, second: Criterion
) -> None:
    logits = torch.randn(60, 5, generator=torch.Generator().manual_seed(0)) * 2
    labels = torch.arange(60) % 5
    narrow = LogitMargin(max_difference=1.5)
    scores = (first & second & narrow)(logits, labels)
    taken = rows(first(logits, labels)) & rows(second(logits, labels)) & rows(narrow(logits))
    assert rows(scores) == taken
    assert 0 < len(taken) < 60
    alone = first(logits, labels)
    assert most_confused(scores, 60) == [row for row in most_confused(alone, 60) if row in taken]


def test_any_callable_can_be_joined_and_booleans_select() -> None:
    def even(logits: Tensor, labels: Tensor | None) -> Tensor:
        return torch.arange(len(logits)) % 2 == 0

    def place(logits: Tensor, labels: Tensor | None) -> Tensor:
        return torch.arange(len(logits))

    margin = ProbabilityMargin(max_margin=0.1)
    assert rows(margin(LOGITS)) == {0, 2, 4}
    assert most_confused((place & margin)(LOGITS), 5) == [4, 2, 0]
    assert (margin & place)(LOGITS).tolist() == margin(LOGITS).tolist()
    assert rows((even & LogitMargin(max_difference=10))(LOGITS)) == {0, 2, 4}
    assert rows((LogitMargin(max_difference=10) & even)(LOGITS)) == {0, 2, 4}
    assert rows(even(LOGITS, None)) == {0, 2, 4}


def test_a_sample_with_a_nan_score_on_either_side_is_never_taken() -> None:
    def nan(logits: Tensor, labels: Tensor | None) -> Tensor:
        return torch.tensor([math.nan, 1.0, math.nan, math.nan, 1.0])

    margin = ProbabilityMargin(max_margin=1)
    assert rows((margin & nan)(LOGITS)) == rows((nan & margin)(LOGITS)) == {1, 4}


@pytest.mark.parametrize("returned", [torch.zeros(5, 1), torch.zeros(()), [0.0] * 5])
def test_each_joined_criterion_must_score_every_sample(returned: Tensor) -> None:
    criterion = Entropy(0) & (lambda logits, labels: returned)
    with pytest.raises(ValueError, match=r"each side of & must .*\(5,\), got a .* from <function"):
        criterion(LOGITS)


def test_a_users_subclass_may_write_to_the_logits() -> None:
    class RunnerUp(ProbabilityMargin):
        def __call__(self, logits: Tensor, labels: Tensor | None = None, /) -> Tensor:
            logits.scatter_(1, logits.argmax(1, keepdim=True), -1e4)
            return super().__call__(logits, labels)

    logits = LOGITS.clone()
    scores_of(RunnerUp(1), logits, None)
    scores_of(Entropy(0) & RunnerUp(1), logits, None)
    assert torch.equal(logits, LOGITS)


def test_a_criterion_class_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match=r"got the class Prob.*ProbabilityMargin\(…\)"):
        Entropy() & ProbabilityMargin  # type: ignore[operator]


def test_numpys_numbers_are_accepted() -> None:
    assert ProbabilityMargin(np.float32(0.25)).max_margin == 0.25
    assert LogitMargin(np.int64(1)).max_difference == 1


def test_a_value_that_is_not_callable_cannot_be_joined() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        Entropy() & 0.5  # type: ignore[operator]
    with pytest.raises(TypeError, match="unsupported operand"):
        0.5 & Entropy()  # type: ignore[operator]


def test_the_package_exports_the_criteria() -> None:
    for name in ("ProbabilityMargin", "LogitMargin", "Entropy", "Misclassified", "Loss"):
        assert name in tb_gradascent.__all__
    assert tb_gradascent.Entropy is Entropy
    assert tb_gradascent.Misclassified is Misclassified
    assert tb_gradascent.Loss is Loss


def test_most_confused_are_the_highest_scores_in_order() -> None:
    scores = torch.tensor([0.1, float("nan"), 0.9, -torch.inf, 0.5])
    assert most_confused(scores, 2) == [2, 4]
    assert most_confused(scores, 10) == [2, 4, 0]
    assert most_confused(torch.full((3,), -torch.inf), 2) == []
    assert most_confused(torch.zeros(0), 2) == []
    assert most_confused(torch.tensor([False, True, False]), 2) == [1]


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: ProbabilityMargin(max_margin=1.5), r"ProbabilityMargin\(max_margin\)"),
        (lambda: LogitMargin(max_difference=-1), r"LogitMargin\(max_difference\)"),
        (lambda: LogitMargin(min_logit="5"), r"LogitMargin\(min_logit\)"),  # type: ignore[arg-type]
        (lambda: Entropy(min_entropy=-0.1), r"Entropy\(min_entropy\)"),
        (lambda: Entropy(min_entropy=math.nan), r"Entropy\(min_entropy\)"),
        (lambda: Loss(min_loss=-1), r"Loss\(min_loss\)"),
    ],
)
def test_a_wrong_argument_is_named(make: Callable[[], object], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        make()
