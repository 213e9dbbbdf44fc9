"""What may make a record wrong, found in the tensors of a capture.

Each check is a small function of tensors, and returns a :class:`Notice` or ``None``.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from tb_gradascent.format.status import Notice
from tb_gradascent.functional.labels import LabelKind
from tb_gradascent.model.probabilities import OutputForm
from tb_gradascent.training.batch import InputKind, looks_like_images_without_channel


def about_labels(kind: LabelKind) -> Notice | None:
    """Return what the user should know about labels that name no single class."""
    if kind == "soft":
        return Notice(
            "soft-labels",
            "info",
            "The labels are rows of probabilities, as mixup, CutMix and label smoothing make them. "
            "The label of a sample is the class of at least 0.99, and unknown without one.",
            "With label smoothing alone, give labels.argmax(1).",
        )
    if kind == "multi-label":
        return Notice(
            "multi-label",
            "warning",
            "The labels name several classes for a sample, or none. The hook reads the logits by a "
            "softmax, which does not fit a model with one sigmoid for each class. The labels are "
            "recorded as unknown.",
            "Capture one label k at a time: with z = logits[:, k], give torch.stack((-z, z), 1) / 2 "
            "as the logits, return it from forward=…, and give labels[:, k]. Its softmax is the "
            "sigmoid of z.",
        )
    return None


def about_shape(inputs: Tensor, kind: InputKind) -> Notice | None:
    """Return a warning if signals look like images without a channel."""
    if kind != "auto" or not looks_like_images_without_channel(inputs):
        return None
    shape = tuple(inputs.shape)
    return Notice(
        "no-channel",
        "warning",
        f"Inputs of shape {shape} are taken for signals with {shape[1]} channels. They look like "
        "images without a channel.",
        "For images give hook(x[:, None], …), and make the hook with forward=lambda model, x: "
        'model(x[:, 0]), if the model takes x without a channel. For signals give kind="signal".',
    )


def about_form(form: OutputForm | None) -> Notice | None:
    """Return a warning if the model's output is not logits."""
    if form in (None, "logits"):
        return None
    return Notice(
        f"{form}-output",
        "warning",
        f"The model ends in a {form}: it returns probabilities. The hook uses their "
        f"{'log odds' if form == 'sigmoid' else 'logarithms'} as the logits.",
        "A loss that takes logits, such as CrossEntropyLoss or BCEWithLogitsLoss, must not be given "
        f"these probabilities. If your loss takes logits, remove the {form} from the model.",
    )


def about_label_range(labels: Tensor, classes: int) -> Notice | None:
    """Return a warning if a label is beyond the classes of the logits.

    Args:
        labels: Class indices, shape (N,).
        classes: The number of columns of the logits.
    """
    beyond = labels >= classes
    if not beyond.any():
        return None
    return Notice(
        "labels-beyond-classes",
        "warning",
        f"A label is {int(labels.max())}, and the logits have the classes 0 to {classes - 1}. Such "
        "a label is recorded as it is, and counts as unknown.",
        "Check that the labels begin at 0, and that the logits are those of this model.",
    )


def about_values(inputs: Tensor) -> Iterator[Notice]:
    """Yield warnings about inputs (N, …) that no network can say anything about."""
    values = inputs.detach().flatten(1).float()
    broken = int((~values.isfinite().all(1)).sum())
    if broken:
        yield Notice(
            "not-finite-inputs",
            "warning",
            f"{broken} of {len(values)} inputs hold NaN or infinite values. Their gradients and "
            "morphs mean nothing.",
            "Find the transform that makes them, for example a division by a standard deviation of "
            "0.",
        )
    constant = int((values.amin(1) == values.amax(1)).sum())
    if constant:
        yield Notice(
            "constant-inputs",
            "info",
            f"{constant} of {len(values)} inputs have the same value everywhere.",
            "Check the data if you did not expect this.",
        )
