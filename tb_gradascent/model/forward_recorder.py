"""A model's own forward passes, seen by forward hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tb_gradascent.model.forward_args import ForwardArgs
from tb_gradascent.model.model_io import LABEL_NAMES, find_inputs, find_labels, find_logits


class Pass(NamedTuple):
    """A forward pass of a classifier.

    Attributes:
        module: What ran.
        inputs: The images among its arguments.
        logits: What it answered, shape (N, C).
        args, kwargs: All of its arguments.
    """

    module: nn.Module
    inputs: Tensor
    logits: Tensor
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def for_hook(self, *, beside: bool = True) -> dict[str, Any]:
        """The arguments of ``GradAscentHook.__call__``.

        Args:
            beside: Whether with what the model was given beside the images, if these came first,
                and beside labels.
        """
        found: dict[str, Any] = {
            "inputs": self.inputs.detach(),
            "logits": self.logits,
            "labels": find_labels(self.kwargs, len(self.inputs)),
        }
        if beside:
            first = bool(self.args) and self.args[0] is self.inputs
            named = {
                name: value
                for name, value in self.kwargs.items()
                if value is not self.inputs and name not in LABEL_NAMES
            }
            given = ForwardArgs(len(self.inputs), self.args[1:] if first else (), named)
            found["additional_forward_args"] = given
        return found


class ForwardWatch:
    """Remembers the last forward pass that took images and gave a row of logits for each.

    Of several modules of one model that is the outermost, which ends last. What a later one makes
    of its rows, in another number of columns, shows that these were features and no logits: they
    are forgotten.

    Args:
        modules: What to watch.
        wanted: Asked of a module at the end of its pass; what is not wanted is not looked at.
    """

    def __init__(
        self, modules: Iterable[nn.Module], wanted: Callable[[nn.Module], bool] = lambda _: True
    ) -> None:
        self._wanted = wanted
        self._seen: tuple[nn.Module, Tensor, Tensor, Any, Any] | None = None
        self._handles = [module.register_forward_hook(self, with_kwargs=True) for module in modules]

    def take(self) -> Pass | None:
        """What was seen since this was last asked, detached; ``None`` if nothing was."""
        seen, self._seen = self._seen, None
        if seen is None:
            return None
        module, inputs, logits, args, kwargs = seen
        return Pass(module, inputs, logits.detach(), args, kwargs)

    def remove(self) -> None:
        """Watches no more; more than once is harmless."""
        for handle in self._handles:
            handle.remove()
        self._seen = None

    def __reduce__(self) -> tuple[Any, ...]:
        # A model is copied, for an average of its weights, say, or saved whole, and its forward
        # hooks with it. A copy's does nothing, and needs nothing of this package.
        return getattr, (contextlib.nullcontext(), "__exit__")

    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: object
    ) -> None:
        """The forward hook: looks at a pass that a module has made."""
        try:
            self._look(module, args, kwargs, output)
        except Exception:
            # What cannot even be looked at has no logits for us, and is no fault of the training.
            return

    def _look(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: object
    ) -> None:
        if not self._wanted(module):
            return
        logits = find_logits(output)
        if logits is None or logits.dim() != 2:
            return
        inputs = find_inputs(args, kwargs)
        if _is_transformed(logits) or _is_transformed(inputs):
            return
        if inputs is not None and len(inputs) == len(logits):
            self._seen = module, inputs, logits, args, kwargs
        elif isinstance(output, Tensor) and output.dim() == 2 and self._seen is not None:
            before = self._seen[2].shape
            if len(output) == before[0] and output.shape[1] != before[1]:
                self._seen = None


def _is_transformed(value: object) -> bool:
    """Whether it is of a pass within ``torch.func``'s transforms, and of no use after them."""
    if torch.compiler.is_compiling():
        return False
    return isinstance(value, Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(value)
