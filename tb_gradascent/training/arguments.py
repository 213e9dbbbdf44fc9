"""Checks of what a user gave ``GradAscentHook``: argument, rule, value and remedy in each error."""

from __future__ import annotations

import json
import operator
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from tb_gradascent.format.metadata import MAX_CHANNELS, MAX_NAME_LENGTH
from tb_gradascent.format.remote import RemotePath, is_url
from tb_gradascent.functional.validation import is_finite, is_whole

#: Float32's largest number.
_LARGEST = (2 - 2**-23) * 2.0**127


def whole_number(name: str, value: object, least: int) -> int:
    """``value``, if it is a whole number of at least ``least``.

    Raises:
        ValueError: It is not.
    """
    if not is_whole(value) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, and is {value!r}")
    return int(value)


def training_step(value: object) -> int:
    """``value`` as a whole number, be it numpy's or a tensor.

    Raises:
        ValueError: It is none.
    """
    try:
        return operator.index(value)  # type: ignore[arg-type]  # which this finds out
    except Exception:  # a tensor may hold no value that can be had
        raise ValueError(f"step must be a whole number, and is {value!r}") from None


def positive(name: str, value: object) -> float:
    """``value``, if it is a positive, finite number.

    Raises:
        ValueError: It is not.
    """
    if not is_finite(value) or value <= 0:
        raise ValueError(f"{name} must be a positive number, and is {value!r}")
    return float(value)


def text(name: str, value: object) -> str:
    """``value``, if it may be a name.

    Raises:
        ValueError: It is no text, or too long.
    """
    if not isinstance(value, str) or len(value) > MAX_NAME_LENGTH:
        raise ValueError(
            f"{name} must be text of at most {MAX_NAME_LENGTH} characters, "
            f"and is {repr(value)[:80]}"
        )
    return value


def tag_name(value: object) -> str:
    """``value``, if it may be a TensorBoard tag.

    Raises:
        ValueError: It may not.
    """
    tag = text("tag", value)
    # TensorBoard's data server reads no arrays of a tag whose JSON holds a backslash.
    if not tag or tag.strip("/ ") != tag or not tag.isprintable() or set(tag) & {'"', "\\"}:
        raise ValueError(
            'tag must be printable text without quotes (") and backslashes that neither begins nor '
            f'ends with a slash or a space, and is {tag!r}: "confused" is the default'
        )
    return tag


def choice(name: str, value: object, choices: Sequence[str], meaning: str) -> str:
    """``value``, if it is one of the choices.

    Raises:
        ValueError: It is not; the message says what the choices mean.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"{name} must be {' or '.join(map(json.dumps, choices))}, and is {value!r}: {meaning}"
        )
    return value


def log_directory(log: object) -> Path | RemotePath:
    """The directory that ``log`` names: a path, or a ``SummaryWriter`` of torch or tensorboardX.

    Raises:
        ValueError: It is neither; or its scheme is not known, needs a package that is missing, or
            was spoilt by a ``Path``.
    """
    if not isinstance(log, (str, os.PathLike)):
        # tensorboardX calls it logdir.
        log = getattr(log, "log_dir", None) or getattr(log, "logdir", None) or log
    if isinstance(log, (str, os.PathLike)) and isinstance(path := os.fspath(log), str):
        if is_url(path):
            remote = RemotePath(path)
            remote.file_system()  # or says what is missing
            return remote
        if re.match(r"[a-z0-9+.-]{2,}:/", path):
            raise ValueError(
                f"log must be a str where it has a scheme, since a Path makes one slash of two, "
                f"and is {log!r}: give {path.replace(':/', '://', 1)!r}"
            )
        if "\0" not in path:
            return Path(path)
    raise ValueError(
        f"log must be a directory or a SummaryWriter, and is {log!r}: "
        'give a path such as "runs/mnist"'
    )


def names(value: object) -> tuple[str, ...] | None:
    """``class_names`` as a tuple.

    Raises:
        ValueError: It is not a sequence of short texts.
    """
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(
            f"class_names must be a list with a name for each class, and is {value!r}: "
            'list("0123456789"), say'
        )
    return tuple(text(f"class_names[{place}]", name) for place, name in enumerate(value))


def channel_values(name: str, value: object) -> tuple[float, ...] | None:
    """A number, or a number a channel, as a tuple.

    Raises:
        ValueError: It is something else, or not finite.
    """
    if value is None:
        return None
    tolist = getattr(value, "tolist", None)  # tensors and arrays
    if tolist is not None:
        value = tolist()
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    values: Sequence[Any] = cast("Sequence[Any]", value) if listed else (value,)
    if not 1 <= len(values) <= MAX_CHANNELS or not all(is_finite(v) for v in values):
        raise ValueError(
            f"{name} must be a finite number, or 1 to {MAX_CHANNELS} of them, one a channel, "
            f"and is {value!r}"
        )
    return tuple(float(v) for v in values)


def normalization(
    mean: object, std: object
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """``mean`` and ``std``, of one length.

    Raises:
        ValueError: Only one is given, their lengths differ, or a std is not positive.
    """
    means, stds = channel_values("mean", mean), channel_values("std", std)
    if (means is None) != (stds is None):
        raise ValueError(
            f"mean and std must be given together, and are {mean!r} and {std!r}: "
            "give those of your Normalize transform, or neither"
        )
    if means is None or stds is None:
        return None, None
    if len(means) != len(stds):
        raise ValueError(f"mean and std must have one length, and are {mean!r} and {std!r}")
    if min(stds) <= 0:
        raise ValueError(f"std must be positive, and is {std!r}")
    if any(max(abs(m), abs(1 - m)) > _LARGEST * s for m, s in zip(means, stds, strict=True)):
        raise ValueError(
            f"std must not be so small that (1 - mean) / std is no float32, and is {std!r}"
        )
    return means, stds


def legal_bounds(
    bounds: object, mean: tuple[float, ...] | None, std: tuple[float, ...] | None
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """``bounds`` as a tuple of lowest and highest values, a value a channel each.

    Without ``bounds``, they follow from ``mean`` and ``std``, if given: [0, 1] once denormalized.

    Raises:
        ValueError: It is no pair, or not in order.
    """
    if bounds is None:
        if mean is None or std is None:
            return None
        return (
            tuple((0 - m) / s for m, s in zip(mean, std, strict=True)),
            tuple((1 - m) / s for m, s in zip(mean, std, strict=True)),
        )
    rule = "bounds must be a pair (low, high), each a number or a number a channel, low below high"
    if isinstance(bounds, str) or not isinstance(bounds, Sequence) or len(bounds) != 2:
        raise ValueError(f"{rule}, and is {bounds!r}: (0, 1) for inputs that are not normalized")
    low, high = (channel_values("bounds", bound) for bound in bounds)
    if low is None or high is None:
        raise ValueError(f"{rule}, and is {bounds!r}")
    length = max(len(low), len(high))
    low, high = (bound * length if len(bound) == 1 else bound for bound in (low, high))
    if len(low) != len(high) or not all(a < b for a, b in zip(low, high, strict=True)):
        raise ValueError(f"{rule}, and is {bounds!r}")
    return low, high
