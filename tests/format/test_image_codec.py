"""Encoded images and signals: any bits come back, and the size is bounded."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_gradascent.format.folding import fold
from tb_gradascent.format.image_codec import (
    _encode_palette,
    decode_image,
    encode_image,
    largest_size,
)

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=20)
BITS = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1 << 31, 0x7FC00001, 0xFF800000])


@given(hnp.arrays(np.uint32, SHAPES, elements=BITS), st.binary(max_size=5))
def test_any_bits_come_back_and_following_bytes_are_not_read(
    bits: npt.NDArray[np.uint32], rest: bytes
) -> None:
    image = bits.view(np.float32)
    data, codec = encode_image(image)
    back, size = decode_image(data + rest, image.shape, codec)
    assert size == len(data) <= largest_size(image.shape, codec)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back.view(np.uint32), bits)


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 1000])
@pytest.mark.parametrize("shape", [(2, 1000), (2, 40, 25)], ids=str)
def test_few_values_take_a_byte_each_and_many_take_four(shape: tuple[int, ...], count: int) -> None:
    values = np.random.default_rng(0).permutation(2000) % count
    image = values.astype(np.float32).reshape(shape)
    for channel in image:
        channel.flat[:count] = np.arange(count)
    data, codec = encode_image(image)
    per_channel = 1000 + 4 * count if count <= 256 else 4000
    if count > 1:
        assert codec == "palette"
    assert len(data) == 2 * (2 + per_channel + 1000 * (codec == "predicted_palette"))
    np.testing.assert_array_equal(decode_image(data, shape, codec)[0], image)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_smooth_image_is_predicted_and_comes_back(channels: int) -> None:
    image = photograph(channels)
    image[0, 0, :2] = (-0.0, 0.0)
    data, codec = encode_image(image)
    assert codec == "predicted_palette"
    assert len(zlib.compress(data)) < 0.75 * len(zlib.compress(_encode_palette(image)))
    back, size = decode_image(data, image.shape, codec)
    assert size == len(data) <= largest_size(image.shape, codec)
    np.testing.assert_array_equal(back.view(np.uint32), image.view(np.uint32))


def photograph(channels: int) -> npt.NDArray[np.float32]:
    """Return waves with a little noise, in 8 bits, normalised as if by a mean and a std."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:60, :50]
    waves = 110 + 60 * np.sin(x / 9 + y / 17) + 40 * np.cos(y / 11)
    pixels = np.stack([waves + 10 * channel for channel in range(channels)])
    pixels = np.rint(pixels + rng.normal(size=pixels.shape)).clip(0, 255)
    return ((pixels.astype(np.float32) / 255 - 0.48) / 0.23).astype(np.float32)


def test_signals_and_long_images_are_not_predicted() -> None:
    ramp = np.arange(256, dtype=np.float32)
    assert encode_image(np.tile(ramp, (2, 8)))[1] == "palette"
    assert encode_image(np.tile(ramp, (1, 1, 16)))[1] == "predicted_palette"
    assert encode_image(np.tile(ramp, (1, 1, 17)))[1] == "palette"


@pytest.mark.parametrize("layout", ["transposed", "strided", "big-endian"])
def test_an_arrays_layout_in_memory_does_not_matter(layout: str) -> None:
    noise = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    for plain in (noise, photograph(3)):
        array: npt.NDArray[Any] = {
            "transposed": plain.transpose(0, 2, 1).copy().transpose(0, 2, 1),
            "strided": np.repeat(plain, 2, axis=2)[..., ::2],
            "big-endian": plain.astype(">f4"),
        }[layout]
        assert encode_image(array) == encode_image(plain)


@given(hnp.arrays(np.uint32, SHAPES, elements=BITS), st.data())
def test_a_truncated_image_is_refused(bits: npt.NDArray[np.uint32], data: st.DataObject) -> None:
    whole, codec = encode_image(bits.view(np.float32))
    with pytest.raises(ValueError, match="the image"):
        decode_image(whole[: data.draw(st.integers(0, len(whole) - 1))], bits.shape, codec)


def test_a_truncated_predicted_image_is_refused() -> None:
    image = photograph(2)
    whole, codec = encode_image(image)
    for length in (0, 1, 2, 100, len(whole) // 2, len(whole) - 1):
        with pytest.raises(ValueError, match="the image ends early"):
            decode_image(whole[:length], image.shape, codec)


@pytest.mark.parametrize("residual", [-1, 2, 32767, -32768])
def test_a_residual_that_leaves_the_palette_is_refused(residual: int) -> None:
    palette = struct.pack("<H", 2) + bytes(8)
    data = palette + fold(np.array([residual, 0], np.int16))
    with pytest.raises(ValueError, match="palette entries that do not exist"):
        decode_image(data, (1, 1, 2), "predicted_palette")
