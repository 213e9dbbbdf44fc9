"""Changes values of a JSON text, so that it stays JSON. Changed bytes would seldom be JSON."""

from __future__ import annotations

import copy
import json
import math
import random
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 2**31, 2**53, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308),
    *(math.nan, math.inf, "", "NaN", "-Infinity", "\ud800", "x" * 300, [], {}, [0], [1, 2, 2]),
)


def mutate_json(data: bytes, rng: random.Random) -> bytes | None:
    """Change one to three values of a JSON text. Return ``None`` if it is not JSON."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    root = [value]
    for _ in range(rng.randint(1, 3)):
        _change(root, rng)
    return json.dumps(root[0] if root else None).encode()


def _change(root: list[Any], rng: random.Random) -> None:
    holder: list[Any] | dict[str, Any] = root
    while holder:
        key: Any = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        inner = holder[key]
        if isinstance(inner, list | dict) and inner and rng.random() < 0.8:
            holder = inner
            continue
        what = rng.random()
        if what < 0.15:
            del holder[key]
        elif what < 0.3 and isinstance(holder, list):
            holder.insert(key, inner)
        elif what < 0.5 and isinstance(inner, int | float):
            holder[key] = inner + rng.choice((-1, 1, 0.5))
        else:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
        return
