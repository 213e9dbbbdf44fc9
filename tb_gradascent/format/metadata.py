"""Names, limits and session constants that the training side and the viewer share.

A *session* is one hook in one process, from its construction to its end. Each session has time
series of its own. So two writers, or a restart from a checkpoint, never delete each other's
records:

====================================  =============  ===========================================
tag                                   data class     content, one event a capture
====================================  =============  ===========================================
``<tag>/payload/<session>``           blob sequence  one blob a sample: its arrays
``<tag>/index/<session>``             tensor         one JSON record a sample: everything else
====================================  =============  ===========================================

After every 256 captures both series go on in a new *block*: ``<tag>/index/<session>.1``, ``….2``,
and so on. TensorBoard can only return whole series, and blocks let a viewer read a few captures of
a long session.

A third series, ``<tag>/status/<session>``, is there from the start, also without any capture. It is
a tensor with one element an event: see ``status.py``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import secrets
import time
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeGuard, get_args

from tensorboard.compat.proto.summary_pb2 import (
    DATA_CLASS_BLOB_SEQUENCE,
    DATA_CLASS_TENSOR,
    SummaryMetadata,
)

PLUGIN_NAME = "gradascent"

RECORD_VERSION = 3
"""Raise it only if an older reader would misread a newer record. A new optional field does not.

Version 1 had at most one morph a target. Versions 1 and 2 had one block a series. They are still
read.
"""

MAX_IMAGE_CHANNELS = 4
MAX_SIGNAL_CHANNELS = 64
MAX_CHANNELS = max(MAX_IMAGE_CHANNELS, MAX_SIGNAL_CHANNELS)
"""The most channels of any input, and so the most values of a mean or std."""
MAX_ELEMENTS = 1 << 24
"""The most elements of one sample's input; for example 3×2364×2364."""
MAX_TARGETS = 64
MAX_MORPHS = 4
"""The most morphs of one target."""
MAX_JUDGES = 4
"""The most other networks that answer about one morph."""
MAX_SURVIVAL_CHECKS = 16
MAX_SHORT_NAME_LENGTH = 64
"""The most characters of the name of an ascent, a judge, a task or a kind."""
MAX_STRENGTHS = 64
MAX_STRENGTH = 1000
"""The largest strength. Strength 1 is the end of the ascent."""
MAX_LISTED_CLASSES = 100
"""The most classes that one record lists."""
MAX_CLASSES = 1 << 20
MAX_RANKS = 1 << 20
MAX_NAME_LENGTH = 256
"""The most characters of a tag, a sample's id or a class name."""
MAX_RECORD_BYTES = 1 << 18
MAX_RECORDS_A_CAPTURE = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 28
MAX_SESSION_INFO_BYTES = 1 << 20
MAX_CAPTURES = (1 << 32) - 1
"""A capture's number is less. The viewer counts captures in a uint32."""
CAPTURES_A_BLOCK = 256
"""The captures of one block of a series, but older versions wrote all captures into block 0."""
MAX_STEP = 1 << 53
"""A step in a status is less. JavaScript represents no larger integer exactly."""

Kind = Literal["payload", "index", "status"]

_SESSION_AND_BLOCK = re.compile(r"([0-9A-Za-z-]{1,64})(?:\.([1-9][0-9]{0,7}))?")
_DATA_CLASS = {
    "payload": DATA_CLASS_BLOB_SEQUENCE,
    "index": DATA_CLASS_TENSOR,
    "status": DATA_CLASS_TENSOR,
}


def is_sample_shape(shape: Sequence[int]) -> bool:
    """Return whether one sample may have this shape.

    An image has (channels, height, width), and a signal (channels, length). No side may be 0.
    """
    if len(shape) not in (2, 3):
        return False
    channels = MAX_IMAGE_CHANNELS if len(shape) == 3 else MAX_SIGNAL_CHANNELS
    return min(shape) >= 1 and shape[0] <= channels and math.prod(shape) <= MAX_ELEMENTS


