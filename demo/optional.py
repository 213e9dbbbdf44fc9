"""Import torchvision, which only some options of the demo need."""

from __future__ import annotations

import importlib
from types import ModuleType


def torchvision_module(name: str, option: str) -> ModuleType:
    """Import ``torchvision.<name>``, or exit with one line that says what to install.

    The import may raise any exception if torchvision was built for another release of torch.
    """
    try:
        return importlib.import_module(f"torchvision.{name}")
    except Exception as error:
        raise SystemExit(
            f"{option} needs a torchvision that matches the installed torch; "
            f"run: pip install --upgrade torch torchvision   ({type(error).__name__}: {error})"
        ) from error
