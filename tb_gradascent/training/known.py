"""What a model, a data set or an image processor knows: class names, mean and std.

No framework is imported. Objects are recognised by their attributes:

- data sets by ``classes`` (torchvision), ``features`` (Hugging Face) or ``vocab`` (fastai);
- transforms by ``mean`` and ``std`` of a ``Normalize`` (torchvision, albumentations, fastai);
- image processors by ``image_mean`` (Transformers);
- models by ``config.id2label`` (Transformers) and ``pretrained_cfg`` (timm).

>>> know(loader).or_else(know_model(model))
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from tb_gradascent.format.metadata import (
    MAX_IMAGE_CHANNELS,
    MAX_NAME_LENGTH,
    MAX_SESSION_INFO_BYTES,
)
from tb_gradascent.functional.validation import is_finite
from tb_gradascent.model.model_io import LABEL_NAMES


class ClassNames(NamedTuple):
    """The names of the classes 0, 1, …, and where they were found."""

    names: tuple[str, ...]
    source: str


class Normalization(NamedTuple):
    """How images were normalised.

    Attributes:
        mean, std: One number for each channel, or one for all: ``image * std + mean`` is within
            [0, 1].
        source: Where they were found.
        applied: Whether it was found where it is applied to the images. Otherwise a
            model was once trained with it, and no more is known.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str
    applied: bool

    def fits(self, images: Tensor) -> bool:
        """Return whether images (N, channels, height, width) look normalised in this way.

        At least 99 % of their values are then within [0, 1], apart from a small rounding. If the
        normalization was not found where it is applied, the values must also cover nine tenths
        of that range. So images that were normalised in another way, or not at all, do not fit.
        """
        if images.dim() != 4 or len(self.mean) not in (1, images.shape[1]) or images.is_meta:
            return False
        values = images.detach().float()
        mean, std = (values.new_tensor(numbers).view(1, -1, 1, 1) for numbers in self[:2])
        shown = values * std + mean
        inside = (shown > -_ROUNDING) & (shown < 1 + _ROUNDING)  # neither NaN nor infinite
        low = shown.where(inside, torch.inf).amin()
        high = shown.where(inside, -torch.inf).amax()
        # One transfer to the host.
        part, low_shown, high_shown = torch.stack((inside.float().mean(), low, high)).tolist()
        covers = low_shown < _COVERED and high_shown > 1 - _COVERED
        return part >= _INSIDE and (self.applied or covers)


#: See :meth:`Normalization.fits`.
_ROUNDING: Final = 0.01
_INSIDE: Final = 0.99
_COVERED: Final = 0.05


@dataclasses.dataclass(frozen=True)
class Known:
    """Class names and a normalization, each ``None`` if it was not found."""

    class_names: ClassNames | None = None
    normalization: Normalization | None = None

    def or_else(self, other: Known) -> Known:
        """Return this, and what is missing from another one.

        A normalization that was found where it is applied counts more than any other one.
        """
        first, second = self.normalization, other.normalization
        if first is None or (second is not None and second.applied and not first.applied):
            first = second
        return Known(self.class_names or other.class_names, first)


def know(data: object) -> Known:
    """Return what data know.

    Args:
        data: A data loader, a data set, a transform or an image processor, or a tuple of them. Of
            several that know something, the first counts.
    """
    if type(data) is tuple:
        return functools.reduce(Known.or_else, map(know, data), Known())
    with contextlib.suppress(Exception):  # attributes of foreign objects may do anything
        names = [found for one in _data_sets(data) if (found := _names_of(one)) is not None]
        return Known(_agreed(names), _only(_normalizations(data)))
    return Known()


def know_model(model: nn.Module) -> Known:
    """Return what the configurations of a model and its parts know.

    The normalization is that of the images that the model was trained with first.
    """
    with contextlib.suppress(Exception):
        return _know_configurations(list(_configurations(model)))
    return Known()


def _know_configurations(configurations: Iterable[tuple[str, object]]) -> Known:
    names: list[ClassNames] = []
    normalizations: list[Normalization] = []
    for where, config in configurations:
        source = f"the model's {where}"
        labels = _named_labels(_get(config, "id2label"))
        if labels:
            names.append(ClassNames(labels, f"{source}.id2label"))
        labels = _as_names(_get(config, "label_names"))
        if labels:
            names.append(ClassNames(labels, f"{source}.label_names"))
        found = _normalization(_get(config, "mean"), _get(config, "std"), source, applied=False)
        if found:
            normalizations.append(found)
    return Known(_agreed(names), _only(normalizations))


