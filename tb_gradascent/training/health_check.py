"""What may make a record wrong, found in the tensors of a capture.

Each check is a small function of tensors, and returns a :class:`Notice` or ``None``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import torch
from torch import Tensor

from tb_gradascent.format.status import Notice
from tb_gradascent.functional.labels import LabelKind
from tb_gradascent.functional.repetition import ANSWERS
from tb_gradascent.model.probabilities import OutputForm
from tb_gradascent.model.runner import Passes
from tb_gradascent.training.batch import Batch, InputKind, looks_like_images_without_channel
from tb_gradascent.training.distributed import is_connected
from tb_gradascent.training.health import Health

#: Rows of the loop's batch that a check asks the network about.
ROWS: Final = 32

#: Two answers to one question may differ by this part of the logits' spread and size. A network may
#: run in half precision or with other kernels.
_ROUNDING: Final = 0.05
_SAME_PASS: Final = 1e-3

#: Fewer rows with a clear winner say nothing about two networks.
_LEAST_ROWS: Final = 8

#: Checks in a row that must find a disagreement in the predicted classes.
_PATIENCE: Final = 4

#: Rows whose predictions in training mode are compared before anything is said.
_ENOUGH_ROWS: Final = 64

#: Before this capture, predictions that differ mean nothing.
_EARLY: Final = 8


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
            "Capture one label k at a time: with z = logits[:, k], give "
            "torch.stack((-z, z), 1) / 2 as the logits, return it from forward=…, and give "
            "labels[:, k]. Its softmax is the sigmoid of z.",
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
        f"If your loss takes logits, as CrossEntropyLoss and BCEWithLogitsLoss do, remove the "
        f"{form} from the model.",
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


def about_gradient(gradient: Tensor | None, *, again: bool) -> Notice | None:
    """Return a warning if the logits do not depend on the image.

    Args:
        gradient: Of a weighted sum of the logits with respect to the image; ``None`` if the graph
            does not reach the image.
        again: Whether a gradient of 0 was found before. At its start, a network may have a last
            layer of zeros.
    """
    if gradient is not None and (not again or bool((gradient != 0).any())):
        return None
    cause = (
        "a part of the model runs under torch.no_grad(), or calls detach() or .data"
        if gradient is None
        else "the model rounds or compares the values, or a layer of it is saturated or zero"
    )
    return Notice(
        "no-gradient",
        "warning",
        f"The gradient does not reach the image, because {cause}. Gradients are 0, and no morph "
        "can be made.",
        "Give forward=… with a version of the model that can be differentiated from the image to "
        "the logits. A frozen backbone needs requires_grad_(False) alone, not torch.no_grad().",
    )


def about_repetition(one: Tensor, other: Tensor) -> Notice | None:
    """Return a warning if a network gave two answers (1, C) to one question in eval mode."""
    if agree(one, other, _SAME_PASS):
        return None
    chances = (logits.detach().float().softmax(1) for logits in (one, other))
    spread = float(next(chances).sub(next(chances)).abs().max())
    return Notice(
        "random-answers",
        "warning",
        "The model answers at random in eval mode, or each pass changes it: two passes of one "
        f"image differ by {spread:.2g} in a probability. A record holds the mean of {ANSWERS} "
        "answers about an image and about a finished morph, and one answer about any other point.",
        "Use nn.Dropout or F.dropout(x, training=self.training). Add noise and write to buffers in "
        "training mode only.",
    )


def about_company(alone: Tensor, in_company: Tensor) -> Notice | None:
    """Return a warning if a row's answer (1, C) depends on the other rows of its batch."""
    if agree(alone, in_company, _SAME_PASS):
        return None
    return Notice(
        "rows-mix",
        "warning",
        "In eval mode the model's answer for an image depends on the other images of the batch, as "
        "with BatchNorm(track_running_stats=False) or attention between rows. The hook asks about "
        "each image alone.",
        "Captures take longer. Use layers that treat each row by itself if this is not intended.",
    )


