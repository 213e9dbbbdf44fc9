"""Writes ``frontend/colormap.js`` from matplotlib's colormaps.

python tests/frontend/generate_colormap.py > frontend/colormap.js
"""

from __future__ import annotations

import sys

import matplotlib
import numpy as np

COLORMAPS = {"light": "RdBu_r", "dark": "berlin"}
"""Both are told apart with every common colour vision; blue is negative and red positive in both,
and zero is the colour of the page."""

_HEAD = """\
/**
 * Diverging colours for gradients: negative is blue, zero is the page's colour, positive is red.
 * Written by tests/frontend/generate_colormap.py from matplotlib's "{light}" and "{dark}".
 */

import {{ NAN_COLOUR, NOT_FINITE }} from "./pixels.js";

"""
_TAIL = """\

/** @import {Theme} from "./types.js" */

/**
 * 256 colours and that of what is not finite, as canvas pixels.
 * @type {Record<Theme, Uint32Array>}
 */
export const PALETTES = { light: decode(LIGHT), dark: decode(DARK) };

/** @param {string} table six hexadecimal digits a colour: red, green, blue */
function decode(table) {
  const palette = new Uint32Array(NOT_FINITE + 1);
  for (let place = 0; place < NOT_FINITE; place++) {
    const colour = parseInt(table.slice(6 * place, 6 * place + 6), 16);
    const red = colour >> 16;
    const green = (colour >> 8) & 255;
    const blue = colour & 255;
    palette[place] = 0xff000000 | (blue << 16) | (green << 8) | red;
  }
  palette[NOT_FINITE] = NAN_COLOUR;
  return palette;
}
"""


def module() -> str:
    """The whole text of ``frontend/colormap.js``."""
    tables = [_table(theme.upper(), name) for theme, name in COLORMAPS.items()]
    return _HEAD.format(**COLORMAPS) + "\n".join(tables) + _TAIL


def _table(constant: str, name: str) -> str:
    colours: np.ndarray = matplotlib.colormaps[name].resampled(256)(np.arange(256), bytes=True)
    digits = colours[:, :3].tobytes().hex()
    width = 16 * 6
    lines = [f'  "{digits[at : at + width]}"' for at in range(0, len(digits), width)]
    return f"const {constant} =\n" + " +\n".join(lines) + ";\n"


if __name__ == "__main__":
    sys.stdout.write(module())
