"""A batch takes labels and ids of many forms, and rejects others with a remedy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.training.batch import Batch, id_text


def inputs(samples: int = 4) -> Tensor:
    return torch.zeros(samples, 1, 2, 2)


def labels_of(labels: Any, samples: int = 4) -> list[int | None] | None:
    """All the labels of a batch."""
    return Batch.of(inputs(samples), labels, None).label_list(range(samples))


INDICES = [3, 0, 9, 3]
EYE = torch.eye(10)[INDICES]


@pytest.mark.parametrize(
    "labels",
    [
        INDICES,
        tuple(INDICES),
        torch.tensor(INDICES),
        torch.tensor(INDICES, dtype=torch.uint8),
        np.array(INDICES),
        np.array(INDICES, np.uint16),
        np.array(INDICES)[::-1][::-1],
        np.frombuffer(np.array(INDICES).tobytes(), np.int64),
        [torch.tensor(index) for index in INDICES],
        list(np.array(INDICES)),
        EYE,
        EYE.long(),
        EYE.bool(),
        EYE.half(),
        EYE.clone().requires_grad_(),
        EYE.numpy(),
        EYE.int().tolist(),
        list(EYE.numpy()),
        list(EYE),
    ],
    ids=lambda labels: f"{type(labels).__name__}-{getattr(labels, 'dtype', '')}",
)
def test_labels_of_every_form_become_class_indices(labels: Any) -> None:
    assert labels_of(labels) == INDICES
    held = Batch.of(inputs(), labels, None).labels
    assert isinstance(held, Tensor)
    assert held.dtype == torch.int64
    assert not held.requires_grad


def test_labels_may_be_boolean_of_two_classes() -> None:
    assert labels_of(torch.tensor([True, False, False, True])) == [1, 0, 0, 1]


@settings(deadline=None)
@given(hnp.arrays(np.int64, st.integers(0, 6)))
def test_negative_labels_are_unknown_and_others_are_kept(labels: npt.NDArray[np.int64]) -> None:
    expected = [None if label < 0 else int(label) for label in labels]
    for given_as in (torch.tensor(labels), labels, labels.tolist()):
        assert labels_of(given_as, len(labels)) == expected


def test_a_label_may_be_missing() -> None:
    assert labels_of(None) is None
    assert labels_of([3, None, -100, 255]) == [3, None, None, 255]


def test_labels_of_some_rows_are_read_from_lists_with_unknown_labels() -> None:
    batch = Batch.of(inputs(), [3, None, 1, 0], None)
    assert batch.label_list([2, 1]) == [1, None]
    batch.labels = batch.label_list(range(4))
    assert batch.label_list([2, 1]) == [1, None]


@settings(deadline=None)
@given(st.data())
def test_one_hot_rows_become_the_index_of_the_one(data: st.DataObject) -> None:
    classes = data.draw(st.integers(2, 12))
    places = data.draw(st.lists(st.integers(0, classes - 1), max_size=6))
    dtype = data.draw(st.sampled_from([np.int32, np.float32, bool]))
    rows = np.zeros((len(places), classes), dtype)
    rows[range(len(places)), places] = 1
    assert labels_of(rows, len(places)) == places
    assert labels_of(torch.tensor(rows), len(places)) == places


@pytest.mark.parametrize(
    ("row", "shown"),
    [([2, 0], "[2, 0]"), ([1, float("nan")], "[1, nan]"), ([1, -1], "[1, -1]"), ([], "[]")],
)
def test_rows_that_are_no_labels_are_rejected(row: list[float], shown: str) -> None:
    rows = torch.zeros(4, len(row))
    rows[:, :1] = 1
    rows[2] = torch.tensor(row)
    place = 2 if row else 0
    for labels in (rows, rows.numpy(), rows.tolist()):
        with pytest.raises(ValueError, match=re.escape(f"got {shown} in row {place}")):
            labels_of(labels)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0.7, 0.3, 0], [0, 1, 0]], [None, 1]),
        ([[0.995, 0.005, 0], [0.02, 0.02, 0.96]], [0, None]),
        ([[0.05, 0.95], [1, 0]], [None, 0]),
    ],
)
def test_a_soft_label_is_the_class_of_at_least_99_percent(
    rows: list[list[float]], expected: list[int | None]
) -> None:
    for labels in (torch.tensor(rows), np.array(rows), rows, torch.tensor(rows).half()):
        batch = Batch.of(inputs(2), labels, None)
        assert batch.label_kind == "soft"
        assert batch.label_list(range(2)) == expected


@pytest.mark.parametrize("rows", [[[1, 1, 0], [0, 1, 0]], [[0, 0], [0, 1]], [[0.9, 0.8], [0.1, 0]]])
def test_rows_that_name_several_classes_or_none_are_unknown(rows: Any) -> None:
    for labels in (torch.tensor(rows), np.array(rows), rows):
        batch = Batch.of(inputs(2), labels, None)
        assert batch.label_kind == "multi-label"
        assert batch.label_list(range(2)) == [None, None]


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_the_labels_of_a_model_with_one_logit_are_floats(shape: tuple[int, ...]) -> None:
    labels = torch.tensor([0.0, 1.0, 1.0, 0.0]).reshape(shape)
    for form in (labels, labels.numpy(), labels.tolist(), labels.half(), labels.long()):
        assert labels_of(form) == [0, 1, 1, 0]
    assert labels_of(torch.tensor([0.3, 0.995, 1, 0.001]).reshape(shape)) == [None, 1, 1, 0]


@settings(deadline=None)
@given(hnp.arrays(np.float32, st.integers(1, 8), elements=st.floats(-80, 80, width=32)))
def test_the_remedy_for_multi_label_models_works(values: npt.NDArray[np.float32]) -> None:
    z = torch.tensor(values).double().requires_grad_()
    logits = torch.stack((-z, z), 1) / 2
    torch.testing.assert_close(logits.softmax(1)[:, 1], z.sigmoid())
    for column, slope in ((0, -0.5), (1, 0.5)):
        (gradient,) = torch.autograd.grad(logits[:, column].sum(), z, retain_graph=True)
        assert (gradient == slope).all(), "both classes have a gradient"


BAD: list[tuple[str, Any, str]] = [
    ("short", [1], "labels must have one value per sample, 4 in all, got the shape (1,)"),
    ("number", torch.tensor(3), "4 in all, got the shape ()"),
    ("maps", torch.zeros(4, 8, 8).long(), "4 in all, got the shape (4, 8, 8)"),
    ("other batch", torch.eye(3), "4 in all, got the shape (3, 3)"),
    ("no classes", torch.ones(4, 0), "got [] in row 0"),
    ("floats", torch.full((4,), 3.0), "class indices, got a float32 tensor of shape (4,): give"),
    ("float list", [0.0, 2.0, 1.0, 0.0], "labels must be class indices, got a float32 tensor"),
    ("complex", torch.zeros(4, dtype=torch.complex64), "labels must be class indices, got a"),
    (
        "names",
        ["cat", "dog", "cat", "dog"],
        "labels must be class indices, got a list that torch cannot convert",
    ),
    (
        "ragged",
        [[0, 1], [1], [0, 1], [1, 0]],
        "labels must be class indices, got a list that torch cannot convert",
    ),
    (
        "huge",
        [2**70, 0, 0, 0],
        "labels must be class indices, got a list that torch cannot convert",
    ),
    ("text", "0123", "labels must be class indices, got a str"),
    ("mapping", {"labels": [1]}, "labels must be class indices, got a dict"),
]


@pytest.mark.parametrize(("labels", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_other_labels_are_rejected(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        labels_of(labels)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["a", "ü"], ["a", "ü"]),
        ((7, 8), ["7", "8"]),
        (torch.tensor([7, 8]), ["7", "8"]),
        (np.array([7, 8], np.uint16), ["7", "8"]),
        (np.array(["a", "b"]), ["a", "b"]),
        ([Path("a/b.png"), Path("c")], ["a/b.png", "c"]),
        ([("train", 1), None], ["('train', 1)", None]),
    ],
    ids=repr,
)
def test_ids_of_every_type_become_texts(ids: Any, expected: list[str | None]) -> None:
    batch = Batch.of(inputs(2), None, ids)
    assert batch.ids is not None
    assert [id_text(batch.ids[row]) for row in range(2)] == expected


@pytest.mark.parametrize("ids", [["a"], np.zeros(3), {1, 2, 3, 4}, torch.zeros(4, 2)], ids=repr)
def test_ids_of_a_wrong_length_or_type_are_rejected(ids: Any) -> None:
    with pytest.raises(ValueError, match="ids must have one value per sample, 4 in all"):
        Batch.of(inputs(), None, ids)


@pytest.mark.parametrize("shape", [(1, 28, 28), (4, 3, 3), (1, 100), (64, 5)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_images_and_signals_of_every_float_dtype_are_accepted(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    given_inputs = torch.zeros(2, *shape, dtype=dtype)
    assert Batch.of(given_inputs, None, None).inputs is given_inputs


@pytest.mark.parametrize(
    "given_inputs",
    [
        torch.zeros(4, 5, 8, 8),
        torch.zeros(4, 65, 8),
        torch.zeros(4, 64),
        torch.zeros(4, 1, 2, 2, 2),
        torch.zeros(4, 0, 8),
        torch.zeros(4, 1, 0),
        torch.zeros(4, 1, 8, 0),
        torch.zeros(()),
        torch.zeros(4, 1, 8, 8, dtype=torch.int16),
        torch.zeros(4, 1, 8, dtype=torch.complex64),
        np.zeros((4, 1, 8, 8), np.float32),
        torch.empty(1, 1, (1 << 24) + 1, device="meta"),
    ],
    ids=lambda value: str(tuple(value.shape)),
)
def test_other_inputs_are_rejected(given_inputs: Any) -> None:
    with pytest.raises(ValueError, match=r"1 to 4 channels, or signals.* 1 to 64 channels"):
        Batch.of(given_inputs, None, None)


def test_bytes_become_floating_point_numbers_of_the_same_value() -> None:
    images = torch.arange(256, dtype=torch.uint8).reshape(4, 1, 8, 8)
    batch = Batch.of(images, None, None)
    assert batch.inputs.is_floating_point()
    assert torch.equal(batch.inputs.byte(), images)
    assert batch.value_range == (0.0, 255.0)
    assert Batch.of(images.float(), None, None).value_range is None


@pytest.mark.parametrize(
    ("given_inputs", "kind", "remedy"),
    [
        (torch.zeros(4, 8, 8, 3), "auto", "hook(x.permute(0, 3, 1, 2), …)"),
        (torch.zeros(4, 8, 8, 3), "auto", "forward=lambda model, x: model(x.permute(0, 2, 3, 1))"),
        (torch.zeros(4, 64), "auto", "hook(x[:, None], …)"),
        (torch.zeros(4, 8, 8), "image", "hook(x[:, None], …)"),
        (torch.zeros(4, 1, 8, 8), "signal", 'Leave out kind="signal"'),
        (torch.zeros(4, 1, 8, 8, dtype=torch.int64), "auto", "give x.float()"),
        (np.zeros((4, 1, 8, 8)), "auto", "give torch.as_tensor(inputs)"),
    ],
)
def test_an_error_about_inputs_names_the_remedy(given_inputs: Any, kind: Any, remedy: str) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)):
        Batch.of(given_inputs, None, None, kind=kind)


def test_a_long_id_is_shortened_with_a_checksum() -> None:
    long = ["x" * 300 + end for end in ("a", "b")]
    texts = [id_text(name) for name in long]
    assert all(text is not None and len(text) == 256 for text in texts)
    assert texts[0] != texts[1]
    assert texts[0] == id_text(long[0])
    assert id_text("x" * 256) == "x" * 256


@pytest.mark.parametrize("labels", [None, [], torch.zeros(0).long(), np.zeros((0, 10))], ids=repr)
def test_an_empty_batch_is_accepted(labels: Any) -> None:
    batch = Batch.of(inputs(0), labels, [])
    assert len(batch.inputs) == 0
    assert batch.label_list([]) == (None if labels is None else [])


@pytest.mark.parametrize("length", [1, 3])
def test_mean_and_bounds_have_one_value_or_one_per_channel(length: int) -> None:
    mean = (0.5,) * length
    info = SessionInfo(mean=mean, std=mean, bounds=(mean, mean))
    for shape in ((3, 4, 4), (3, 9)):
        Batch.of(torch.zeros(2, *shape), None, None).check_channels(info)
    other = Batch.of(torch.zeros(2, 12, 9), None, None)
    if length > 1:
        with pytest.raises(ValueError, match=r"mean and std .* got 3 for inputs of 12 channels"):
            other.check_channels(info)
        with pytest.raises(ValueError, match=r"bounds must have one value or one per channel"):
            other.check_channels(SessionInfo(bounds=(mean, mean)))
    else:
        other.check_channels(info)
