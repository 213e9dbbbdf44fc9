"""Writes the tables in ``frontend/colormap.js`` from matplotlib's colormaps.

python tests/frontend/generate_colormap.py
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import numpy as np

COLORMAPS = {"light": "RdBu_r", "dark": "berlin"}
"""Both are told apart with every common colour vision; blue is negative and red positive in both,
and zero is the colour of the page."""

MODULE = Path(__file__).resolve().parents[2] / "frontend" / "colormap.js"


def module() -> str:
    """The text of ``frontend/colormap.js`` with its tables made anew."""
    text = MODULE.read_text(encoding="utf-8")
    for theme, name in COLORMAPS.items():
        constant = theme.upper()
        pattern = rf'const {constant} =\n(?:  "[0-9a-f]+"(?: \+)?;?\n)+'
        text, found = re.subn(pattern, _table(constant, name), text)
        if found != 1:
            raise ValueError(f"{MODULE.name} must hold one table {constant}, and holds {found}")
    return text


def _table(constant: str, name: str) -> str:
    colours: np.ndarray = matplotlib.colormaps[name].resampled(256)(np.arange(256), bytes=True)
    digits = colours[:, :3].tobytes().hex()
    width = 16 * 6
    lines = [f'  "{digits[at : at + width]}"' for at in range(0, len(digits), width)]
    return f"const {constant} =\n" + " +\n".join(lines) + ";\n"


if __name__ == "__main__":
    MODULE.write_text(module(), encoding="utf-8")
