"""Record a model's own forward passes by forward hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from tb_gradascent.model.forward_args import ForwardArgs
from tb_gradascent.model.model_io import LABEL_NAMES, find_inputs, find_labels, find_logits
from tb_gradascent.model.private_apis import is_transformed


class RecordedPass(NamedTuple):
    """A forward pass of a classifier.

    Attributes:
        module: The module that ran.
        inputs: The images among its arguments, shape (N, …).
        logits: Its logits, shape (N, C).
        args, kwargs: All of its arguments.
    """

    module: nn.Module
    inputs: Tensor
    logits: Tensor
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def hook_arguments(self, *, with_forward_args: bool = True) -> dict[str, Any]:
        """Return the arguments for ``GradAscentHook.__call__``.

        Args:
            with_forward_args: Include the module's other arguments as ``additional_forward_args``.
                Labels are left out there. Positional arguments are included only if the images
                come first.
        """
        found: dict[str, Any] = {
            "inputs": self.inputs.detach(),
            "logits": self.logits,
            "labels": find_labels(self.kwargs, len(self.inputs)),
        }
        if with_forward_args:
            first = bool(self.args) and self.args[0] is self.inputs
            named = {
                name: value
                for name, value in self.kwargs.items()
                if value is not self.inputs and name not in LABEL_NAMES
            }
            given = ForwardArgs(len(self.inputs), self.args[1:] if first else (), named)
            found["additional_forward_args"] = given
        return found


class ForwardRecorder:
    """Records the last forward pass that took images and returned a row of logits for each.

    If modules of one model contain each other, the outermost one is recorded, because its pass ends
    last. If a later module maps the recorded rows to another number of columns, the rows were
    features and not logits, and the recorder drops the pass.

    Args:
        modules: The modules to record.
        is_wanted: Called with a module at the end of its pass. If it returns False the recorder
            skips the pass.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module],
        is_wanted: Callable[[nn.Module], bool] = lambda _: True,
    ) -> None:
        self._is_wanted = is_wanted
        self._last: tuple[nn.Module, Tensor, Tensor, Any, Any] | None = None
        self._handles = [module.register_forward_hook(self, with_kwargs=True) for module in modules]

    def take(self) -> RecordedPass | None:
        """Return the last pass since the previous call, detached, or ``None`` without a pass."""
        last, self._last = self._last, None
        if last is None:
            return None
        module, inputs, logits, args, kwargs = last
        return RecordedPass(module, inputs, logits.detach(), args, kwargs)

    def remove(self) -> None:
        """Stop recording. Further calls do nothing."""
        for handle in self._handles:
            handle.remove()
        self._last = None

    def __reduce__(self) -> tuple[Any, ...]:
        # A model is copied or saved together with its forward hooks, for example for an average of
        # its weights. The recorder of a copy does nothing, and loads without this package.
        return getattr, (contextlib.nullcontext(), "__exit__")

    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: object
    ) -> None:
        """Record a pass that a module has made. This is the forward hook."""
        try:
            self._record(module, args, kwargs, output)
        except Exception:
            # An output that raises when it is read has no logits, and must not stop the training.
            return

    def _record(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: object
    ) -> None:
        if not self._is_wanted(module):
            return
        logits = find_logits(output)
        if logits is None or logits.dim() != 2:
            return
        inputs = find_inputs(args, kwargs)
        if is_transformed(logits) or is_transformed(inputs):
            return
        if inputs is not None and len(inputs) == len(logits):
            self._last = module, inputs, logits, args, kwargs
        elif isinstance(output, Tensor) and output.dim() == 2 and self._last is not None:
            before = self._last[2].shape
            if len(output) == before[0] and output.shape[1] != before[1]:
                self._last = None
