"""Which classes a sample is moved towards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from tb_gradascent.format.metadata import MAX_CLASSES, MAX_TARGETS
from tb_gradascent.functional.criteria import check_labels, valid_labels
from tb_gradascent.functional.margins import ranked
from tb_gradascent.functional.validation import describe, is_whole

#: A callable maps ``(logits, labels)`` to int64 class indices, shape (N, T).
Targets = (
    Literal["top2", "label", "all"] | Sequence[int] | Callable[[Tensor, Tensor | None], Tensor]
)


def check_targets(targets: object) -> None:
    """Refuses what :func:`choose_targets` could not use.

    Raises:
        ValueError: It is neither "top2", "label", "all", a list of distinct class indices nor a
            callable.
    """
    if callable(targets):
        return
    if isinstance(targets, str):
        if targets in ("top2", "label", "all"):
            return
    elif (
        isinstance(targets, Sequence)
        and 1 <= len(targets) <= MAX_TARGETS
        and all(is_whole(target) and 0 <= target < MAX_CLASSES for target in targets)
        and len(set(targets)) == len(targets)
    ):
        return
    raise ValueError(
        f'targets must be "top2", "label", "all", a list of 1 to {MAX_TARGETS} different class '
        f"indices, or a callable (logits, labels) -> indices, and is {targets!r}"
    )


def wants_labels(targets: Targets) -> bool:
    """Whether the choice depends on labels."""
    return callable(targets) or targets == "label"


def choose_targets(targets: Targets, logits: Tensor, labels: Tensor | None) -> Tensor:
    """The target classes of each sample, int64, shape (N, T).

    Args:
        targets: ``"top2"``: the two most probable classes, see :func:`ranked` (T = 2);
            ``"label"``: the true one (T = 1); ``"all"``: every class (T = C); a list: these; a
            callable: what it makes of the logits and the labels.
        logits: Shape (N, C).
        labels: Shape (N,), class indices; see :func:`wants_labels`.

    Raises:
        ValueError: There is no such class, no label, too many classes for ``"all"``, or the
            callable returned something else than class indices.
    """
    samples, classes = logits.shape
    check_labels(logits, labels)
    if callable(targets):
        # Copies, since it may write in place, and go on to use what it returned.
        own = None if labels is None else labels.clone()
        return _checked(targets(logits.clone(), own), targets, logits).clone()
    if targets == "top2":
        return ranked(logits)[:, :2]
    if targets == "label":
        if labels is None:
            raise ValueError(
                'targets="label" needs labels: pass them to the hook, or choose "top2"'
            )
        # On a GPU an index out of range would end the whole process, not only the capture.
        if not bool(valid_labels(logits, labels).all()):
            raise ValueError(
                f'targets="label" needs labels from 0 to {classes - 1}, the classes of the logits, '
                f'and got {labels.tolist()}: choose "top2" where some are unknown'
            )
        return labels.to(logits.device, torch.int64)[:, None]
    if targets == "all":
        if classes > MAX_TARGETS:
            raise ValueError(
                f'targets="all" serves up to {MAX_TARGETS} classes, and the logits have {classes}: '
                "name the classes that matter in a list"
            )
        chosen: Sequence[int] = range(classes)
    else:
        chosen = [int(target) for target in targets]
        if max(chosen) >= classes:
            raise ValueError(
                f"targets must be classes of the logits, 0 to {classes - 1}, "
                f"and holds {max(chosen)}"
            )
    return torch.tensor(list(chosen), device=logits.device).expand(samples, -1)


def _checked(chosen: object, targets: object, logits: Tensor) -> Tensor:
    """What a callable returned, if it serves."""
    samples, classes = logits.shape
    if (
        not isinstance(chosen, Tensor)
        or chosen.dtype != torch.int64
        or chosen.dim() != 2
        or len(chosen) != samples
        or not 1 <= chosen.shape[1] <= MAX_TARGETS
    ):
        raise ValueError(
            f"targets must return an int64 tensor with 1 to {MAX_TARGETS} class indices a sample, "
            f"shape ({samples}, T), and {targets!r} returned {describe(chosen)}"
        )
    least, greatest = torch.stack(chosen.aminmax()).tolist()
    if least < 0 or greatest >= classes:
        raise ValueError(
            f"targets must return classes of the logits, 0 to {classes - 1}, and {targets!r} "
            f"returned {least} to {greatest}"
        )
    return chosen.to(logits.device)
