"""Code that the adapters to training frameworks share."""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final, TypeVar, get_type_hints

from torch import Tensor

from tb_gradascent.hook import GradAscentHook
from tb_gradascent.model.forward_recorder import RecordedPass
from tb_gradascent.model.model_io import find_in_batch
from tb_gradascent.training.batch import MissingPass

#: Parameters of ``GradAscentHook`` that only Python can give.
_OBJECTS: Final = frozenset(
    {"self", "model", "log", "criterion", "ascent", "judges", "forward", "data"}
)

Init = TypeVar("Init", bound=Callable[..., None])


def import_framework(extra: str, *names: str) -> list[ModuleType]:
    """Import those of a framework's modules that are installed, at least one.

    Args:
        extra: Our extra in setup.py that installs the framework.
        names: The framework's modules.

    Raises:
        ModuleNotFoundError: No module is installed. The message names the extra to install. If a
            framework is installed and fails to import, its own error is raised.
    """
    found = [module for module in map(_import_installed, names) if module is not None]
    if not found:
        packages = " or ".join(name.split(".")[0] for name in names)
        raise ModuleNotFoundError(
            f"tb_gradascent.{extra} needs {packages}, which is not installed: "
            f"pip install '.[{extra}]' in a clone of tb_gradascent",
            name=names[0],
        )
    return found


def _import_installed(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return None
        raise


def name_options(init: Init) -> Init:
    """Name options of ``GradAscentHook`` in the signature of an adapter's ``__init__``.

    Then ``LightningCLI`` offers them as flags and in YAML. These are the options of numbers, texts
    and lists of them. The function itself takes all options as ``**options``.
    """
    own = inspect.signature(init)
    hook = inspect.signature(GradAscentHook.__init__)
    options = [
        option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, option in hook.parameters.items()
        if name not in {*_OBJECTS, *own.parameters}
    ]
    *kept, others = own.parameters.values()
    signature = own.replace(parameters=[*kept, *options, others])
    init.__signature__ = signature  # type: ignore[attr-defined]
    types = get_type_hints(GradAscentHook.__init__) | {"targets": Any, "score": Any}
    # They are given as types, because the adapter's module does not import their names.
    init.__annotations__ |= {option.name: types[option.name] for option in options}
    return init


def check_options(options: Mapping[str, Any]) -> None:
    """Check before the training that ``GradAscentHook`` takes these options.

    Raises:
        TypeError: ``GradAscentHook`` has no such option.
    """
    inspect.signature(GradAscentHook).bind(None, None, **options)


class OpenEvaluation:
    """The evaluation of a framework's loop, which tells its beginning and its end apart."""

    def __init__(self) -> None:
        self._block: contextlib.AbstractContextManager[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether an evaluation is going on."""
        return self._block is not None

    def begin(self, hook: GradAscentHook, *, step: int, tag: str = "validation") -> None:
        """Collect the worst samples from here on; see :meth:`GradAscentHook.evaluation`."""
        self.forget()  # an error may have ended the last one
        self._block = hook.evaluation(step=step, tag=tag)
        self._block.__enter__()
        evaluation = hook._capturer.evaluation
        assert evaluation is not None  # noqa: S101
        evaluation.is_explicit = True  # the adapter gives the batches

    def end(self) -> None:
        """Capture the worst samples, if an evaluation is going on."""
        block, self._block = self._block, None
        if block is not None:
            block.__exit__(None, None, None)

    def forget(self) -> None:
        """Capture nothing."""
        block, self._block = self._block, None
        if block is not None:
            block.__exit__(GeneratorExit, None, None)


def call_hook(
    hook: GradAscentHook,
    step: int,
    recorded: RecordedPass | None,
    batch: object,
    *,
    logits: Tensor | None = None,
    with_forward_args: bool = True,
) -> int:
    """Call the hook for one step of a framework's loop.

    Args:
        hook: The hook.
        step: The training step.
        recorded: The classifier's pass in this step. If it is ``None``, the images are the batch's,
            and the hook runs the model to get the logits.
        batch: The data loader's batch. The labels are taken from it if the model did not get them.
        logits: The logits that the loop itself returned, shape (N, C); ``None`` for those of
            the pass.
        with_forward_args: Give the model the same further arguments in captures as in this pass.

    Returns:
        The number of samples captured.
    """
    inputs, labels = find_in_batch(batch)
    found = MissingPass() if inputs is None else inputs
    call: dict[str, Any] = {"inputs": found, "logits": logits, "labels": labels}
    if recorded is not None:
        call = recorded.hook_arguments(with_forward_args=with_forward_args)
        fits = labels is not None and len(labels) == len(recorded.inputs)
        if call["labels"] is None and fits and recorded.is_certain:
            call["labels"] = labels
        if logits is not None:
            call["logits"] = logits
    return hook(**call, step=step)
