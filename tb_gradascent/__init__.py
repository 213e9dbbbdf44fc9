"""What does a classifier mix up, and what would it take to change its mind?

``GradAscentHook`` records it while a network trains. A TensorBoard plugin shows it, and
``read_samples`` reads it back. Nothing here imports torch until a name that needs it is asked for,
so that TensorBoard starts as fast with the plugin as without.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tb_gradascent.version import VERSION as __version__

if TYPE_CHECKING:
    from tb_gradascent.format.samples import Morph as Morph
    from tb_gradascent.format.samples import Sample as Sample
    from tb_gradascent.format.samples import Target as Target
    from tb_gradascent.format.status import Notice as Notice
    from tb_gradascent.functional.ascent import Ascent as Ascent
    from tb_gradascent.functional.criteria import Entropy as Entropy
    from tb_gradascent.functional.criteria import LogitMargin as LogitMargin
    from tb_gradascent.functional.criteria import Loss as Loss
    from tb_gradascent.functional.criteria import Misclassified as Misclassified
    from tb_gradascent.functional.criteria import ProbabilityMargin as ProbabilityMargin
    from tb_gradascent.hook import GradAscentHook as GradAscentHook
    from tb_gradascent.notebook import show as show
    from tb_gradascent.reader import read_samples as read_samples
    from tb_gradascent.report_file import report as report
    from tb_gradascent.report_file import report_html as report_html

_MODULE_OF = {
    "Ascent": "functional.ascent",
    "Entropy": "functional.criteria",
    "GradAscentHook": "hook",
    "LogitMargin": "functional.criteria",
    "Loss": "functional.criteria",
    "Misclassified": "functional.criteria",
    "Morph": "format.samples",
    "Notice": "format.status",
    "ProbabilityMargin": "functional.criteria",
    "Sample": "format.samples",
    "Target": "format.samples",
    "read_samples": "reader",
    "report": "report_file",
    "report_html": "report_file",
    "show": "notebook",
}

__all__ = ["__version__", *sorted(_MODULE_OF)]  # noqa: PLE0604  # every element is a string


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
