"""What the adapters to training frameworks share."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torch import Tensor

from tb_gradascent.hook import GradAscentHook
from tb_gradascent.model.forward_recorder import Pass
from tb_gradascent.model.model_io import find_in_batch


def framework(extra: str, *names: str) -> list[ModuleType]:
    """Those of a framework's modules that are installed, at least one.

    Raises:
        ModuleNotFoundError: None is; the message says which of our extras to install. A framework
            that is there and fails to import raises its own error.
    """
    found = [module for module in map(_installed, names) if module is not None]
    if not found:
        packages = " or ".join(name.split(".")[0] for name in names)
        raise ModuleNotFoundError(
            f"tb_gradascent.{extra} needs {packages}, which is not installed: "
            f"pip install 'tensorboard-plugin-gradascent[{extra}]'",
            name=names[0],
        )
    return found


def _installed(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return None
        raise


def check_options(options: Mapping[str, Any]) -> None:
    """Refuses what ``GradAscentHook`` does not take, before a training starts.

    Raises:
        TypeError: There is no such option.
    """
    inspect.signature(GradAscentHook).bind(None, None, **options)


def look(
    hook: GradAscentHook,
    step: int,
    seen: Pass | None,
    batch: object,
    *,
    logits: Tensor | None = None,
    beside: bool = True,
) -> int:
    """Shows the hook one step of a framework's loop.

    Args:
        hook: Is called.
        step: The training step.
        seen: The classifier's own pass in it, if one was seen. Without one the images are those of
            the batch, and the hook asks the model itself.
        batch: What the data loader gave: the labels are looked for there.
        logits: What the loop itself says they are, if it does.
        beside: Whether what the model was given beside the images is to be given to it again.

    Returns:
        Samples captured.
    """
    inputs, labels = find_in_batch(batch)
    call: dict[str, Any] = {"inputs": inputs, "logits": logits, "labels": labels}
    if seen is not None:
        call = seen.for_hook(beside=beside)
        if call["labels"] is None and labels is not None and len(labels) == len(seen.inputs):
            call["labels"] = labels
        if logits is not None:
            call["logits"] = logits
    return hook(**call, step=step)