def _configurations(model: nn.Module) -> Iterator[tuple[str, object]]:
    """Yield the configurations of a model and its parts, each with the attribute's name."""
    seen: list[object] = []  # each part of a Transformers model holds the same one
    for module in model.modules():
        for where in ("config", "pretrained_cfg", "default_cfg"):
            config = vars(module).get(where)
            if config is None or any(config is one for one in seen):
                continue
            seen.append(config)
            yield where, config
            inner = _get(config, "pretrained_cfg")  # of timm's models in Transformers
            if inner is not None:
                yield f"{where}.pretrained_cfg", inner


def _named_labels(id2label: object) -> tuple[str, ...] | None:
    """The values of Transformers' ``id2label``, unless they are its own "LABEL_0", "LABEL_1", …."""
    if not isinstance(id2label, Mapping) or not id2label:
        return None
    by_index = {int(key): str(name) for key, name in id2label.items()}
    if sorted(by_index) != list(range(len(by_index))):
        return None
    names = [by_index[index] for index in range(len(by_index))]
    if names == [f"LABEL_{index}" for index in range(len(names))]:
        return None
    return _as_names(names)


def _names_of(data_set: object) -> ClassNames | None:
    """The class names that a data set has."""
    if getattr(data_set, "target_transform", None) is not None:
        return None  # labels are other numbers than the classes have
    for attribute in ("classes", "class_names", "vocab"):
        names = _as_names(getattr(data_set, attribute, None))
        if names:
            return ClassNames(names, f"{_type_name(data_set)}.{attribute}")
    features = getattr(data_set, "features", None)
    if isinstance(features, Mapping):
        named = {
            str(key): names
            for key, value in features.items()
            if (names := _as_names(getattr(value, "names", None)))
        }
        key = next((name for name in LABEL_NAMES if name in named), None)
        key = next(iter(named)) if key is None and len(named) == 1 else key
        if key is not None:
            return ClassNames(named[key], f"{_type_name(data_set)}.features[{key!r}]")
    return None


def _as_names(value: object) -> tuple[str, ...] | None:
    """Names of at least two classes. Of several names of a class, the first counts."""
    if isinstance(value, (str, bytes, Mapping, Tensor)) or not isinstance(value, Collection):
        return None
    names = []
    for given in value:
        name = given[0] if isinstance(given, (tuple, list)) and given else given
        if not isinstance(name, (str, int)) or isinstance(name, bool):
            return None
        names.append(str(name)[:MAX_NAME_LENGTH])
    short = sum(map(len, names)) < MAX_SESSION_INFO_BYTES // 16  # as JSON, whatever the letters
    return tuple(names) if len(names) >= 2 and short else None


#: Attributes of loaders and data sets that hold data sets.
_HOLD_DATA: Final = (
    "dataset",
    "datasets",
    "loader",
    "base_dataloader",
    "_dataloader",
    "iterables",
    "loaders",
    "train_ds",
)
#: Attributes of data sets and transforms that hold transforms.
_HOLD_TRANSFORMS: Final = (
    "transform",
    "transforms",
    "_transform",
    "_transforms",
    "tfms",
    "preprocess",
    "image_transform",
    "image_processor",
    "_format_kwargs",  # of Hugging Face's data sets
    "after_batch",  # of fastai's loaders
    "fs",
    "func",  # of functools.partial
    "args",
    "keywords",
)
_DEEPEST: Final = 8
_MOST: Final = 500


def _data_sets(source: object) -> Iterator[object]:
    """Yield a loader or data set, and the data sets inside it."""
    return _walk(source, lambda holder: _attributes(holder, _HOLD_DATA))


def _normalizations(source: object) -> Iterator[Normalization]:
    """Yield the normalizations in a loader, a data set, a transform or an image processor."""

    def inner(holder: object) -> Iterator[object]:
        yield from _attributes(holder, _HOLD_DATA)
        yield from _attributes(holder, _HOLD_TRANSFORMS)
        if isinstance(holder, (types.FunctionType, types.MethodType)):
            yield from _reached(holder)

    for one in _walk(source, inner):
        found = _of_transform(one) or _of_processor(one)
        if found is not None:
            yield found


