"""A folder of pictures: which files it holds, their labels, and batches of tensors."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from tb_gradascent.functional.validation import describe
from tb_gradascent.scanning.errors import CommandError

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS: Final = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
"""The ends of names of pictures, as in torchvision's ``ImageFolder``, and ``.gif``."""

UNKNOWN: Final = -1
"""The label of a picture whose class is unknown."""

_LISTED: Final = 5
"""Names in a message at most."""

Preprocess = Callable[["Image"], Tensor]
"""Maps a picture of Pillow to the input of the model, float, shape (channels, height, width)."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A file that may be a picture.

    Attributes:
        path: Where it is.
        id: Its path relative to the folder that was searched, with slashes.
        folder: The first folder of ``id``; ``None`` for a file at the top.
    """

    path: Path
    id: str
    folder: str | None


def find_pictures(root: Path) -> list[Picture]:
    """Return the pictures below a folder, sorted by path. Hidden files and folders are left out.

    Raises:
        CommandError: ``root`` is not a folder, or holds no picture.
    """
    if not root.is_dir():
        raise CommandError(f"--images must be a folder of pictures, got {str(root)!r}")
    found = []
    others = 0
    for path in sorted(_files_below(root)):
        parts = path.relative_to(root).parts
        if path.suffix.lower() in ENDINGS:
            found.append(Picture(path, "/".join(parts), parts[0] if len(parts) > 1 else None))
        else:
            others += 1
    if not found:
        held = f"{others} files of other kinds" if others else "no file"
        raise CommandError(
            f"--images must hold pictures ({', '.join(sorted(ENDINGS))}), got {str(root)!r} with "
            f"{held}"
        )
    return found


def _files_below(root: Path) -> Iterator[Path]:
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = Path(folder).resolve()
        if real in seen:  # a link leads back to it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in files if not name.startswith("."))


@dataclasses.dataclass(frozen=True)
class Labels:
    """The labels that the folders of pictures stand for.

    Attributes:
        of_folder: The class of a folder. A folder that is missing stands for no class.
        class_names: The names of all classes, if they are known.
        explanation: Where the labels come from, in one line.
    """

    of_folder: Mapping[str, int]
    class_names: tuple[str, ...] | None
    explanation: str


def label_folders(
    folders: Sequence[str],
    classes: int | None,
    class_names: tuple[str, ...] | None,
    class_codes: Sequence[str] = (),
) -> Labels:
    """Find the class that each folder stands for.

    If names of folders are names of classes, they are the labels. Otherwise, if there are as many
    folders as classes, the folders in alphabetical order are the classes 0, 1, …: so torchvision's
    ``ImageFolder`` numbers them. Otherwise no label is known.

    Args:
        folders: The folders' names.
        classes: How many classes the network has, if that is known.
        class_names: The name of class 0, 1, …, if they are known.
        class_codes: Other names of the classes, such as WordNet's "n01440764".
    """
    ordered = sorted(set(folders))
    if not ordered:
        return Labels({}, class_names, "no labels: the pictures are in no folders")
    known = {
        **_index_of_names([name.partition(",")[0] for name in class_names or ()]),
        **_index_of_names(class_codes),
        **_index_of_names(class_names or ()),
    }
    matched = {name: known[_plain(name)] for name in ordered if _plain(name) in known}
    if matched:
        others = [name for name in ordered if name not in matched]
        rest = f"; no class is called {_listed(others)}" if others else ""
        return Labels(
            matched,
            class_names,
            f"labels: {len(matched)} of {len(ordered)} folders have the name of a class{rest}",
        )
    if len(ordered) == classes:
        return Labels(
            {name: index for index, name in enumerate(ordered)},
            class_names or tuple(ordered),
            f"labels: the {classes} folders in alphabetical order, as ImageFolder numbers them "
            "(for another order give --class-names)",
        )
    number = "an unknown number of" if classes is None else str(classes)
    return Labels(
        {},
        class_names,
        f"no labels: no folder has the name of a class, and there are {len(ordered)} folders "
        f"({_listed(ordered)}) for {number} classes; give --class-names with the folders' names",
    )


