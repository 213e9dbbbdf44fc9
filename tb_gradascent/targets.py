"""Which classes a sample is moved towards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from tb_gradascent.metadata import MAX_CLASSES, MAX_TARGETS

Targets = Literal["top2", "label", "all"] | Sequence[int]


def check_targets(targets: object) -> None:
    """Refuses what :func:`choose_targets` could not use.

    Raises:
        ValueError: It is neither "top2", "label", "all" nor a list of distinct class indices.
    """
    if isinstance(targets, str):
        if targets in ("top2", "label", "all"):
            return
    elif (
        isinstance(targets, Sequence)
        and 1 <= len(targets) <= MAX_TARGETS
        and all(type(target) is int and 0 <= target < MAX_CLASSES for target in targets)
        and len(set(targets)) == len(targets)
    ):
        return
    raise ValueError(
        'targets must be "top2", "label", "all", or a list of 1 to '
        f"{MAX_TARGETS} different class indices, and is {targets!r}"
    )


def choose_targets(targets: Targets, logits: Tensor, labels: Tensor | None) -> Tensor:
    """The target classes of each sample, int64, shape (N, T).

    Args:
        targets: ``"top2"``: the two most probable classes (T = 2); ``"label"``: the true one
            (T = 1); ``"all"``: every class (T = C); a list: these.
        logits: Shape (N, C).
        labels: Shape (N,), class indices; needed for ``"label"`` alone.

    Raises:
        ValueError: There is no such class, no label, or too many classes for ``"all"``.
    """
    samples, classes = logits.shape
    if targets == "top2":
        return logits.topk(2, 1).indices
    if targets == "label":
        if labels is None:
            raise ValueError(
                'targets="label" needs labels: pass them to the hook, or choose "top2"'
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
