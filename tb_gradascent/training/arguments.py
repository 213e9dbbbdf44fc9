"""Checks of the arguments of ``GradAscentHook``."""

from __future__ import annotations

import json
import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from tb_gradascent.format.metadata import (
    MAX_CHANNELS,
    MAX_CLASSES,
    MAX_JUDGES,
    MAX_MORPHS,
    MAX_NAME_LENGTH,
    MAX_SHORT_NAME_LENGTH,
    is_short_name,
)
from tb_gradascent.format.remote import RemotePath, is_url
from tb_gradascent.functional.ascent import Ascent, VisibleAscent
from tb_gradascent.functional.validation import describe, is_finite, is_whole

#: The largest float32.
_LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127


def count(name: str, value: object) -> int:
    """Return ``value`` if it is a whole number of at least 1.

    Raises:
        ValueError: ``value`` is another type or too small.
    """
    if not is_whole(value) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def training_step(value: object) -> int:
    """Return ``value`` as an integer; numpy's integers and tensors are allowed.

    Raises:
        ValueError: ``value`` is not a whole number.
    """
    try:
        return operator.index(value)  # type: ignore[arg-type]  # raises for another type
    except Exception:  # a tensor without data raises errors of its own
        raise ValueError(f"step must be a whole number, got {value!r}") from None


def positive(name: str, value: object) -> float:
    """Return ``value`` as a float if it is a positive, finite number.

    Raises:
        ValueError: ``value`` is another type, not positive or not finite.
    """
    if not is_finite(value) or value <= 0:
        raise ValueError(f"{name} must be a positive number, got {value!r}")
    return float(value)


def text(name: str, value: object) -> str:
    """Return ``value`` if it is a text that is short enough for a name.

    Raises:
        ValueError: ``value`` is not a text, or too long.
    """
    if not isinstance(value, str) or len(value) > MAX_NAME_LENGTH:
        raise ValueError(
            f"{name} must be text of at most {MAX_NAME_LENGTH} characters, got {repr(value)[:80]}"
        )
    return value


def tag_name(value: object) -> str:
    """Return ``value`` if TensorBoard can show it as a tag.

    Raises:
        ValueError: ``value`` is empty, too long, begins or ends with a slash or a space, or holds a
            quote, a backslash or a character that cannot be printed.
    """
    tag = text("tag", value)
    # TensorBoard's data server cannot read the arrays of a tag whose JSON holds a backslash.
    if not tag or tag.strip("/ ") != tag or not tag.isprintable() or set(tag) & {'"', "\\"}:
        raise ValueError(
            'tag must be printable text without quotes (") and backslashes, and must not begin or '
            f'end with a slash or a space, got {tag!r}: "confused" is the default'
        )
    return tag


