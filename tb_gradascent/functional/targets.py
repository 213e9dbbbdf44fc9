"""Choose the classes towards which a sample is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from tb_gradascent.format.metadata import MAX_CLASSES, MAX_TARGETS
from tb_gradascent.functional.criteria import check_labels, valid_labels
from tb_gradascent.functional.margins import ranked
from tb_gradascent.functional.validation import check_returned, is_whole

#: A callable maps ``(logits, labels)`` to int64 class indices, shape (N, T).
Targets = (
    Literal["top2", "label", "all"] | Sequence[int] | Callable[[Tensor, Tensor | None], Tensor]
)


def check_targets(targets: object) -> None:
    """Check that :func:`choose_targets` can use ``targets``.

    Raises:
        ValueError: ``targets`` is not "top2", "label", "all", a list of distinct class indices or a
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
        f"indices, or a callable (logits, labels) -> indices, got {targets!r}"
    )


def choose_targets(targets: Targets, logits: Tensor, labels: Tensor | None) -> Tensor:
    """Return the target classes of each sample, int64, shape (N, T); -1 is no target.

    Args:
        targets: One of

            - ``"top2"``: the two most probable classes, see :func:`ranked`, and the true class
              if it is known and not one of them (T = 2 or 3),
            - ``"label"``: the true class (T = 1),
            - ``"all"``: every class (T = C),
            - a list of T class indices, the same for each sample,
            - a callable that maps the logits and the labels to class indices.
        logits: Shape (N, C).
        labels: Class indices, shape (N,). A negative one is unknown. A callable gets them only if
            all are known.

    Raises:
        ValueError: A listed class does not exist, a sample has no valid label for ``"label"``,
            there are too many classes for ``"all"``, or the callable returned no class indices.
    """
    samples, classes = logits.shape
    check_labels(logits, labels)
    if callable(targets):
        # The callable gets copies, because it may write to them, also later.
        known = labels is not None and bool((labels >= 0).all())
        own_labels = labels.clone() if labels is not None and known else None
        return _check_chosen(targets(logits.clone(), own_labels), targets, logits).clone()
    if targets == "top2":
        return _with_labels(ranked(logits)[:, :2], logits, labels)
    if targets == "label":
        if labels is None:
            raise ValueError(
                'targets="label" needs labels: pass them to the hook, or choose "top2"'
            )
        # On a GPU an index out of range ends the whole process.
        if not bool(valid_labels(logits, labels).all()):
            raise ValueError(
                f'targets="label" needs labels from 0 to {classes - 1}, the classes of the logits, '
                f'got {labels.tolist()}: choose "top2" if some labels are unknown'
            )
        return labels.to(logits.device, torch.int64)[:, None]
    if targets == "all":
        if classes > MAX_TARGETS:
            raise ValueError(
                f'targets="all" supports at most {MAX_TARGETS} classes, got logits with {classes}: '
                "name the classes that matter in a list"
            )
        chosen: Sequence[int] = range(classes)
    else:
        chosen = [int(target) for target in targets]
        if max(chosen) >= classes:
            raise ValueError(
                f"targets must be classes of the logits, 0 to {classes - 1}, got {max(chosen)}"
            )
    return torch.tensor(list(chosen), device=logits.device).expand(samples, -1)


def _with_labels(targets: Tensor, logits: Tensor, labels: Tensor | None) -> Tensor:
    """Append the labels (N,) to the targets (N, T) as a column, if any is missing there."""
    if labels is None:
        return targets
    labels = labels.to(logits.device, torch.int64)
    missing = valid_labels(logits, labels) & (targets != labels[:, None]).all(1)
    if not bool(missing.any()):
        return targets
    return torch.cat([targets, labels.where(missing, -1)[:, None]], 1)


def _check_chosen(chosen: object, function: object, logits: Tensor) -> Tensor:
    """Check what a callable returned, and move it to the device of the logits."""
    samples, classes = logits.shape
    indices = check_returned(
        chosen,
        lambda c: (
            c.dtype == torch.int64
            and c.dim() == 2
            and len(c) == samples
            and 1 <= c.shape[1] <= MAX_TARGETS
        ),
        f"targets must return an int64 tensor with 1 to {MAX_TARGETS} class indices per sample, "
        f"shape ({samples}, T)",
        function,
    )
    least, greatest = torch.stack(indices.aminmax()).tolist()
    if least < 0 or greatest >= classes:
        raise ValueError(
            f"targets must return classes of the logits, 0 to {classes - 1}, got {least} to "
            f"{greatest} from {function!r}"
        )
    return indices.to(logits.device)
