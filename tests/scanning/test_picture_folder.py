"""Which pictures a folder holds, and which labels its folders stand for."""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tb_gradascent.scanning.errors import CommandError
from tb_gradascent.scanning.picture_folder import (
    Picture,
    PictureBatches,
    find_pictures,
    label_folders,
    open_picture,
    preprocessed,
    read_picture,
)

ANIMALS = ("tabby, tabby cat", "crane", "golden_retriever", "crane")


def test_pictures_are_sorted_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    names = ("b/2.JPG", "b/1.png", "a/x/3.webp", "top.gif", ".git/4.png", "b/.5.png", "b/6.txt")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_pictures(tmp_path)
    assert [(picture.id, picture.folder) for picture in found] == [
        ("a/x/3.webp", "a"),
        ("b/1.png", "b"),
        ("b/2.JPG", "b"),
        ("top.gif", None),
    ]


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "1.png").touch()
    root = tmp_path / "root"
    root.mkdir()
    (root / "cat").symlink_to(outside)
    (root / "self").symlink_to(root)
    assert [picture.id for picture in find_pictures(root)] == ["cat/1.png"]


def test_folders_with_the_names_of_classes_are_their_labels() -> None:
    labels = label_folders(["Golden retriever", "tabby", "other"], 4, ANIMALS)
    assert labels.of_folder == {"Golden retriever": 2, "tabby": 0}
    assert labels.class_names == ANIMALS
    assert "2 of 3 folders" in labels.explanation
    assert "no class is called 'other'" in labels.explanation


def test_a_name_that_two_classes_have_is_no_label() -> None:
    assert label_folders(["crane"], 4, ANIMALS).of_folder == {}


def test_codes_of_classes_are_names_too() -> None:
    codes = ("n01", "n02", "n03", "n04")
    assert label_folders(["n04", "n02"], 4, ANIMALS, codes).of_folder == {"n02": 1, "n04": 3}


@pytest.mark.parametrize("names", [None, ANIMALS])
def test_as_many_folders_as_classes_are_numbered_in_alphabetical_order(
    names: tuple[str, ...] | None,
) -> None:
    labels = label_folders(["d2", "d10", "d1", "d3", "d1"], 4, names)
    assert labels.of_folder == {"d1": 0, "d10": 1, "d2": 2, "d3": 3}
    assert labels.class_names == (names or ("d1", "d10", "d2", "d3"))


@pytest.mark.parametrize("classes", [None, 5])
def test_another_number_of_folders_gives_no_labels(classes: int | None) -> None:
    labels = label_folders(["train", "val"], classes, None)
    assert (labels.of_folder, labels.class_names) == ({}, None)
    assert labels.explanation.startswith("no labels: no folder has the name of a class")
    assert "('train', 'val')" in labels.explanation


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_a_pixel_keep_their_brightness(tmp_path: Path, channels: int) -> None:
    values = np.array([[0, 257 * 100, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    opened = np.asarray(open_picture(tmp_path / "deep.png", channels))
    assert opened.reshape(3, -1)[:, 0].tolist() == [0, 100, 255]
    assert opened.ndim == (2 if channels == 1 else 3)


def test_floating_point_pictures_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "heights.tiff")
    with pytest.raises(ValueError, match="range is unknown"):
        open_picture(tmp_path / "heights.tiff", 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "LA", "YCbCr"])
def test_any_mode_becomes_grey_or_colour(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.png" if mode not in ("CMYK", "YCbCr") else "a.jpg")
    Image.new(mode, (3, 2)).save(path)
    assert open_picture(path, 1).mode == "L"
    assert open_picture(path, 3).mode == "RGB"


def test_a_picture_that_claims_to_be_huge_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "bomb.bmp"
    Image.new("L", (8, 8)).save(path)
    data = bytearray(path.read_bytes())
    data[18:26] = (40_000).to_bytes(4, "little") * 2
    path.write_bytes(data)
    batches = PictureBatches(
        [Picture(path, "bomb.bmp", None)], lambda _: torch.zeros(1, 1, 1), {}, 1, 4, print
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert list(batches) == []
    assert "DecompressionBombError" in batches.unreadable["bomb.bmp"]


@pytest.mark.parametrize("wrong", [None, torch.zeros(2, 2), torch.zeros(1, 2, 2).long()])
def test_a_preprocessing_must_return_a_picture(wrong: object) -> None:
    with pytest.raises(CommandError, match=r"float tensor of shape \(channels, height, width\)"):
        preprocessed(lambda _: wrong, Image.new("L", (2, 2)))  # type: ignore[arg-type, return-value]


def test_a_pipe_with_the_name_of_a_picture_is_unreadable(tmp_path: Path) -> None:
    """To open a pipe waits until someone writes to it."""
    os.mkfifo(tmp_path / "pipe.png")
    (picture,) = find_pictures(tmp_path)
    told: list[object] = []
    reading = threading.Thread(
        target=lambda: told.append(read_picture(picture, 1, lambda _: torch.zeros(1, 2, 2))),
        daemon=True,
    )
    reading.start()
    reading.join(10)
    assert told == ["ValueError: it is no regular file"]
