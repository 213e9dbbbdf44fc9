"""Ascents for the tests that are not about how well an ascent convinces a network."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tb_gradascent import Ascent

BRIEF: Final[Mapping[str, Ascent]] = MappingProxyType(
    {
        "smallest": Ascent.smallest(max_steps=2),
        "visible": Ascent.visible(steps=2, finish_steps=1),
    }
)
"""The default's two kinds of morph, in few steps. A capture with them takes a fifth of the time."""
