"""Find the logits in a model's output, and remember their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tb_gradascent.functional.validation import describe, without_subclass
from tb_gradascent.model.probabilities import OutputForm, form_of, may_be, to_logits


class OutputReader:
    """How the output of one network becomes logits. Each question is decided once.

    Args:
        classes: The number of classes, if it is known, for example from ``class_names``.

    Attributes:
        classes: The number of classes of the logits, once it is known.
        form: The content of the network's own output, once it is known.
    """

    def __init__(self, classes: int | None = None) -> None:
        self.classes: int | None = None
        self.form: OutputForm | None = None
        self._named = classes
        self._place: int | None = None

    def of_loop(self, answer: object, samples: int) -> Tensor:
        """Return the logits (N, C) in what the loop gave, and note their number of classes.

        Raises:
            ValueError: There are none, there is not one row for each sample, or several tensors may
                be the logits.
        """
        found = candidates(answer, samples)
        widths = {columns_of(tensor) for tensor in found}
        for known in (self._named, self.classes):
            if known in widths:
                found = [tensor for tensor in found if columns_of(tensor) == known]
                break
        if not found:
            raise ValueError(
                f"logits must be logits of shape ({samples}, classes), one row for each sample, "
                f"got {described(answer)}: give hook(x, logits, …)"
            )
        if len({columns_of(tensor) for tensor in found}) > 1:
            raise ValueError(
                "logits must be one tensor if several may hold the logits, got "
                f"{described(answer)}: give hook(x, output[…], …), or class_names"
            )
        output = found[0]
        form = form_of(output)
        if output.grad_fn is None and self.form and may_be(output, self.form):
            form = self.form
        logits = two_columns(to_logits(output, form))
        self.classes = logits.shape[1]
        return logits

    def of_model(self, output: object, samples: int, likely: Tensor | None = None) -> Tensor:
        """Return the logits (N, C) in the network's own output.

        Args:
            output: What it returned.
            samples: N.
            likely: The loop's logits of these samples, which tell elements of one shape apart.

        Raises:
            ValueError: There are none, there is not one row for each sample, they have another
                number of classes than the loop's, or several tensors may be the logits.
        """
        found = candidates(output, samples)
        wanted = self.classes or self._named
        fitting = [tensor for tensor in found if columns_of(tensor) == wanted] or (
            [] if self.classes else found
        )
        if not fitting:
            classes = self.classes or "classes"
            raise ValueError(
                f"the model (or forward=…) must return logits of shape ({samples}, {classes}), one "
                f"row for each sample, got {described(output)}: give forward=lambda model, "
                "inputs: …"
            )
        if len({columns_of(tensor) for tensor in fitting}) > 1:
            raise ValueError(
                "the model (or forward=…) must return one tensor if several may hold the logits, "
                f"got {described(output)}: give forward=lambda model, inputs: model(inputs)[…], "
                "or class_names"
            )
        if self._place is None or self._place >= len(fitting):
            self._place = _best(fitting, likely)
        chosen = fitting[self._place]
        if self.form is None and chosen.grad_fn is not None:
            self.form = form_of(chosen)
        logits = two_columns(to_logits(chosen, self.form or "logits"))
        self.classes = self.classes or logits.shape[1]
        return logits


def candidates(output: object, samples: int) -> list[Tensor]:
    """Return the tensors of a model's output that may be logits, in their order.

    These are the output itself, its ``logits`` attribute or key, or the elements of a tuple. Each
    is of floating point, with one row or one number for each sample.
    """
    elements: Sequence[object]
    if isinstance(output, Tensor):
        elements = (output,)
    elif isinstance(output, Mapping):
        elements = (output.get("logits"),)
    elif hasattr(output, "logits"):
        elements = (output.logits,)
    elif isinstance(output, (tuple, list)):
        elements = output
    else:
        elements = ()
    found = [
        without_subclass(element)
        for element in elements
        if isinstance(element, Tensor)
        and element.is_floating_point()
        and element.dim() in (1, 2)
        and len(element) == samples
        and element.shape[-1]
    ]
    # Beside rows of logits, one number for each sample is a loss.
    return [element for element in found if element.dim() == 2] or found


def has_graph(output: object) -> bool:
    """Return whether a tensor of a model's output knows how it was computed."""
    values = (
        output.values()
        if isinstance(output, Mapping)
        else output
        if isinstance(output, (tuple, list))
        else (getattr(output, "logits", output),)
    )
    return any(isinstance(value, Tensor) and value.grad_fn is not None for value in values)


def columns_of(output: Tensor) -> int:
    """Return the number of classes of an output (N, C) or (N,). One column is two classes."""
    return 2 if output.dim() == 1 else max(output.shape[1], 2)


def two_columns(logits: Tensor) -> Tensor:
    """Return logits (N, C) with at least two columns.

    A binary model returns one column, or a flat tensor. Its logit z becomes two columns
    (−z/2, z/2), because sigmoid(z) = softmax((−z/2, z/2))₁ and both classes then have a gradient.
    """
    if logits.dim() == 1:
        logits = logits[:, None]
    return torch.cat((-logits, logits), 1) / 2 if logits.shape[1] == 1 else logits


def _best(fitting: Sequence[Tensor], likely: Tensor | None) -> int:
    """The place of the element that predicts what the loop predicts; of equals, of the logits."""

    def rank(place: int) -> tuple[int, bool]:
        tensor = fitting[place].detach()
        agreed = 0
        if likely is not None and tensor.dim() == likely.dim() == 2:
            agreed = int((tensor.argmax(1) == likely.to(tensor.device).argmax(1)).sum())
        return agreed, form_of(fitting[place]) == "logits"

    places = range(len(fitting))
    return places[0] if len(fitting) == 1 else max(places, key=rank)


def described(output: object) -> str:
    """Return a value's type, with the shapes of the tensors in a tuple."""
    if isinstance(output, (tuple, list)):
        inside = ", ".join(describe(element) for element in output)
        return f"a {type(output).__name__} of {inside or 'nothing'}"
    return describe(output)
