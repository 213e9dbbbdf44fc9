"""The page decodes every payload to the arrays that Python decodes."""

from __future__ import annotations

import base64
import dataclasses
from typing import get_args

import numpy as np
import pytest

from tb_gradascent.format.payload import unpack_payload
from tb_gradascent.format.record import Codec
from tb_gradascent.format.samples import Array, CapturedSample
from testing.node import node
from testing.strategies import stored
from testing.synthetic import make_sample

CODECS = get_args(Codec)
PAGE = """
    const { decodePayload } = await import(`${process.cwd()}/data/payload.js`);
    for (const { sample, payload } of input) {
        const arrays = await decodePayload(sample, Buffer.from(payload, "base64"));
        for (const { buffer, byteOffset, byteLength } of arrays) {
            out(new Uint8Array(buffer, byteOffset, byteLength));
        }
    }
"""


def sample_of(shape: tuple[int, ...], *, levels: bool) -> CapturedSample:
    """Return a sample; ``levels`` says whether the image has at most 256 values a channel."""
    rng = np.random.default_rng(0)
    sample = make_sample(rng, shape=shape, morphs=("smallest", "visible"))
    image = np.rint(78.6 * (sample.image + 0.4242)) if levels else rng.normal(size=shape)
    return dataclasses.replace(sample, image=image.astype(np.float32))


def with_special_values(sample: CapturedSample) -> CapturedSample:
    """Put values that are not finite into the image and into the smooth delta of each target."""

    def spoilt(array: Array) -> Array:
        array = array.copy()
        array.flat[5:9] = (np.nan, np.inf, -np.inf, -0.0)
        return array

    targets = []
    for target in sample.targets:
        visible = target.morphs["visible"]
        visible = dataclasses.replace(visible, delta=spoilt(visible.delta))
        targets.append(dataclasses.replace(target, morphs={**target.morphs, "visible": visible}))
    return dataclasses.replace(sample, image=spoilt(sample.image), targets=tuple(targets))


@pytest.mark.process
def test_the_page_decodes_what_python_encodes() -> None:
    samples = [
        sample_of(shape, levels=levels)
        for shape in ((1, 28, 28), (3, 74, 75), (4, 33, 1), (2, 1, 40), (2, 300), (64, 20))
        for levels in (True, False)
    ]
    samples += [with_special_values(sample) for sample in samples]
    encoded = [stored(sample) for sample in samples]
    used = {codec for record, _ in encoded for codec in record["payload"]["codecs"]}
    assert used == set(CODECS) - {"not_stored"}, "a sample without arrays has nothing to decode"
    asked = [
        {
            "sample": {
                "shape": record["shape"],
                "payload": {"codecs": [*map(CODECS.index, record["payload"]["codecs"])]},
            },
            "payload": base64.b64encode(payload).decode(),
        }
        for record, payload in encoded
    ]
    ours = [
        array.ravel() for record, payload in encoded for array in unpack_payload(record, payload)
    ]
    expected = np.concatenate(ours)
    page = np.frombuffer(node(PAGE, asked), "<f4")
    np.testing.assert_array_equal(page, expected)
    np.testing.assert_array_equal(np.signbit(page), np.signbit(expected))