def choice(name: str, value: object, choices: Sequence[str], meaning: str) -> str:
    """Return ``value`` if it is one of the choices.

    Raises:
        ValueError: ``value`` is not one of them. The message ends with ``meaning``.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"{name} must be {' or '.join(map(json.dumps, choices))}, got {value!r}: {meaning}"
        )
    return value


def log_directory(log: object) -> Path | RemotePath:
    """Return the directory of ``log``: a path, or a ``SummaryWriter`` of torch or tensorboardX.

    Raises:
        ValueError: ``log`` is neither, it is a file or a ``Path`` with a scheme, or its scheme is
            unknown or needs a package that is missing.
    """
    if not isinstance(log, (str, os.PathLike)):
        # tensorboardX names the attribute logdir.
        log = getattr(log, "log_dir", None) or getattr(log, "logdir", None) or log
    if isinstance(log, (str, os.PathLike)) and isinstance(path := os.fspath(log), str):
        if is_url(path):
            remote = RemotePath(path)
            remote.file_system()  # raises if a package is missing
            return remote
        if re.match(r"[a-z0-9+.-]{2,}:/", path):
            raise ValueError(
                f"log must be a str if it has a scheme, because a Path turns two slashes into one, "
                f"got {log!r}: give {path.replace(':/', '://', 1)!r}"
            )
        if "\0" not in path:
            if Path(path).is_file():
                raise ValueError(f"log must be a directory, got the file {path!r}")
            return Path(path)
    raise ValueError(
        f'log must be a directory or a SummaryWriter, got {log!r}: give a path such as "runs/mnist"'
    )


def names(value: object) -> tuple[str, ...] | None:
    """Return ``class_names`` as a tuple.

    A mapping from class indices to names, such as the ``id2label`` of Transformers, may have its
    indices as texts. A class that it leaves out is named by its number.

    Raises:
        ValueError: ``value`` is neither a list nor such a mapping, or a name is not a text or too
            long.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        value = _listed(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(
            "class_names must be a list with a name for each class, or a mapping from indices to "
            f'names, got {value!r}: give for example list("0123456789")'
        )
    return tuple(text(f"class_names[{index}]", name) for index, name in enumerate(value))


def _listed(by_index: Mapping[Any, Any]) -> list[Any]:
    """Return the values of a mapping from class indices, in the order of the indices."""
    named = {}
    for key, name in by_index.items():
        index = int(key) if isinstance(key, str) and key.isdecimal() else key
        if not is_whole(index) or not 0 <= index < MAX_CLASSES:
            raise ValueError(
                "class_names must map class indices to names, got "
                f"{repr(dict(by_index))[:80]}: give id2label, not label2id"
            )
        named[int(index)] = name
    return [named.get(index, str(index)) for index in range(max(named, default=-1) + 1)]


def channel_values(name: str, value: object) -> tuple[float, ...] | None:
    """Return a number, or one number per channel, as a tuple of floats.

    Raises:
        ValueError: ``value`` is another type, has too many numbers, or one that is not finite.
    """
    if value is None:
        return None
    tolist = getattr(value, "tolist", None)  # of a tensor or an array
    if tolist is not None:
        value = tolist()
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    values: Sequence[Any] = cast("Sequence[Any]", value) if listed else (value,)
    if not 1 <= len(values) <= MAX_CHANNELS or not all(is_finite(v) for v in values):
        raise ValueError(
            f"{name} must be a finite number, or 1 to {MAX_CHANNELS} of them, one per channel, "
            f"got {value!r}"
        )
    return tuple(float(v) for v in values)


def normalization(
    mean: object, std: object
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Return ``mean`` and ``std`` as tuples of the same length.

    Raises:
        ValueError: Only one is given, their lengths differ, or a std is not positive or too small.
    """
    means, stds = channel_values("mean", mean), channel_values("std", std)
    if (means is None) != (stds is None):
        raise ValueError(
            f"mean and std must be given together, got {mean!r} and {std!r}: "
            "give those of your Normalize transform, or neither"
        )
    if means is None or stds is None:
        return None, None
    if len(means) != len(stds):
        raise ValueError(f"mean and std must have the same length, got {mean!r} and {std!r}")
    if min(stds) <= 0:
        raise ValueError(f"std must be positive, got {std!r}")
    if any(
        max(abs(m), abs(1 - m)) > _LARGEST_FLOAT32 * s for m, s in zip(means, stds, strict=True)
    ):
        raise ValueError(
            f"std must not be so small that (1 - mean) / std overflows float32, got {std!r}"
        )
    return means, stds


def legal_bounds(
    bounds: object, mean: tuple[float, ...] | None, std: tuple[float, ...] | None
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return the lowest and the highest legal values, each with one value per channel.

    The default follows from ``mean`` and ``std`` if they are given: [0, 1] after denormalization.

    Raises:
        ValueError: ``bounds`` is not a pair of numbers or lists, or low is not below high.
    """
    if bounds is None:
        if mean is None or std is None:
            return None
        return (
            tuple((0 - m) / s for m, s in zip(mean, std, strict=True)),
            tuple((1 - m) / s for m, s in zip(mean, std, strict=True)),
        )
    rule = (
        "bounds must be a pair (low, high), each a number or one number per channel, low below high"
    )
    if isinstance(bounds, str) or not isinstance(bounds, Sequence) or len(bounds) != 2:
        raise ValueError(f"{rule}, got {bounds!r}: give (0, 1) if inputs are not normalized")
    low, high = (channel_values("bounds", bound) for bound in bounds)
    if low is None or high is None:
        raise ValueError(f"{rule}, got {bounds!r}")
    length = max(len(low), len(high))
    low, high = (bound * length if len(bound) == 1 else bound for bound in (low, high))
    if len(low) != len(high) or not all(a < b for a, b in zip(low, high, strict=True)):
        raise ValueError(f"{rule}, got {bounds!r}")
    return low, high


def images(value: object) -> bool | Callable[[Tensor], Tensor]:
    """Return ``value`` if it is true, false or a callable.

    Raises:
        ValueError: ``value`` is something else.
    """
    if isinstance(value, bool):
        return value
    if not callable(value):
        raise ValueError(
            "images must be True, False or a callable that maps images (N, …) to images of the "
            f"same shape, got {value!r}: False stores no image"
        )
    return cast("Callable[[Tensor], Tensor]", value)


def fraction(name: str, value: object) -> float | None:
    """Return ``value`` if it is above 0 and below 1, or ``None``.

    Raises:
        ValueError: ``value`` is something else.
    """
    if value is None:
        return None
    if not is_finite(value) or not 0 < value < 1:
        raise ValueError(
            f"{name} must be a number above 0 and below 1, got {value!r}: 0.01 is one per cent, "
            "and None sets no limit"
        )
    return float(value)


def ascents(value: object) -> dict[str, Ascent]:
    """Return ``ascent`` as ascents by name, empty for ``None``.

    A single ascent is named ``"visible"`` or ``"smallest"``, by its kind.

    Raises:
        ValueError: ``value`` is something else.
    """
    if value is None:
        return {}
    if isinstance(value, Ascent):
        return {"visible" if isinstance(value, VisibleAscent) else "smallest": value}
    if (
        not isinstance(value, Mapping)
        or not 1 <= len(value) <= MAX_MORPHS
        or not all(isinstance(ascent, Ascent) for ascent in value.values())
    ):
        raise ValueError(
            f"ascent must be an Ascent(…), a mapping of 1 to {MAX_MORPHS} of them by name, or "
            f"None, got {value!r}"
        )
    return {short_name("ascent", name): ascent for name, ascent in value.items()}


def unwrapped_optimizer(value: object) -> torch.optim.Optimizer:
    """Return the optimizer that steps, inside the wrappers of Accelerate, Fabric and fastai.

    Raises:
        ValueError: ``value`` is no optimizer and wraps none.
    """
    for name in ("optimizer", "opt") * 2:
        inner = getattr(value, name, None)
        value = inner if isinstance(inner, torch.optim.Optimizer) else value
    if not isinstance(value, torch.optim.Optimizer):
        raise ValueError(
            f"optimizer must be a torch.optim.Optimizer, got {describe(value)} of the module "
            f"{type(value).__module__}: give the optimizer inside it, or call "
            "hook(inputs, logits, labels) in the loop"
        )
    return value


def judges(value: object) -> dict[str, nn.Module]:
    """Return ``judges`` as modules by name, empty for ``None``.

    Raises:
        ValueError: ``value`` is something else.
    """
    if value is None:
        return {}
    if (
        not isinstance(value, Mapping)
        or len(value) > MAX_JUDGES
        or not all(isinstance(judge, nn.Module) for judge in value.values())
    ):
        raise ValueError(
            f"judges must be a mapping of at most {MAX_JUDGES} torch.nn.Modules by name, got "
            f'{value!r}: judges={{"ema": ema_model}}'
        )
    return {short_name("judges", name): judge for name, judge in value.items()}


def short_name(argument: str, name: object) -> str:
    """Return the name of an ascent or a judge.

    Raises:
        ValueError: ``name`` is not a printable text, or it is too long.
    """
    if not is_short_name(name):
        raise ValueError(
            f"{argument} must have names of 1 to {MAX_SHORT_NAME_LENGTH} printable characters, got "
            f"{repr(name)[:80]}"
        )
    return name