def _index_of_names(names: Sequence[str]) -> dict[str, int]:
    """The index of each name that no other class has."""
    plain = [_plain(name) for name in names]
    return {name: index for index, name in enumerate(plain) if plain.count(name) == 1}


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(repr, names[:_LISTED])) + more


def open_picture(path: Path, channels: int) -> Image:
    """Return a picture as Pillow's mode ``L`` (one channel) or ``RGB`` (any other number).

    Raises:
        Exception: The file is no picture, or damaged, or its values are floating point numbers.
    """
    from PIL import Image

    if path.exists() and not path.is_file():  # to open a pipe would wait for its writer
        raise ValueError("it is no regular file")
    with Image.open(path) as opened:
        opened.load()
        picture: Image.Image = opened
        if picture.mode == "F":
            raise ValueError("its values are floating point numbers, whose range is unknown")
        if picture.mode.startswith("I"):  # 16 bits a pixel, which convert() would clip at 255
            values = np.asarray(picture).clip(0, 65535) / 257
            picture = Image.fromarray(values.round().astype(np.uint8))
        return picture.convert("L" if channels == 1 else "RGB")


class PictureBatches:
    """An iterable of batches, each a mapping with ``inputs``, ``labels`` and ``ids``.

    Pictures are read by threads, one batch ahead. Pictures of different sizes come in different
    batches.

    Args:
        pictures: What to read.
        preprocess: See :data:`Preprocess`.
        of_folder: The class of each folder.
        channels: How many channels the model takes.
        batch_size: The largest number of pictures in a batch.
        on_end: Is called after the last batch with the number of pictures that were read.

    Attributes:
        read: How many pictures were read.
        unreadable: The ids of the other ones, each with the reason.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        preprocess: Preprocess,
        of_folder: Mapping[str, int],
        channels: int,
        batch_size: int,
        on_end: Callable[[int], object],
    ) -> None:
        self._on_end = on_end
        self.read = 0
        self.unreadable: dict[str, str] = {}
        self._parts = [
            pictures[start : start + batch_size] for start in range(0, len(pictures), batch_size)
        ]
        self._preprocess = preprocess
        self._of_folder = of_folder
        self._channels = channels

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            results = [pool.map(self._input, part) for part in self._parts[:1]]
            for part, following in itertools.zip_longest(self._parts, self._parts[1:]):
                if following is not None:
                    results.append(pool.map(self._input, following))
                yield from self._batches(part, results.pop(0))
        self._on_end(self.read)

    def _batches(
        self, part: Sequence[Picture], results: Iterator[Tensor | str]
    ) -> Iterator[dict[str, Any]]:
        of_shape: dict[object, list[tuple[Picture, Tensor]]] = {}
        for picture, result in zip(part, results, strict=True):
            if isinstance(result, str):
                self.unreadable[picture.id] = result
            else:
                of_shape.setdefault((result.shape, result.dtype), []).append((picture, result))
        for alike in of_shape.values():
            self.read += len(alike)
            labels = [self._of_folder.get(picture.folder or "", UNKNOWN) for picture, _ in alike]
            yield {
                "inputs": torch.stack([tensor for _, tensor in alike]),
                "labels": torch.tensor(labels) if self._of_folder else None,
                "ids": [picture.id for picture, _ in alike],
            }

    def _input(self, picture: Picture) -> Tensor | str:
        return read_picture(picture, self._channels, self._preprocess)


def read_picture(picture: Picture, channels: int, preprocess: Preprocess) -> Tensor | str:
    """Return the model's input for a picture, or the reason why it cannot be read."""
    try:
        opened = open_picture(picture.path, channels)
    except Exception as error:  # Pillow's readers raise errors of many kinds
        return f"{type(error).__name__}: {error}"
    return preprocessed(preprocess, opened)


def preprocessed(preprocess: Preprocess, picture: Image) -> Tensor:
    """Return the model's input for a picture, float, shape (channels, height, width).

    Raises:
        CommandError: ``preprocess`` returned something else.
    """
    result: object = preprocess(picture)
    if (
        not isinstance(result, Tensor)
        or result.dim() != 3
        or not (result.is_floating_point() or result.dtype == torch.uint8)
    ):
        raise CommandError(
            "the preprocessing must return a float tensor of shape (channels, height, width), got "
            f"{describe(result)}: check --transform"
        )
    return result
