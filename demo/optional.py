"""torchvision, which only some of the demo's options need."""

from __future__ import annotations

import importlib
from types import ModuleType


def torchvision_module(name: str, option: str) -> ModuleType:
    """``torchvision.<name>``, or an exit that says in one line what to install.

    A torchvision built for another release of torch raises whatever it likes while it is imported,
    hence every exception.
    """
    try:
        return importlib.import_module(f"torchvision.{name}")
    except Exception as error:
        raise SystemExit(
            f"{option} needs a torchvision that matches the installed torch; "
            f"run: pip install --upgrade torch torchvision   ({type(error).__name__}: {error})"
        ) from error
