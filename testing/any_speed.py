"""Captures that do not depend on how fast the machine is."""

from __future__ import annotations

import math

from tb_gradascent.training import overhead, writer
from testing.tensorboard_process import PATIENCE


def capture_at_any_speed() -> None:
    """Let captures of this process take any time, and the loop wait long for what they write."""
    overhead.FREE_SECONDS = math.inf
    writer.LONGEST_WAIT = PATIENCE  # type: ignore[misc]
