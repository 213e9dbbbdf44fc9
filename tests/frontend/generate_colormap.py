"""Writes the tables in ``frontend/drawing/colormap.js`` from matplotlib's colormaps.

python tests/frontend/generate_colormap.py
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import numpy as np

TABLES = {
    "RD_BU_R": "RdBu_r",
    "BERLIN": "berlin",
    "PU_OR_R": "PuOr_r",
    "MANAGUA_R": "managua_r",
    "BR_BG": "BrBG",
    "VANIMO": "vanimo",
    "MAGMA": "magma",
    "MAGMA_R": "magma_r",
}
"""Maps of ColorBrewer, of Crameri, and of the viridis family. People with any common colour vision
can tell their colours apart. Zero is light in the first map of each diverging pair, and dark in
the second."""

COLOURS = 255
"""An odd number, so that the middle of a diverging map is exactly zero."""

MODULE = Path(__file__).resolve().parents[2] / "frontend" / "drawing" / "colormap.js"


def module() -> str:
    """The text of ``frontend/drawing/colormap.js`` with new tables."""
    text = MODULE.read_text(encoding="utf-8")
    for constant, name in TABLES.items():
        pattern = rf'const {constant} =\n(?:  "[0-9a-f]+"(?: \+)?;?\n)+'
        text, found = re.subn(pattern, _table(constant, name), text)
        if found != 1:
            raise ValueError(f"{MODULE.name} must hold one table {constant}, got {found}")
    return text


def _table(constant: str, name: str) -> str:
    colormap = matplotlib.colormaps[name].resampled(COLOURS)
    colours: np.ndarray = colormap(np.arange(COLOURS), bytes=True)
    digits = colours[:, :3].tobytes().hex()
    width = 16 * 6
    lines = [f'  "{digits[at : at + width]}"' for at in range(0, len(digits), width)]
    return f"const {constant} =\n" + " +\n".join(lines) + ";\n"


if __name__ == "__main__":
    MODULE.write_text(module(), encoding="utf-8")
