"""Event files with synthetic samples, for tests and benchmarks that need no network."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING

from tb_gradascent.format import metadata
from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.samples import Bounds, CapturedSample, Morph, Response, Target
from tb_gradascent.format.status import Status

STRENGTHS = np.array([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1, 1.25], np.float32)
DIGITS = metadata.SessionInfo(
    class_names=tuple("0123456789"),
    mean=(0.1307,),
    std=(0.3081,),
    bounds=((-0.4242,), (2.8215,)),
    ascents=("smallest",),
)


def make_sample(
    rng: np.random.Generator,
    *,
    step: int = 0,
    shape: tuple[int, ...] = (1, 28, 28),
    targets: Sequence[int] = (8, 5),
    morphs: Sequence[str] = ("smallest",),
    survived: tuple[bool, ...] = (),
    judges: Sequence[str] = (),
    bounds: Bounds | None = None,
    id: str | None = None,
    probe: bool = False,
) -> CapturedSample:
    """Return a bright disc at a random position, with synthetic gradients and responses.

    If the shape is (channels, length), it is a signal with a bump. The delta of the morph
    ``"visible"`` is smooth. That of every other morph is a fraction of the gradient.
    """
    axes = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape[1:]), indexing="ij")
    centre = rng.uniform(-0.5, 0.5, len(axes))
    disc = np.exp(-8 * sum((axis - at) ** 2 for axis, at in zip(axes, centre, strict=True)))
    image = np.broadcast_to(disc * 3.2457 - 0.4242, shape).astype(np.float32)
    gradient = [
        (rng.normal(size=shape) * (0.1 + disc)).astype(np.float32) for _ in range(len(targets))
    ]
    chances = rng.dirichlet(np.full(10, 0.3)).astype(np.float32)
    classes = np.argsort(-chances)
    label = int(rng.integers(10))
    original = float(chances[classes[0]])
    convinced = (1 / (1 + np.exp(2 - 6 * STRENGTHS))).astype(np.float32)
    smooth = np.broadcast_to(0.5 * disc, shape).astype(np.float32)

    def answers(target: int) -> dict[str, Any]:
        same = target == classes[0]
        return {
            "probabilities": convinced,
            "original_probabilities": convinced if same else original * (1 - convinced),
            "predictions": np.where(STRENGTHS > 0.4, target, int(classes[0])),
        }

    return CapturedSample(
        step=step,
        id=id,
        label=label,
        image=image,
        classes=classes,
        probabilities=chances[classes],
        margin=float(chances[classes[0]] - chances[classes[1]]),
        entropy=float(-(chances * np.log2(chances)).sum()),
        loss=float(-np.log(chances[label])),
        targets=tuple(
            Target(
                index=target,
                gradient=slope,
                morphs={
                    name: Morph(
                        target=target,
                        delta=smooth if name == "visible" else slope * np.float32(0.5),
                        strengths=STRENGTHS,
                        steps=3,
                        stopped="confidence",
                        survived=survived,
                        judges={judge: Response(**answers(target)) for judge in judges},
                        **answers(target),
                    )
                    for name in morphs
                },
            )
            for target, slope in zip(targets, gradient, strict=True)
        ),
        probe=probe,
        bounds=bounds,
    )


def string_tensor(values: Sequence[bytes]) -> TensorProto:
    """Return a rank-1 tensor of byte strings."""
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(values))])
    return TensorProto(dtype=DT_STRING, string_val=values, tensor_shape=shape)


@functools.lru_cache(maxsize=16)
def _encoded(info: metadata.SessionInfo) -> bytes:
    return info.encode()


def make_event(
    tag: str,
    session: str,
    capture: int,
    encoded: Sequence[tuple[bytes, bytes]],
    info: metadata.SessionInfo,
    wall_time: float,
    *,
    block: int | None = None,
) -> Event:
    """Return one capture as the hook writes it: the payload value, then the index value.

    ``block`` is the block of the series. By default it is the one that the hook would choose.
    """
    if block is None:
        block = capture // metadata.CAPTURES_A_BLOCK
    return Event(
        wall_time=wall_time,
        step=capture,
        summary=Summary(
            value=[
                Summary.Value(
                    tag=metadata.series_tag(tag, "payload", session, block),
                    metadata=metadata.summary_metadata("payload"),
                    tensor=string_tensor([payload for _, payload in encoded]),
                ),
                Summary.Value(
                    tag=metadata.series_tag(tag, "index", session, block),
                    metadata=metadata.summary_metadata("index", _encoded(info)),
                    tensor=string_tensor([record for record, _ in encoded]),
                ),
            ]
        ),
    )


def make_status_event(
    tag: str,
    session: str,
    number: int,
    status: Status,
    info: metadata.SessionInfo,
    wall_time: float,
) -> Event:
    """Return one event of a status series as the hook writes it."""
    content = dataclasses.replace(info, class_names=None).encode()
    value = Summary.Value(
        tag=metadata.series_tag(tag, "status", session),
        metadata=metadata.summary_metadata("status", content),
        tensor=string_tensor([status.encode()]),
    )
    return Event(wall_time=wall_time, step=number, summary=Summary(value=[value]))


def write_session(
    directory: Path,
    captures: Iterable[Sequence[CapturedSample]],
    *,
    tag: str = "confused",
    session: str | None = None,
    info: metadata.SessionInfo = DIGITS,
    start: float | None = None,
    statuses: Sequence[Status] = (),
    status_tag: str | None = None,
) -> str:
    """Write one session's event file into a run's directory and return the session's name.

    The session starts at ``start``, seconds since the epoch. It has one capture a second, and tells
    one status a second, under ``tag`` unless ``status_tag`` is given.
    """
    session = session or metadata.new_session()
    start = time.time() if start is None else start
    info = dataclasses.replace(info, started=start)
    file = EventFile(directory / file_name(session))
    for number, samples in enumerate(captures):
        encoded = [encode_sample(sample) for sample in samples]
        file.append(make_event(tag, session, number, encoded, info, start + number))
    for number, status in enumerate(statuses):
        told = status_tag or tag
        file.append(make_status_event(told, session, number, status, info, start + number))
    file.close()
    return session


def write_many_sessions(directory: Path, count: int, info: metadata.SessionInfo = DIGITS) -> None:
    """Write many sessions into one event file. Each has one capture of one small sample."""
    rng = np.random.default_rng(0)
    file = EventFile(directory / file_name("s"))
    for number in range(count):
        encoded = [encode_sample(make_sample(rng, step=number, shape=(1, 1, 1)))]
        file.append(make_event("confused", f"s{number}", 0, encoded, info, 1.0 + number))
    file.close()


def make_captures(
    count: int,
    samples: int = 4,
    *,
    seed: int = 0,
    every: int = 100,
    shape: tuple[int, ...] = (1, 28, 28),
    targets: Sequence[int] = (8, 5),
) -> list[list[CapturedSample]]:
    """Return captures at steps 0, every, 2·every, …

    Where only their number counts, they need no targets, and are written in half of the time.
    """
    rng = np.random.default_rng(seed)
    return [
        [
            make_sample(
                rng,
                step=number * every,
                shape=shape,
                targets=targets,
                id=f"train/{number}-{index}",
            )
            for index in range(samples)
        ]
        for number in range(count)
    ]
