"""Hypothesis strategies for samples, and their records and payloads."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_gradascent.format.metadata import (
    MAX_CLASSES,
    MAX_JUDGES,
    MAX_MORPHS,
    MAX_SHORT_NAME_LENGTH,
    MAX_SURVIVAL_CHECKS,
    is_short_name,
)
from tb_gradascent.format.record import Record
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.samples import (
    Array,
    Bounds,
    CapturedSample,
    Morph,
    Response,
    Stopped,
    Target,
)

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)) | st.tuples(
    st.sampled_from([1, 2, 5, 64]), st.integers(1, 9)
)
"""Shapes of images and signals."""

_FLOATS = st.floats(width=32)
_STRENGTHS = st.floats(0, 1, width=32)
_IDS = st.none() | st.text(max_size=8) | st.just("\ud800 alone") | st.just("日本語 🙂")
_NAMES = st.sampled_from(["smallest", "visible"]) | st.text(
    min_size=1, max_size=MAX_SHORT_NAME_LENGTH
).filter(is_short_name)
_CLASSES = st.integers(0, MAX_CLASSES - 1)
_CHANCES = st.floats(0, 1, width=32)


def stored(sample: CapturedSample) -> tuple[Record, bytes]:
    """Return a sample's parsed record and its payload."""
    data, payload = encode_sample(sample)
    return parse_record(data), payload


def _floats(shape: tuple[int, ...], elements: st.SearchStrategy[float] = _FLOATS) -> Any:
    return hnp.arrays(np.float32, shape, elements=elements)


@st.composite
def _images(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    """Draw any bits, so that every NaN occurs."""
    bits: npt.NDArray[np.uint32] = draw(hnp.arrays(np.uint32, shape))
    image: Array = bits.view(np.float32)
    return image if draw(st.booleans()) else draw(_floats(shape))


@st.composite
def _answers(draw: st.DrawFn, asked: tuple[int, ...]) -> dict[str, Any]:
    probabilities = draw(_floats(asked))
    return {
        "probabilities": probabilities,
        "original_probabilities": probabilities if draw(st.booleans()) else draw(_floats(asked)),
        "predictions": draw(hnp.arrays(np.int64, asked, elements=_CLASSES)),
    }


@st.composite
def _morphs(draw: st.DrawFn, target: int, shape: tuple[int, ...], strengths: Array) -> Morph:
    judges = draw(st.lists(_NAMES, max_size=MAX_JUDGES, unique=True))
    return Morph(
        target=target,
        delta=draw(_floats(shape)),
        strengths=strengths,
        steps=draw(st.integers(0, 2**31 - 1)),
        stopped=draw(st.sampled_from(get_args(Stopped))),
        survived=tuple(draw(st.lists(st.booleans(), max_size=MAX_SURVIVAL_CHECKS))),
        judges={name: Response(**draw(_answers(strengths.shape))) for name in judges},
        spread=draw(st.none() | st.tuples(_CHANCES, _CHANCES)),
        **draw(_answers(strengths.shape)),
    )


@st.composite
def _targets(draw: st.DrawFn, shape: tuple[int, ...], strengths: Array) -> Target:
    index = draw(_CLASSES)
    names = draw(st.lists(_NAMES, max_size=MAX_MORPHS, unique=True))
    return Target(
        index=index,
        gradient=draw(_floats(shape)),
        morphs={name: draw(_morphs(index, shape, strengths)) for name in names},
        direction=draw(st.sampled_from([1, -1])),
    )


def _bounds(channels: int) -> st.SearchStrategy[Bounds]:
    values = st.floats(width=32, allow_nan=False, allow_infinity=False)
    side = st.lists(values, min_size=channels, max_size=channels).map(tuple)
    return st.tuples(side, side)


@st.composite
def captured_samples(draw: st.DrawFn) -> CapturedSample:
    """Draw any sample that can be stored."""
    shape = draw(SHAPES)
    strengths = np.unique(draw(st.integers(0, 4).flatmap(lambda n: _floats((n,), _STRENGTHS))))
    listed = draw(st.integers(0, 4))
    targets = draw(st.lists(_targets(shape, strengths), max_size=2))
    return CapturedSample(
        step=draw(st.integers(-(2**63), 2**63 - 1)),
        id=draw(_IDS),
        label=draw(st.none() | st.integers(-(2**63), 2**63 - 1)),
        image=draw(_images(shape)),
        classes=draw(hnp.arrays(np.int64, listed, elements=_CLASSES)),
        probabilities=draw(_floats((listed,))),
        margin=float(draw(_floats((1,)))[0]),
        entropy=float(draw(_floats((1,)))[0]),
        loss=draw(st.none() | st.floats(width=32)),
        targets=tuple(targets),
        probe=draw(st.booleans()),
        bounds=draw(st.none() | _bounds(shape[0])),
    )