def is_short_name(value: object) -> TypeGuard[str]:
    """Return whether a value may name an ascent, a judge, a task or a kind of input.

    It is 1 to ``MAX_SHORT_NAME_LENGTH`` printable characters.
    """
    return (
        isinstance(value, str) and 1 <= len(value) <= MAX_SHORT_NAME_LENGTH and value.isprintable()
    )


def new_session() -> str:
    """Return a name that no other process uses, on this machine or another."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + "-" + secrets.token_hex(4)


class SeriesName(NamedTuple):
    """What the tag of a series says.

    Attributes:
        tag: The hook's tag.
        kind: What the series holds.
        session: The session's name.
        block: The number of the block, from 0.
    """

    tag: str
    kind: Kind
    session: str
    block: int


def series_tag(tag: str, kind: Kind, session: str, block: int = 0) -> str:
    """Return TensorBoard's tag for one of the series of a session."""
    return f"{tag}/{kind}/{session}" + (f".{block}" if block else "")


def split_series_tag(series: str) -> SeriesName | None:
    """Invert :func:`series_tag`. Other text gives ``None``."""
    rest, _, session_and_block = series.rpartition("/")
    tag, _, kind = rest.rpartition("/")
    match = _SESSION_AND_BLOCK.fullmatch(session_and_block)
    if match is None or not 1 <= len(tag) <= MAX_NAME_LENGTH or kind not in get_args(Kind):
        return None
    if kind == "status" and match[2]:  # It has no blocks.
        return None
    return SeriesName(tag, kind, match[1], int(match[2] or 0))  # type: ignore[arg-type]  # checked


def summary_metadata(kind: Kind, content: bytes = b"") -> SummaryMetadata:
    """Return the metadata that makes TensorBoard keep a series for this plugin."""
    return SummaryMetadata(
        plugin_data=SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME, content=content),
        data_class=_DATA_CLASS[kind],
    )


@dataclasses.dataclass(frozen=True)
class SessionInfo:
    """The constants of a session. They are written once, into the metadata of its index series.

    The metadata of its status series holds them without the class names.

    Attributes:
        started: When the session began, seconds since the epoch.
        class_names: The name of class 0, 1, …, or ``None``.
        mean, std: One value a channel: ``image * std + mean`` is the image as a person would see
            it. ``None`` if the hook was not given them.
        bounds: Legal input values ``(low, high)`` in model space, each with one value a channel. A
            viewer paints them black and white.
        rank, world_size: The process's rank in the job, and the job's number of processes; both
            ``None`` if there is only one process.
        version: The record version that the session writes.
        ascents: The names of the ascents. Each makes one morph a target.
        judges: The names of the judges.
        task, kind: Always ``"single"`` and ``"image"``, also for signals. Nothing reads them.
    """

    started: float = 0.0
    class_names: tuple[str, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    bounds: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    rank: int | None = None
    world_size: int | None = None
    version: int = RECORD_VERSION
    ascents: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    task: str = "single"
    kind: str = "image"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that is stored and that the viewer's page gets."""
        return dataclasses.asdict(self)

    def encode(self) -> bytes:
        """Return the JSON object as bytes.

        Raises:
            ValueError: It is longer than ``MAX_SESSION_INFO_BYTES``.
        """
        data = json.dumps(self.to_json(), separators=(",", ":"), allow_nan=False).encode()
        if len(data) > MAX_SESSION_INFO_BYTES:
            raise ValueError(
                f"class_names must take at most {MAX_SESSION_INFO_BYTES} bytes as JSON, got "
                f"{len(data)}; shorten the names"
            )
        return data

    @classmethod
    def decode(cls, data: bytes) -> SessionInfo:
        """Invert :meth:`encode`. A missing or malformed field gets its default.

        It never raises, so that a damaged name or mean does not hide the samples.
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
            ascents=_short_names(fields.get("ascents"), MAX_MORPHS),
            judges=_short_names(fields.get("judges"), MAX_JUDGES),
            task=_short_name(fields.get("task"), "single"),
            kind=_short_name(fields.get("kind"), "image"),
        )


def _short_names(value: object, most: int) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > most or not all(map(is_short_name, value)):
        return ()
    return tuple(value) if len(set(value)) == len(value) else ()


def _short_name(value: object, default: str) -> str:
    return value if is_short_name(value) else default


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