def _walk(source: object, inner: Callable[[object], Iterable[object]]) -> Iterator[object]:
    waiting = [(source, 0)]
    seen: list[object] = []
    while waiting and len(seen) < _MOST:
        one, depth = waiting.pop(0)
        if one is None or isinstance(one, (str, bytes, int, float, Tensor, types.ModuleType)):
            continue
        if any(one is other for other in seen):
            continue
        seen.append(one)
        yield one
        if depth < _DEEPEST:
            listed: Iterable[object] = ()
            if isinstance(one, Mapping):
                listed = list(one.values())[:_MOST]
            elif isinstance(one, (list, tuple)) and len(one) < _MOST:
                listed = one
            waiting += [(value, depth + 1) for value in (*listed, *inner(one))]


def _attributes(holder: object, names: Iterable[str]) -> Iterator[object]:
    for name in names:
        with contextlib.suppress(Exception):
            yield getattr(holder, name, None)


def _reached(function: Any) -> Iterator[object]:
    """Yield what a function uses by name: what it closes over, and the globals that it names.

    Transforms of Hugging Face's data sets are often functions that call another transform.
    """
    yield getattr(function, "__self__", None)
    function = getattr(function, "__func__", function)
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # an empty cell
            yield cell.cell_contents
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        # Of functions only those of the same file.
        if getattr(value, "__globals__", function.__globals__) is function.__globals__:
            yield value


#: torchvision's, albumentations' and fastai's transforms, and the preset of torchvision's weights.
_NORMALIZE: Final = frozenset({"Normalize", "ImageClassification", "PrefetchLoader"})


def _of_transform(transform: object) -> Normalization | None:
    if isinstance(transform, type) or not any(
        parent.__name__ in _NORMALIZE for parent in type(transform).__mro__
    ):
        return None
    if getattr(transform, "normalization", None) not in (None, "standard"):  # albumentations
        return None
    mean, std = getattr(transform, "mean", None), getattr(transform, "std", None)
    return _normalization(mean, std, f"{_type_name(transform)} in the data's transform")


def _of_processor(processor: object) -> Normalization | None:
    """Of an image processor of Transformers, which gets bytes and scales them to [0, 1] first."""
    mean, std = getattr(processor, "image_mean", None), getattr(processor, "image_std", None)
    if isinstance(processor, type) or mean is None or std is None:
        return None
    factor = getattr(processor, "rescale_factor", None) or 1 / 255
    if getattr(processor, "do_rescale", True) is False or abs(factor * 255 - 1) > 0.01:
        return None
    if getattr(processor, "do_normalize", True) is False:
        mean, std = 0.0, 1.0
    return _normalization(mean, std, f"the {_type_name(processor)}")


def _normalization(
    mean: object, std: object, source: str, *, applied: bool = True
) -> Normalization | None:
    """A normalization by numbers, sequences or tensors; ``None`` if they are none."""
    means, stds = _numbers(mean), _numbers(std)
    if not means or not stds or not min(stds) > 0:
        return None
    length = max(len(means), len(stds))
    means, stds = (one * length if len(one) == 1 else one for one in (means, stds))
    if len(means) != len(stds) or length > MAX_IMAGE_CHANNELS:
        return None
    if max(means) > 1:  # of bytes
        means, stds = (tuple(number / 255 for number in one) for one in (means, stds))
    # Rounded, because a tensor's float32 are not what a person wrote.
    means, stds = (tuple(round(number, 7) for number in one) for one in (means, stds))
    return Normalization(means, stds, source, applied)


def _numbers(value: object) -> tuple[float, ...] | None:
    """A number, or several in any shape, such as (1, 3, 1, 1), as a tuple of floats."""
    flat = getattr(value, "flatten", None)
    if flat is not None:
        value = flat().tolist()
    values: Sequence[Any] = value if isinstance(value, (tuple, list)) else (value,)
    return tuple(map(float, values)) if values and all(map(is_finite, values)) else None


def _agreed(found: Sequence[ClassNames]) -> ClassNames | None:
    """The first, if all name the classes alike, as data sets for training and validation do."""
    return found[0] if len({one.names for one in found}) == 1 else None


def _only(found: Iterable[Normalization]) -> Normalization | None:
    """The first, if all are the same."""
    listed = list(found)
    return listed[0] if len({one[:2] for one in listed}) == 1 else None


def _get(holder: object, name: str) -> object:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _type_name(value: object) -> str:
    return type(value).__name__
