"""Hypothesis strategies for samples, and their records and payloads."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_gradascent.format.metadata import MAX_CLASSES
from tb_gradascent.format.record import Record
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.samples import Array, CapturedSample, Target

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)) | st.tuples(
    st.sampled_from([1, 2, 5, 64]), st.integers(1, 9)
)
"""Shapes of images and signals."""

_FLOATS = st.floats(width=32)
_STRENGTHS = st.floats(0, 1, width=32)
_IDS = st.none() | st.text(max_size=8) | st.just("\ud800 alone") | st.just("日本語 🙂")
_CLASSES = st.integers(0, MAX_CLASSES - 1)


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
def captured_samples(draw: st.DrawFn) -> CapturedSample:
    """Draw any sample that can be stored."""
    shape = draw(SHAPES)
    strengths = np.unique(draw(st.integers(0, 4).flatmap(lambda n: _floats((n,), _STRENGTHS))))
    listed = draw(st.integers(0, 4))
    targets = []
    for _ in range(draw(st.integers(0, 3))):
        asked = (len(strengths),)
        targets.append(
            Target(
                index=draw(_CLASSES),
                gradient=draw(_floats(shape)),
                delta=draw(_floats(shape)) if len(strengths) else None,
                strengths=strengths,
                probabilities=draw(_floats(asked)),
                original_probabilities=draw(_floats(asked)),
                predictions=draw(hnp.arrays(np.int64, asked, elements=_CLASSES)),
                steps=draw(st.integers(0, 2**31 - 1)),
                stopped=draw(st.sampled_from(["confidence", "max_steps", "nonfinite", "none"])),
            )
        )
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
    )
