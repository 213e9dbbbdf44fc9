"""Which classes a sample is moved towards."""

from __future__ import annotations

import pytest
import torch

from tb_gradascent.targets import check_targets, choose_targets

LOGITS = torch.tensor([[0.0, 2.0, 1.0], [5.0, 3.0, 4.0]])


def test_each_choice() -> None:
    labels = torch.tensor([2, 0])
    assert choose_targets("top2", LOGITS, None).tolist() == [[1, 2], [0, 2]]
    assert choose_targets("label", LOGITS, labels).tolist() == [[2], [0]]
    assert choose_targets("all", LOGITS, None).tolist() == [[0, 1, 2], [0, 1, 2]]
    assert choose_targets([2, 0], LOGITS, None).tolist() == [[2, 0], [2, 0]]


def test_what_does_not_fit_the_logits_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="needs labels"):
        choose_targets("label", LOGITS, None)
    with pytest.raises(ValueError, match="0 to 2, and holds 3"):
        choose_targets([3], LOGITS, None)
    with pytest.raises(ValueError, match="name the classes"):
        choose_targets("all", torch.zeros(2, 100), None)


@pytest.mark.parametrize("targets", ["top3", [], [1, 1], [-1], [True], [0.5], 3, None, range(100)])
def test_bad_targets_are_refused(targets: object) -> None:
    with pytest.raises(ValueError, match="targets must be"):
        check_targets(targets)


@pytest.mark.parametrize("targets", ["top2", "label", "all", [0], (3, 5), range(10)])
def test_good_targets_are_taken(targets: object) -> None:
    check_targets(targets)
