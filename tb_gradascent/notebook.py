"""Samples in a notebook and in a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tb_gradascent.format.samples import Sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_figure(sample: Sample, strength: float) -> Figure:
    """Draw a sample with matplotlib, see :meth:`Sample.figure`.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from tb_gradascent.figure import draw
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ImportError(
            "figure() draws with matplotlib, which is not installed; run: pip install matplotlib"
        ) from error
    return draw(sample, strength)
