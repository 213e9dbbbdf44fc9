"""What the training side and the viewer agree on: names, limits, and a session's constants.

A *session* is one hook in one process from its construction to its end. It owns two time series,
so that two writers, or a restart from a checkpoint, never delete each other's records:

====================================  =============  ===========================================
tag                                   data class     content, one event a capture
====================================  =============  ===========================================
``<tag>/payload/<session>``           blob sequence  one blob a sample: its arrays
``<tag>/index/<session>``             tensor         one small JSON record a sample: all the rest
====================================  =============  ===========================================
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import secrets
import time
from collections.abc import Sequence
from typing import Any, Literal, TypeGuard, get_args

from tensorboard.compat.proto.summary_pb2 import (
    DATA_CLASS_BLOB_SEQUENCE,
    DATA_CLASS_TENSOR,
    SummaryMetadata,
)

PLUGIN_NAME = "gradascent"

#: Raised whenever a reader of the older version would misread a newer record. New optional fields
#: do not raise it.
RECORD_VERSION = 1

MAX_IMAGE_CHANNELS = 4
MAX_SIGNAL_CHANNELS = 64
MAX_CHANNELS = max(MAX_IMAGE_CHANNELS, MAX_SIGNAL_CHANNELS)
"""Values a channel that a session may have, whatever its inputs are."""
MAX_ELEMENTS = 1 << 24
"""Elements of one sample's input: 3×2364×2364, say."""
MAX_TARGETS = 64
MAX_STRENGTHS = 64
MAX_STRENGTH = 1000
"""The largest: 1 is where the ascent ended."""
MAX_LISTED_CLASSES = 100
"""Most probable classes that one record lists."""
MAX_CLASSES = 1 << 20
MAX_RANKS = 1 << 20
MAX_NAME_LENGTH = 256
"""Characters of a tag, a sample's id or a class name."""
MAX_RECORD_BYTES = 1 << 18
MAX_RECORDS_A_CAPTURE = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 28
MAX_SESSION_INFO_BYTES = 1 << 20
MAX_CAPTURES = 1 << 53
"""A capture's number is less: JavaScript knows no larger whole number exactly."""

Kind = Literal["payload", "index"]

_SESSION = re.compile(r"[0-9A-Za-z-]{1,64}")
_DATA_CLASS = {"payload": DATA_CLASS_BLOB_SEQUENCE, "index": DATA_CLASS_TENSOR}


def is_sample_shape(shape: Sequence[int]) -> bool:
    """Whether one sample may have this shape.

    It is an image's (channels, height, width) or a signal's (channels, length), nowhere empty.
    """
    if len(shape) not in (2, 3):
        return False
    channels = MAX_IMAGE_CHANNELS if len(shape) == 3 else MAX_SIGNAL_CHANNELS
    return min(shape) >= 1 and shape[0] <= channels and math.prod(shape) <= MAX_ELEMENTS


def new_session() -> str:
    """A name that no other process, on this machine or another, uses."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + "-" + secrets.token_hex(4)


def series_tag(tag: str, kind: Kind, session: str) -> str:
    """TensorBoard's tag of one of a session's two series."""
    return f"{tag}/{kind}/{session}"


def split_series_tag(series: str) -> tuple[str, Kind, str] | None:
    """``(tag, kind, session)``, the inverse of :func:`series_tag`; ``None`` for any other text."""
    rest, _, session = series.rpartition("/")
    tag, _, kind = rest.rpartition("/")
    if not 1 <= len(tag) <= MAX_NAME_LENGTH:
        return None
    if kind not in get_args(Kind) or not _SESSION.fullmatch(session):
        return None
    return tag, kind, session  # type: ignore[return-value]  # kind was checked just above


def summary_metadata(kind: Kind, content: bytes = b"") -> SummaryMetadata:
    """The metadata that makes TensorBoard keep a series for this plugin."""
    return SummaryMetadata(
        plugin_data=SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME, content=content),
        data_class=_DATA_CLASS[kind],
    )


@dataclasses.dataclass(frozen=True)
class SessionInfo:
    """What does not change within a session; written once, into its index series' metadata.

    Attributes:
        started: Seconds since the epoch at which the session began.
        class_names: The name of class 0, 1, …, or ``None`` where the user gave none.
        mean, std: A value a channel: ``image * std + mean`` is what a person would be shown.
        bounds: Legal input values ``(low, high)`` in model space, a value a channel each: what a
            viewer paints black and white.
        rank, world_size: Which process of how many the session is, of a job that has several; both
            ``None`` of one that has not.
        version: The record version that the session writes.
    """

    started: float = 0.0
    class_names: tuple[str, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    bounds: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    rank: int | None = None
    world_size: int | None = None
    version: int = RECORD_VERSION

    def to_json(self) -> dict[str, Any]:
        """The JSON object that is stored, and that the viewer's page is given."""
        return dataclasses.asdict(self)

    def encode(self) -> bytes:
        """As stored.

        Raises:
            ValueError: More than ``MAX_SESSION_INFO_BYTES``.
        """
        data = json.dumps(self.to_json(), separators=(",", ":"), allow_nan=False).encode()
        if len(data) > MAX_SESSION_INFO_BYTES:
            raise ValueError(
                f"class_names takes {len(data)} bytes as JSON and may take "
                f"{MAX_SESSION_INFO_BYTES}; shorten the names"
            )
        return data

    @classmethod
    def decode(cls, data: bytes) -> SessionInfo:
        """The inverse of :meth:`encode`; whatever is missing or malformed is left at its default.

        A damaged name or mean must not hide the samples, hence no error.
        """
        try:
            fields = json.loads(data) if len(data) <= MAX_SESSION_INFO_BYTES else {}
        except (ValueError, RecursionError):
            fields = {}
        if not isinstance(fields, dict):
            fields = {}
        started, version = fields.get("started"), fields.get("version")
        names = fields.get("class_names")
        bounds = fields.get("bounds")
        rank, world_size = fields.get("rank"), fields.get("world_size")
        ranked = type(rank) is type(world_size) is int and 0 <= rank < world_size <= MAX_RANKS
        low, high = (
            (_channel_values(bounds[0]), _channel_values(bounds[1]))
            if isinstance(bounds, list) and len(bounds) == 2
            else (None, None)
        )
        return cls(
            started=float(started) if _is_finite(started) else 0.0,
            class_names=(
                tuple(name[:MAX_NAME_LENGTH] for name in names)
                if isinstance(names, list) and all(isinstance(name, str) for name in names)
                else None
            ),
            mean=_channel_values(fields.get("mean")),
            std=_channel_values(fields.get("std")),
            bounds=(low, high) if low is not None and high is not None else None,
            rank=rank if ranked else None,
            world_size=world_size if ranked else None,
            version=version if type(version) is int else RECORD_VERSION,
        )


def _channel_values(value: object) -> tuple[float, ...] | None:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    if not 1 <= len(value) <= MAX_CHANNELS or not all(_is_finite(v) for v in value):
        return None
    return tuple(float(v) for v in value)


def _is_finite(value: object) -> TypeGuard[float]:
    if type(value) not in (int, float):
        return False
    try:
        return math.isfinite(value)  # type: ignore[arg-type]  # a number: checked above
    except OverflowError:
        return False
