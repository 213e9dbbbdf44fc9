"""Samples in a notebook, and as figures for a paper."""

from __future__ import annotations

import html
import itertools
import math
import numbers
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from tb_gradascent.format.samples import Sample
from tb_gradascent.report_file import report_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT: Final = 640
"""The height of the frame with several samples, in pixels."""

HEIGHT_OF_ONE: Final = 440
"""The height of the frame with one sample, in pixels."""

MOST_SHOWN: Final = 50
"""How many samples are shown unless told otherwise. A notebook keeps each in its file."""

_EVERY_SAMPLE: Final = {"view": "samples", "show": "all", "captures": "all"}
"""The fields of a link to the cards of all samples, as ``permalink.js`` names them."""

_FRAME: Final = (
    '<iframe title="{title}" sandbox="allow-scripts" srcdoc="{page}" width="100%" '
    'height="{height}" style="border: 1px solid #ddd; border-radius: 4px"></iframe>'
)


class Shown:
    """Samples as a notebook shows them: the cards of the tab, with a slider that works.

    Nothing is asked of a kernel, a server or another host: the cards are in the notebook's file.

    Args:
        samples: What is shown, at least one.
        title: The title of the frame.
        height: Its height in pixels.
        is_part: Whether there were more samples.
    """

    def __init__(
        self, samples: Sequence[Sample], title: str, height: int, *, is_part: bool
    ) -> None:
        self._samples = samples
        self._title = title
        self._height = height
        self._is_part = is_part

    def __repr__(self) -> str:
        count = len(self._samples)
        return f"<{count} {'sample' if count == 1 else 'samples'}, which a notebook shows as cards>"

    def _repr_html_(self) -> str:
        page = report_html(self._samples, title=self._title, link=_EVERY_SAMPLE)
        frame = _FRAME.format(
            title=html.escape(self._title), page=html.escape(page), height=self._height
        )
        if not self._is_part:
            return frame
        return (
            f"{frame}<p>These are the first {len(self._samples)} samples. "
            "<code>show(samples, limit=None)</code> shows all of them.</p>"
        )


def show(
    samples: Sample | Iterable[Sample],
    *,
    limit: int | None = MOST_SHOWN,
    title: str | None = None,
    height: int | None = None,
) -> Shown:
    """Show samples in a notebook: the cards of the tab, with a slider that works.

    The notebook's file holds the cards. They work without an extension, a kernel or a server.

    Args:
        samples: Samples of :func:`read_samples`, or one sample.
        limit: At most so many samples: the first ones. ``None`` for all.
        title: The title of the page.
        height: Its height in pixels, at least 1. By default it depends on the number of samples.

    Returns:
        An object that a notebook shows if it is the last value of a cell.

    Raises:
        ValueError: There are no samples, ``limit`` or ``height`` is less than 1, or ``samples``
            holds something else.
    """
    for name, value in (("limit", limit), ("height", height)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    given = iter([samples] if isinstance(samples, Sample) else samples)
    shown = list(itertools.islice(given, limit))
    for sample in shown:
        if not isinstance(sample, Sample):
            raise ValueError(
                f"samples must be samples of read_samples(…), got a {type(sample).__name__}"
            )
    if not shown:
        raise ValueError("samples must hold at least one sample, got none")
    is_part = limit is not None and next(given, None) is not None
    usual = HEIGHT if len(shown) > 1 else HEIGHT_OF_ONE
    return Shown(shown, title or "Gradient Ascent", height or usual, is_part=is_part)


def draw_figure(sample: Sample, strength: object) -> Figure:
    """Draw a sample with matplotlib, see :meth:`Sample.figure`.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: ``strength`` is negative or no number.
    """
    if not isinstance(strength, numbers.Real) or not 0 <= float(strength) < math.inf:
        raise ValueError(f"strength must be a number of at least 0, got {strength!r}")
    try:
        from tb_gradascent.figure import draw
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ImportError(
            "figure() draws with matplotlib, which is not installed; run: pip install matplotlib"
        ) from error
    return draw(sample, float(strength))
