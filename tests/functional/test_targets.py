"""Which classes a sample is changed towards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tb_gradascent.functional.targets import Targets, check_targets, choose_targets

LOGITS = torch.tensor([[0.0, 2.0, 1.0], [5.0, 3.0, 4.0]])


def test_each_choice_gives_its_classes() -> None:
    labels = torch.tensor([2, 0])
    assert choose_targets("top2", LOGITS, None).tolist() == [[1, 2], [0, 2]]
    assert choose_targets("label", LOGITS, labels).tolist() == [[2], [0]]
    assert choose_targets("all", LOGITS, None).tolist() == [[0, 1, 2], [0, 1, 2]]
    assert choose_targets([2, 0], LOGITS, None).tolist() == [[2, 0], [2, 0]]


def test_a_callable_chooses() -> None:
    labels = torch.tensor([2, 0])

    def truth_and_runner_up(logits: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is not None
        return torch.stack((labels, logits.topk(2, 1).indices[:, 1]), 1)

    check_targets(truth_and_runner_up)
    assert choose_targets(truth_and_runner_up, LOGITS, labels).tolist() == [[2, 2], [0, 2]]
    least = choose_targets(lambda logits, labels: logits.argmin(1, keepdim=True), LOGITS, None)
    assert least.tolist() == [[0], [1]]


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (torch.zeros(2, 1), r"float32 tensor of shape \(2, 1\)"),
        (torch.zeros(2, dtype=torch.int64), r"int64 tensor of shape \(2,\)"),
        (torch.zeros(3, 1, dtype=torch.int64), r"int64 tensor of shape \(3, 1\)"),
        (torch.zeros(2, 0, dtype=torch.int64), r"shape \(2, 0\)"),
        (torch.zeros(2, 65, dtype=torch.int64), r"shape \(2, 65\)"),
        ([[0], [1]], "a list"),
        (None, "a NoneType"),
        (torch.tensor([[0], [3]]), "0 to 2, got 0 to 3"),
        (torch.tensor([[-100], [1]]), "0 to 2, got -100 to 1"),
    ],
)
def test_a_wrong_result_of_a_callable_is_rejected(returned: Any, got: str) -> None:
    with pytest.raises(ValueError, match=f"targets must return .*{got}"):
        choose_targets(lambda logits, labels: returned, LOGITS, None)


@pytest.mark.parametrize("unknown", [-100, 3])
def test_with_label_targets_every_label_must_be_a_class(unknown: int) -> None:
    with pytest.raises(ValueError, match=f"labels from 0 to 2, .*{unknown}.*top2"):
        choose_targets("label", LOGITS, torch.tensor([0, unknown]))


@pytest.mark.parametrize("targets", ["top2", "label", "all", [0], lambda logits, labels: None])
def test_several_labels_per_sample_are_rejected_with_a_remedy(targets: Targets) -> None:
    with pytest.raises(ValueError, match="multi-label"):
        choose_targets(targets, LOGITS, torch.ones(2, 3))


def test_targets_that_do_not_fit_the_logits_are_rejected_with_a_remedy() -> None:
    with pytest.raises(ValueError, match="needs labels"):
        choose_targets("label", LOGITS, None)
    with pytest.raises(ValueError, match="0 to 2, got 3"):
        choose_targets([3], LOGITS, None)
    with pytest.raises(ValueError, match="name the classes"):
        choose_targets("all", torch.zeros(2, 100), None)


@pytest.mark.parametrize("targets", ["top3", [], [1, 1], [-1], [True], [0.5], 3, None, range(100)])
def test_wrong_targets_are_rejected(targets: object) -> None:
    with pytest.raises(ValueError, match="targets must be"):
        check_targets(targets)


@pytest.mark.parametrize("targets", ["top2", "label", "all", [0], (3, 5), range(10), [np.int64(2)]])
def test_right_targets_are_accepted(targets: object) -> None:
    check_targets(targets)
