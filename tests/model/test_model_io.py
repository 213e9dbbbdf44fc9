"""Images and labels are found in the batches of data loaders."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch

from tb_gradascent.model.model_io import find_in_batch

X = torch.rand(4, 3, 8, 8)
Y = torch.tensor([3, 1, 4, 1])
OTHER = torch.tensor([9, 9, 9, 9])
FLOATS = torch.rand(4)


class Named(NamedTuple):
    """A batch as a collate function may return it."""

    place: torch.Tensor
    image: torch.Tensor
    target: torch.Tensor


@pytest.mark.parametrize(
    ("batch", "labels"),
    [
        ((X, Y), Y),
        ([X, Y], Y),
        ((X, Y, OTHER), Y),
        ((OTHER, X, Y), Y),
        ((X, FLOATS, Y.int()), Y),
        (((X, Y), 0, 1), Y),
        ({"image": X, "label": Y}, Y),
        ({"index": OTHER, "pixel_values": X, "labels": Y}, Y),
        ({"labelled": (X, Y), "unlabelled": (X, OTHER)}, Y),
        (Named(OTHER, X, Y), Y),
        ({"image": X, "index": OTHER}, None),
        (X, None),
        ((X, torch.rand(4, 10)), None),
        ((X, torch.eye(4)), torch.eye(4)),
        ((X, torch.ones(4, 3)), torch.ones(4, 3)),
        ((X, torch.full((4, 2), 0.5)), torch.full((4, 2), 0.5)),
        ((X, torch.eye(4), Y), Y),
        ((X, torch.tensor([0.0, 1.0, 1.0, 0.0])), torch.tensor([0.0, 1.0, 1.0, 0.0])),
        ((X, Y[:, None]), Y[:, None]),
        ((X, Y[:3]), None),
        ((X, Y > 1), None),
    ],
)
def test_images_and_labels_are_found_in_a_batch(batch: Any, labels: torch.Tensor | None) -> None:
    inputs, found = find_in_batch(batch)
    assert inputs is X
    assert found is None if labels is None else found is not None and torch.equal(found, labels)


@pytest.mark.parametrize("batch", [None, 3, {}, Y, (FLOATS, Y), torch.rand(4, 10), {"x": "y"}])
def test_a_batch_without_images_gives_none(batch: Any) -> None:
    assert find_in_batch(batch) == (None, None)
