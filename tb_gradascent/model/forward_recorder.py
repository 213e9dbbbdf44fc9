"""Record a model's own forward passes by forward hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from tb_gradascent.functional.validation import describe
from tb_gradascent.model.forward_args import ForwardArgs
from tb_gradascent.model.model_io import LABEL_NAMES, find_inputs, find_labels
from tb_gradascent.model.output_reader import candidates, columns_of, described, two_columns
from tb_gradascent.model.private_apis import is_transformed

#: The most passes of a step that are kept, those of submodules included.
_MOST_PASSES: Final = 64


class RecordedPass(NamedTuple):
    """A forward pass of a classifier.

    Attributes:
        module: The module that ran.
        inputs: The images among its arguments, shape (N, …).
        output: What it returned.
        args, kwargs: All of its arguments.
        is_certain: Whether the pass is the module's only one, or the one whose inputs were asked
            for. Otherwise a batch's labels may belong to another pass.
        version: How often the inputs had been written to, if that is known.
    """

    module: nn.Module
    inputs: Tensor
    output: object
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    is_certain: bool = True
    version: int | None = None

    @property
    def is_overwritten(self) -> bool:
        """Whether the loop has written other values into the inputs since the pass."""
        return self.version is not None and self.inputs._version != self.version

    @property
    def logits(self) -> Tensor:
        """The first tensor of the output that may be the logits, detached, shape (N, C)."""
        return two_columns(candidates(self.output, len(self.inputs))[0]).detach()

    def hook_arguments(self, *, with_forward_args: bool = True) -> dict[str, Any]:
        """Return the arguments for ``GradAscentHook.__call__``.

        Args:
            with_forward_args: Include the module's other arguments as ``additional_forward_args``.
                Labels are left out there. Positional arguments are included only if the images
                come first.
        """
        found: dict[str, Any] = {
            "inputs": self.inputs.detach(),
            "logits": self.output,
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
        find: Returns the inputs among a module's arguments.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module],
        is_wanted: Callable[[nn.Module], bool] = lambda _: True,
        find: Callable[[tuple[Any, ...], Mapping[str, Any]], Tensor | None] = find_inputs,
    ) -> None:
        self._is_wanted = is_wanted
        self._find = find
        self._passes: list[RecordedPass] = []
        self.unreadable: str | None = None
        """The inputs and the output of the last pass that was not recorded."""
        self._handles = [module.register_forward_hook(self, with_kwargs=True) for module in modules]

    def take(self, inputs: Tensor | None = None) -> RecordedPass | None:
        """Return the last pass since the previous call, or ``None`` without a pass.

        A module may run several times in a step, for example on labelled and on unlabelled images.

        Args:
            inputs: The images of the loader's batch. Of several passes of a module, the one that
                took them is returned.
        """
        made, self._passes = self._passes, []
        if any(one.is_overwritten for one in made):
            self.unreadable = "has inputs that the loop has written to since"
            made = [one for one in made if not one.is_overwritten]
        passes: list[RecordedPass] = [one for one in made if one.module is made[-1].module]
        if len(passes) < 2:
            return passes[0] if len(passes) == 1 else None
        if inputs is not None:
            for place in range(len(passes) - 1, -1, -1):
                if _are_equal(passes[place].inputs, inputs):
                    return passes[place]
        last = passes[-1]
        return last._replace(is_certain=False)

    def remove(self) -> None:
        """Stop recording. Further calls do nothing."""
        for handle in self._handles:
            handle.remove()
        self._passes = []
        self._is_wanted = lambda _: False  # it may refer to what refers to this recorder

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
        inputs = self._find(args, kwargs)
        if is_transformed(inputs) or is_transformed(output):
            return
        found = [] if inputs is None else candidates(output, len(inputs))
        if not (found or torch.compiler.is_compiling()):
            given = ", ".join(map(describe, (*args, *kwargs.values())))
            self.unreadable = f"was given {given or 'nothing'} and returned {described(output)}"
        if inputs is not None and found:
            if any(map(is_transformed, found)):
                return
            known = not (torch.compiler.is_compiling() or inputs.is_inference())
            version = inputs._version if known else None
            made = RecordedPass(module, inputs, output, args, kwargs, version=version)
            # Compiled code must not depend on how many passes there were.
            before = [] if torch.compiler.is_compiling() else self._passes[1 - _MOST_PASSES :]
            self._passes = [*before, made]
        elif isinstance(output, Tensor) and output.dim() == 2:
            while self._passes and _are_features(self._passes[-1], output):
                self._passes = self._passes[:-1]


def _are_features(before: RecordedPass, output: Tensor) -> bool:
    """Return whether a later module mapped a pass's rows to another number of columns."""
    samples = len(before.inputs)
    widths = {columns_of(tensor) for tensor in candidates(before.output, samples)}
    return len(output) == samples and columns_of(output) not in widths


def _are_equal(one: Tensor, other: Tensor) -> bool:
    if one is other:
        return True
    if one.shape != other.shape:
        return False
    return torch.equal(one.detach().to(other.device, other.dtype), other)
