import assert from "node:assert/strict";
import { test } from "node:test";
import { PALETTES } from "../../frontend/colormap.js";
import {
  NAN_COLOUR,
  NOT_FINITE,
  makePicture,
  paintGradient,
  paintImage,
  paintMorph,
  paletteIndices,
  rangeOf,
} from "../../frontend/pixels.js";
import { DIGITS, makeSample, makeTarget } from "./samples.mjs";

function random(count, scale) {
  return Float32Array.from({ length: count }, (_, i) => scale * Math.sin(12.9898 * (i + 1) * scale));
}

function pictureOf(shape, bounds, arrays, targets = [makeTarget()]) {
  return makePicture(makeSample({ shape, targets, session: { ...DIGITS, bounds } }), arrays);
}

/** The levels of red, green and blue at each pixel. */
function painted(picture, change, strength) {
  const { width, height } = picture;
  const pixels = new Uint32Array(width * height);
  paintMorph(pixels, width, [0, 0, width, height], picture, change, strength);
  return [...new Uint8Array(pixels.buffer)].filter((_, i) => i % 4 < 3);
}

for (const channels of [1, 2, 3, 4]) {
  test(`a morph of ${channels} channels is the formula's, within a level`, () => {
    const [height, width] = [5, 3];
    const pixels = height * width;
    const image = random(channels * pixels, 2);
    const delta = random(channels * pixels, 3);
    const bounds = [
      [-1, -0.5, -2, 0].slice(0, channels),
      [1.5, 2, 1, 1].slice(0, channels),
    ];
    const picture = pictureOf([channels, height, width], bounds, [image, image, delta]);
    const level = (channel, pixel, strength) => {
      const value = image[channel * pixels + pixel] + strength * delta[channel * pixels + pixel];
      const share = (value - bounds[0][channel]) / (bounds[1][channel] - bounds[0][channel]);
      return Math.min(Math.max(Math.round(255 * share), 0), 255);
    };
    for (const strength of [0, 0.3, 1, 1.25]) {
      const levels = painted(picture, picture.targets[0].change, strength);
      for (let pixel = 0; pixel < pixels; pixel++) {
        for (let colour = 0; colour < 3; colour++) {
          const expected =
            channels === 2
              ? (level(0, pixel, strength) + level(1, pixel, strength)) / 2
              : level(channels === 1 ? 0 : colour, pixel, strength);
          assert.ok(Math.abs(levels[3 * pixel + colour] - expected) <= 1);
        }
      }
    }
  });
}

test("NaN is marked, and infinity is as bright as can be", () => {
  const image = Float32Array.of(0.5, NaN, Infinity, -Infinity);
  const delta = Float32Array.of(NaN, 0, 0, 0);
  const picture = pictureOf([1, 2, 2], [[0], [1]], [image, image, delta]);
  const pixels = new Uint32Array(4);
  paintImage(pixels, 2, [0, 0, 2, 2], picture);
  assert.deepEqual([...pixels], [0xff808080, NAN_COLOUR, 0xffffffff, 0xff000000]);
  paintMorph(pixels, 2, [0, 0, 2, 2], picture, picture.targets[0].change, 1);
  assert.deepEqual([...pixels], [NAN_COLOUR, NAN_COLOUR, 0xffffffff, 0xff000000]);
});

test("only the panel itself is painted", () => {
  const image = Float32Array.of(0, 1, 1, 0);
  const picture = pictureOf([1, 2, 2], [[0], [1]], [image], []);
  const pixels = new Uint32Array(4 * 4);
  paintImage(pixels, 4, [1, 2, 2, 2], picture);
  const [black, white] = [0xff000000, 0xffffffff];
  assert.deepEqual([...pixels], [0, 0, 0, 0, 0, 0, 0, 0, 0, black, white, 0, 0, white, black, 0]);
});

test("without bounds the image's own range serves", () => {
  assert.deepEqual(rangeOf(Float32Array.of(-2, NaN, 3, Infinity)), [[-2], [3]]);
  assert.deepEqual(rangeOf(Float32Array.of(0.25, 0.5)), [[0], [1]]);
  assert.deepEqual(rangeOf(Float32Array.of(NaN)), [[0], [1]]);
  const constant = pictureOf([1, 1, 2], null, [Float32Array.of(7, 7)], []);
  assert.deepEqual([...constant.base], [0, 0]);
});

test("a gradient's scale is symmetric and ends at its largest finite magnitude", () => {
  assert.deepEqual([...paletteIndices(Float32Array.of(-2, 0, 1, 2), 1)], [0, 128, 191, 255]);
  assert.deepEqual([...paletteIndices(Float32Array.of(NaN, Infinity, 1, 0), 1)], [NOT_FINITE, NOT_FINITE, 255, 128]);
  assert.deepEqual([...paletteIndices(Float32Array.of(0, 0), 1)], [128, 128]);
});

test("a gradient of several channels is their sum", () => {
  assert.deepEqual([...paletteIndices(Float32Array.of(1, -1, 1, 1), 2)], [255, 128]);
});

test("a target without a delta has no morph", () => {
  const gradient = Float32Array.of(1, 0, 0, 0);
  const target = makeTarget({ delta_norm: null });
  const { targets } = pictureOf([1, 2, 2], null, [gradient, gradient, gradient], [target, makeTarget()].slice(0, 1));
  assert.equal(targets[0].change, null);
});

for (const [theme, palette] of Object.entries(PALETTES)) {
  test(`the ${theme} palette is blue below, neutral at zero, red above, and marks what is not finite`, () => {
    const pixels = new Uint32Array(4);
    paintGradient(pixels, 4, [0, 0, 4, 1], Uint16Array.of(30, 128, 225, NOT_FINITE), palette);
    const [below, zero, above] = [...pixels].map((pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255]);
    assert.ok(below[2] > below[0] + 60);
    assert.ok(above[0] > above[2] + 60);
    assert.ok(Math.max(...zero) - Math.min(...zero) < 20);
    assert.equal(pixels[3], NAN_COLOUR);
    assert.ok(!palette.slice(0, NOT_FINITE).includes(NAN_COLOUR));
  });
}
