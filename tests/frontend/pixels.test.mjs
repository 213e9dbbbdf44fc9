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

/** One channel after the other: the grey levels of a signal's strip, two rows a channel. */
function strip(picture, change, strength) {
  const { width, height } = picture;
  const pixels = new Uint32Array(width * 2 * height);
  paintMorph(pixels, width, [0, 0, width, 2 * height], picture, change, strength);
  assert.ok(pixels.every((pixel) => [0, 8, 16].every((shift) => ((pixel >> shift) & 255) === (pixel & 255))));
  return Array.from({ length: 2 * height }, (_, row) =>
    [...pixels.subarray(row * width, (row + 1) * width)].map((pixel) => pixel & 255),
  );
}

for (const channels of [1, 2, 3, 4, 64]) {
  test(`a strip of ${channels} channels has two equal rows for each, by the formula`, () => {
    const length = 7;
    const image = random(channels * length, 2);
    const delta = random(channels * length, 3);
    const lows = Array.from({ length: channels }, (_, channel) => -2 - channel / 10);
    const highs = Array.from({ length: channels }, (_, channel) => 2 + channel / 5);
    const picture = pictureOf([channels, length], [lows, highs], [image, image, delta]);
    for (const strength of [0, 0.3, 1, 1.25]) {
      const rows = strip(picture, picture.targets[0].change, strength);
      assert.equal(rows.length, 2 * channels);
      rows.forEach((levels, row) => {
        const channel = row >> 1;
        levels.forEach((level, at) => {
          const value = image[channel * length + at] + strength * delta[channel * length + at];
          const share = (value - lows[channel]) / (highs[channel] - lows[channel]);
          assert.ok(Math.abs(level - Math.min(Math.max(255 * share, 0), 255)) <= 1);
        });
      });
    }
  });
}

test("a strip's gradient is each channel's own, and never their sum", () => {
  const gradient = Float32Array.of(1, -1, -1, 0.5);
  const { targets, width } = pictureOf([2, 2], null, [gradient, gradient, gradient]);
  const pixels = new Uint32Array(3 * 6);
  const palette = Uint32Array.from({ length: 257 }, (_, place) => place + 1);
  paintGradient(pixels, 3, [1, 1, width, 4], targets[0].gradient, palette);
  const [high, low, some] = [256, 1, 192];
  const expected = [0, high, low, 0, high, low, 0, low, some, 0, low, some];
  assert.deepEqual([...pixels], [0, 0, 0, ...expected, 0, 0, 0]);
});

test("without bounds each channel of a signal has its own range", () => {
  const signal = Float32Array.of(-1000, 1000, -0.001, 0.001);
  const picture = pictureOf([2, 2], null, [signal], []);
  assert.deepEqual([...picture.base], [0, 255, 0, 255]);
});

test("of a long signal each pixel is the mean of its share, and every value counts once", () => {
  const length = 1300;
  const ramp = Float32Array.from({ length: 2 * length }, (_, i) => (i < length ? i : 5));
  const bounds = [[0], [255]];
  const picture = pictureOf([2, length], bounds, [ramp, ramp, ramp]);
  const { width, height, base, targets } = picture;
  assert.deepEqual([width, height, base.length], [512, 2, 1024]);
  for (let pixel = 0; pixel < width; pixel++) {
    const first = Math.floor((pixel * length) / width);
    const last = Math.floor(((pixel + 1) * length) / width) - 1;
    assert.ok(Math.abs(base[pixel] - (first + last) / 2) < 0.001);
  }
  assert.deepEqual([...targets[0].change], [...base]);
  assert.ok(base.subarray(width).every((level) => level === 5));
  const hole = ramp.map((value, i) => (i === 700 ? NaN : value));
  assert.equal(pictureOf([2, length], bounds, [hole], []).base.filter(Number.isNaN).length, 1);
});

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