def agree(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Return whether logits (N, C) give the same log-probabilities.

    Args:
        one, other: The logits.
        tolerance: The part of their spread and of their size by which they may differ.
    """
    one, other = one.detach().float(), other.detach().to(one.device, torch.float32)
    size = one.abs().where(one.isfinite(), 0).amax()
    one, other = one.log_softmax(1), other.log_softmax(1)
    spread = (one.amax(1) - one.amin(1)).clamp(0.1, 20).amax()
    close = (one - other).abs() <= tolerance * (spread + size)
    return bool((close | ~one.isfinite() | ~other.isfinite()).all())


class Agreement(NamedTuple):
    """How often two networks predict the same class.

    Attributes:
        same: Rows with the same predicted class.
        rows: Rows that were compared.
    """

    same: int
    rows: int

    @property
    def part(self) -> float:
        """From 0 to 1."""
        return self.same / max(self.rows, 1)

    def __add__(self, other: object) -> Agreement:
        """Return the sum of two counts."""
        assert isinstance(other, Agreement)  # noqa: S101
        return Agreement(self.same + other.same, self.rows + other.rows)


_NOTHING: Final = Agreement(0, 0)


def count_agreements(one: Tensor, other: Tensor) -> Agreement:
    """Compare the predicted classes of two logits (N, C).

    A row without a clear winner does not count.
    """
    first, second = one.detach().float().topk(2, 1).values.unbind(1)
    counted = (first > second) & first.isfinite()
    same = counted & (one.argmax(1) == other.to(one.device).argmax(1))
    return Agreement(int(same.sum()), int(counted.sum()))


def about_other_network(agreed: str) -> Notice:
    """Return the warning that the module does not answer as the loop did."""
    return Notice(
        "other-answers",
        "error",
        "The model does not answer as the loop's logits say, for the inputs that the hook was "
        f"given: {agreed}. The hook records what the model answers.",
        "Give the hook the very inputs of the model, after normalisation and augmentation, and the "
        "very model that made the logits: not an old copy, and not one whose weights "
        "torch.func.functional_call replaces.",
    )


def about_eval_mode(in_eval: Agreement, in_training: Agreement) -> Notice:
    """Return the warning that the answers in eval mode contradict those in training mode."""
    return Notice(
        "eval-contradicts-training",
        "warning",
        "The model's answers in eval mode contradict those in training mode. In eval mode its "
        f"predictions agree with the loop's for {in_eval.part:.0%} of the images, in training "
        f"mode for {in_training.part:.0%}. Samples are recorded in eval mode.",
        "The running statistics of BatchNorm may be far behind. Raise its momentum, or look at the "
        "model's accuracy in eval mode.",
    )


@dataclasses.dataclass
class HealthCheck:
    """Asks the network about some rows of the first captures, and of later ones ever more rarely.

    Attributes:
        health: It gets the notices.
        rows_mix: Whether a row's answer was found to depend on the rows beside it.
        at_random: Whether two passes of one row were found to differ.

    ``_disagreed`` counts consecutive checks with different predictions of the loop and the model.
    Since then ``_eval`` compares the loop with the model in eval mode, ``_loop`` with the model in
    training mode, and ``_own`` the model in training mode with itself.
    """

    health: Health
    rows_mix: bool = False
    at_random: bool = False
    _captures: int = 0
    _disagreed: int = 0
    _eval: Agreement = _NOTHING
    _loop: Agreement = _NOTHING
    _own: Agreement = _NOTHING
    _had_no_gradient: bool = False

    def take_due(self) -> bool:
        """Count a capture, and return whether to check it.

        The first, the second, the fourth and so on are checked. If the predictions of the loop and
        of the model differ, the next few are checked, too.
        """
        self._captures += 1
        in_doubt = 0 < self._disagreed < _PATIENCE or 0 < self._loop.rows < _ENOUGH_ROWS
        return self._captures & (self._captures - 1) == 0 or in_doubt

    def look_at(self, inputs: Tensor, step: int | None = None) -> None:
        """Report what is found in the values of inputs (N, …)."""
        for notice in about_values(inputs):
            self.health.add(notice, step)

    def examine(
        self,
        passes: Passes,
        batch: Batch,
        logits: Tensor | None,
        own: Tensor,
        step: int | None = None,
    ) -> None:
        """Report what is found in the first rows of a batch.

        Args:
            passes: Through the model.
            batch: The loop's.
            logits: Those of the loop (N, C), or ``None`` if it gave none.
            own: The model's own answers in eval mode about the first ``ROWS`` rows.
            step: The training step, or ``None`` in a scan.
        """

        def tell(notice: Notice | None) -> None:
            self.health.add(notice, step)

        if isinstance(batch.labels, Tensor):
            tell(about_label_range(batch.labels, own.shape[1]))
        self._ask_alone(passes, batch, own, tell)
        if logits is not None and logits.isfinite().all():
            self._compare(passes, batch, logits, own, tell)

    def _ask_alone(
        self, passes: Passes, batch: Batch, own: Tensor, tell: Callable[[Notice | None], None]
    ) -> None:
        """Ask about the first row by itself, twice."""
        beside = batch.forward_args.of_rows(range(1))
        device = passes.device or batch.inputs.device
        row = batch.inputs[:1].detach().to(device, copy=True).requires_grad_()
        try:
            with torch.enable_grad():
                alone = passes.forward(batch.inputs.dtype, beside)(row)
        except Exception as error:  # the model may need company
            self.health.report(
                "one-row-fails",
                "error",
                f"The model cannot be asked about one image alone: {type(error).__name__}: "
                f"{str(error).rstrip('.')}. Its answer may depend on the other images of the "
                "batch.",
                "Use layers that treat each row by itself in eval mode.",
            )
            return
        # A backward pass that fails would fail for the capture, too: that is the fault to tell.
        weights = torch.linspace(1, 2, alone.shape[1], device=alone.device).expand_as(alone)
        gradient = None
        if alone.requires_grad:
            (gradient,) = torch.autograd.grad(
                alone, row, weights.to(alone.dtype), allow_unused=True
            )
        again = passes.ask(batch.inputs[:1], beside)
        tell(about_gradient(gradient, again=self._had_no_gradient))
        self._had_no_gradient = gradient is not None and not bool((gradient != 0).any())
        random = about_repetition(alone, again)
        tell(random)
        self.at_random |= random is not None
        if random is None and (mixed := about_company(alone, own[:1])):
            self.rows_mix = True
            tell(mixed)

    def _compare(
        self,
        passes: Passes,
        batch: Batch,
        logits: Tensor,
        own: Tensor,
        tell: Callable[[Notice | None], None],
    ) -> None:
        """Compare the loop's logits with the model's own answer, first in eval mode."""
        counts = count_agreements(logits[: len(own)], own)
        if counts.rows >= _LEAST_ROWS and counts.part < 0.5:
            self._disagreed += 1
        else:
            self._disagreed = 0
            self._eval = self._loop = self._own = _NOTHING
        is_exact = _is_alive(logits) and not agree(logits[: len(own)], own, _ROUNDING)
        # Layers of all ranks may speak to each other in training mode.
        if is_connected() or not (
            (is_exact and not passes.depends_on_mode) or self._disagreed >= _PATIENCE
        ):
            return
        one, other = passes.ask_in_training(batch.inputs, batch.forward_args, times=2)
        if is_exact and agree(one, other, _SAME_PASS) and not agree(logits, one, _ROUNDING):
            theirs, ours = (rows.detach().float().softmax(1) for rows in (logits, one))
            row, column = divmod(int((theirs - ours).abs().argmax()), ours.shape[1])
            tell(
                about_other_network(
                    f"for image {row} and class {column} the loop's probability is "
                    f"{theirs[row, column]:.2f}, and the model's {ours[row, column]:.2f}"
                )
            )
            return
        if self._disagreed < _PATIENCE:
            return
        few = slice(ROWS)
        self._eval += counts
        self._loop += count_agreements(logits[few], one[few])
        self._own += count_agreements(one[few], other[few])
        if self._loop.rows < _ENOUGH_ROWS:
            return
        in_eval, loop, itself = self._eval, self._loop, self._own
        self._eval = self._loop = self._own = _NOTHING
        # A network whose answers in training mode are mostly random says nothing. At the start of
        # a training one step may change all predictions, and the running statistics of BatchNorm
        # are behind.
        if itself.part < 0.5:
            return
        if loop.part < itself.part / 2:
            if self._captures >= _EARLY:
                tell(about_other_network(f"the predicted classes agree for {loop.part:.0%}"))
        elif self._captures >= 2 * _EARLY:
            tell(about_eval_mode(in_eval, loop))


def _is_alive(logits: Tensor) -> bool:
    """Return whether the graph of the loop's logits still holds the weights that made them.

    A backward pass frees it, and an optimizer's step changes the weights that it holds.
    """
    node, found = logits.grad_fn, False
    waiting = [] if node is None else [node]
    for _ in range(16):
        if not waiting:
            break
        node = waiting.pop(0)
        for name in dir(node):
            if name.startswith("_saved_"):
                try:
                    found |= isinstance(getattr(node, name), Tensor)
                except RuntimeError:
                    return False
        waiting += [inner for inner, _ in node.next_functions if inner is not None]
    return found
