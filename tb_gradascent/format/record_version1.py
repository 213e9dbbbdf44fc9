"""Records of version 1 as records of version 2.

In version 1 a target had at most one morph. Its fields were fields of the target, and its
``delta_norm`` was ``None`` if there was none. All arrays had the same two codecs.
"""

from __future__ import annotations

from typing import Any, Final

MORPH_NAME: Final = "morph"
"""The name of the morph of a target of version 1."""

_OF_MORPH: Final = (
    *("steps", "stopped", "delta_norm"),
    *("probabilities", "original_probabilities", "predictions"),
)


def upgrade(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record of version 1 as version 2 has them. No field is checked."""
    targets, payload = fields.get("targets"), fields.get("payload")
    if isinstance(targets, list):
        targets = [_upgrade_target(target) for target in targets]
        if isinstance(payload, dict):
            arrays = sum(1 + len(target["morphs"]) for target in targets if target)
            payload = {**payload, "codecs": ["palette", *["levels"] * arrays]}
    return {**fields, "version": 2, "targets": targets, "payload": payload}


def _upgrade_target(fields: object) -> dict[str, Any] | None:
    if not isinstance(fields, dict):
        return None
    morph = {name: fields[name] for name in _OF_MORPH if name in fields}
    has_delta = fields.get("delta_norm") is not None
    return {
        "index": fields.get("index"),
        "gradient_norm": fields.get("gradient_norm"),
        "morphs": [{"name": MORPH_NAME, **morph}] if has_delta else [],
    }
