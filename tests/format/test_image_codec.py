"""Encoded images and signals: any bits come back, and the size is bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_gradascent.format.image_codec import decode_image, encode_image, largest_size

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=20)
BITS = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1 << 31, 0x7FC00001, 0xFF800000])


@given(hnp.arrays(np.uint32, SHAPES, elements=BITS), st.binary(max_size=5))
def test_any_bits_come_back_and_following_bytes_are_not_read(
    bits: npt.NDArray[np.uint32], rest: bytes
) -> None:
    image = bits.view(np.float32)
    data = encode_image(image)
    back, size = decode_image(data + rest, image.shape)
    assert size == len(data) <= largest_size(image.shape)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back.view(np.uint32), bits)


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 1000])
@pytest.mark.parametrize("shape", [(2, 1000), (2, 40, 25)], ids=str)
def test_few_values_take_a_byte_each_and_many_take_four(shape: tuple[int, ...], count: int) -> None:
    image = (np.arange(2000) % count).astype(np.float32).reshape(shape)
    per_channel = 1000 + 4 * count if count <= 256 else 4000
    assert len(encode_image(image)) == 2 * (2 + per_channel)
    np.testing.assert_array_equal(decode_image(encode_image(image), shape)[0], image)


@pytest.mark.parametrize("layout", ["transposed", "strided", "big-endian"])
def test_an_arrays_layout_in_memory_does_not_matter(layout: str) -> None:
    plain = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    array: npt.NDArray[Any] = {
        "transposed": plain.transpose(0, 2, 1).copy().transpose(0, 2, 1),
        "strided": np.repeat(plain, 2, axis=2)[..., ::2],
        "big-endian": plain.astype(">f4"),
    }[layout]
    assert encode_image(array) == encode_image(plain)


@given(hnp.arrays(np.uint32, SHAPES, elements=BITS), st.data())
def test_a_truncated_image_is_refused(bits: npt.NDArray[np.uint32], data: st.DataObject) -> None:
    whole = encode_image(bits.view(np.float32))
    with pytest.raises(ValueError, match="the image"):
        decode_image(whole[: data.draw(st.integers(0, len(whole) - 1))], bits.shape)
