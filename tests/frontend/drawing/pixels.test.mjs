import assert from "node:assert/strict";
import { test } from "node:test";
import { DIVERGING, MIDDLE, NAN_COLOUR, NOT_FINITE } from "../../../frontend/drawing/colormap.js";
import { INITIAL_GRADIENT_COLORS, colourGradient } from "../../../frontend/drawing/gradient_colors.js";
import {
  gradientLevels,
  makeImagePicture,
  paintChange,
  paintGradient,
  paintImage,
  paintMorph,
  rangeOf,
} from "../../../frontend/drawing/pixels.js";
import { DIGITS, makeSample, makeTarget } from "../samples.mjs";

function random(count, scale) {
  return Float32Array.from({ length: count }, (_, i) => scale * Math.sin(12.9898 * (i + 1) * scale));
}

function pictureOf(shape, bounds, arrays, targets = [makeTarget()]) {
  return makeImagePicture(makeSample({ shape, targets, session: { ...DIGITS, bounds } }), arrays);
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
      const levels = painted(picture, picture.targets[0].morphs[0].change, strength);
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
  paintMorph(pixels, 2, [0, 0, 2, 2], picture, picture.targets[0].morphs[0].change, 1);
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

test("without bounds the range of the image is used", () => {
  assert.deepEqual(rangeOf(Float32Array.of(-2, NaN, 3, Infinity)), [-2, 3]);
  assert.deepEqual(rangeOf(Float32Array.of(0.25, 0.5)), [0, 1]);
  assert.deepEqual(rangeOf(Float32Array.of(NaN)), [0, 1]);
  const constant = pictureOf([1, 1, 2], null, [Float32Array.of(7, 7)], []);
  assert.deepEqual([...constant.base], [0, 0]);
});

function levels(gradient, magnitude = gradient.map(Math.abs)) {
  const arrays = [gradient, magnitude, magnitude].map((values) => Float32Array.from(values));
  const { gradient: signed, magnitude: sizes } = gradientLevels(...arrays);
  return [[...signed], [...sizes]];
}

test("a gradient's scale is symmetric and ends at the 99th percentile of its finite magnitudes", () => {
  assert.deepEqual(levels([-2, 0, 1, 2]), [[0, MIDDLE, 191, 254], [254, 0, 127, 254]]);
  const outlier = [...Array(199).fill(0.5), 100];
  assert.deepEqual(levels(outlier).map((positions) => positions.slice(-2)), [[254, 254], [254, 254]]);
  const lone = [...Array(199).fill(0), 100];
  assert.deepEqual(levels(lone).map((positions) => positions.slice(-2)), [[MIDDLE, 254], [0, 254]]);
  assert.deepEqual(levels([NaN, Infinity, 1, 0]), [
    [NOT_FINITE, NOT_FINITE, 254, MIDDLE],
    [NOT_FINITE, NOT_FINITE, 254, 0],
  ]);
  assert.deepEqual(levels([0, 0]), [[MIDDLE, MIDDLE], [0, 0]]);
});

test("a gradient of several channels is their sum, and its magnitude the largest of theirs", () => {
  const gradient = Float32Array.of(1, -1, 0, NaN, 1, 0.5, 0.5, 1);
  const [target] = pictureOf([2, 2, 2], null, [gradient, gradient, gradient]).targets;
  assert.deepEqual([...target.gradient], [254, 95, 159, NOT_FINITE]);
  assert.deepEqual([...target.magnitude], [254, 254, 127, NOT_FINITE]);
  assert.deepEqual([target.end, target.magnitudeEnd].map((end) => Number(end.toFixed(2))), [1.97, 1]);
});

test("an image that is too long for a canvas is reduced", () => {
  const values = Float32Array.from({ length: 65_536 }, (_, i) => Math.floor(i / 4));
  for (const [shape, size] of [[[1, 1, 65_536], [16_384, 1]], [[1, 65_536, 1], [1, 16_384]]]) {
    const { width, height, targets } = pictureOf(shape, null, [values, values, values]);
    assert.deepEqual([width, height], size);
    assert.equal(targets[0].morphs[0].change.length, 16_384);
  }
});

test("a target without a morph has no change", () => {
  const gradient = Float32Array.of(1, 0, 0, 0);
  const target = makeTarget({ morphs: [] });
  const { targets } = pictureOf([1, 2, 2], null, [gradient, gradient], [target]);
  assert.deepEqual(targets[0].morphs, []);
});

test("at a smaller size a morph is the mean of the morph's pixels", () => {
  const [height, width] = [6, 8];
  const image = random(3 * height * width, 1);
  const delta = random(3 * height * width, 2);
  const sample = makeSample({ shape: [3, height, width], session: { ...DIGITS, bounds: [[-4], [4]] } });
  const full = makeImagePicture(sample, [image, image, delta]);
  const small = makeImagePicture(sample, [image, image, delta], { width: 4, height: 3 });
  assert.deepEqual([small.width, small.height, small.base.length], [4, 3, 36]);
  const large = painted(full, full.targets[0].morphs[0].change, 0.5);
  painted(small, small.targets[0].morphs[0].change, 0.5).forEach((level, i) => {
    const [pixel, colour] = [Math.floor(i / 3), i % 3];
    const corner = 2 * Math.floor(pixel / 4) * width + 2 * (pixel % 4);
    const block = [corner, corner + 1, corner + width, corner + width + 1].map((at) => large[3 * at + colour]);
    assert.ok(Math.abs(level - block.reduce((sum, value) => sum + value) / 4) <= 1);
  });
});

function gradientPixels(picture, gradientColors, theme = "light") {
  const pixels = new Uint32Array(picture.width * picture.height);
  const coloured = colourGradient(picture.targets[0], { ...INITIAL_GRADIENT_COLORS, ...gradientColors }, theme, null);
  paintGradient(pixels, picture.width, [0, 0, picture.width, picture.height], picture, coloured);
  return [...pixels].map((pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255]);
}

for (const theme of ["light", "dark"]) {
  test(`an overlay shows the grey original where there is no gradient, and colours where there is: ${theme}`, () => {
    const image = Float32Array.of(0, 1, 0, 1, 0.5, 0.5);
    const gradient = Float32Array.of(0, 0, 1, -1, 0.05, NaN);
    const picture = pictureOf([1, 2, 3], [[0], [1]], [image, gradient, gradient]);
    const [black, white, raised, lowered, faint, missing] = gradientPixels(picture, { style: "overlay" }, theme);
    assert.ok(black.every((level) => level === black[0]) && white.every((level) => level === white[0]));
    assert.ok(white[0] > black[0] + 100);
    assert.ok(raised[0] > raised[2] + 50 && lowered[2] > lowered[0] + 50);
    assert.ok(Math.abs(faint[0] - (white[0] + black[0]) / 2) < 30);
    assert.deepEqual(missing, [255, 0, 255]);
  });
}

for (const theme of ["light", "dark"]) {
  test(`the first palette is blue below, neutral at zero, red above, and marks what is not finite: ${theme}`, () => {
    const colours = DIVERGING.RdBu[theme];
    const [below, zero, above] = [30, MIDDLE, 225].map((position) => [0, 8, 16].map((shift) => (colours[position] >> shift) & 255));
    assert.ok(below[2] > below[0] + 60);
    assert.ok(above[0] > above[2] + 60);
    assert.ok(Math.max(...zero) - Math.min(...zero) < 20);
    assert.equal(colours[NOT_FINITE], NAN_COLOUR);
    assert.ok(!colours.slice(0, NOT_FINITE).includes(NAN_COLOUR));
  });
}

function changePixels(picture) {
  const pixels = new Uint32Array(picture.width * picture.height);
  const all = [0, 0, picture.width, picture.height];
  paintChange(pixels, picture.width, all, picture, picture.targets[0].morphs[0], DIVERGING.RdBu.light);
  return pixels;
}

test("the change of one channel is a diverging map that ends at its 99th percentile", () => {
  const delta = Float32Array.of(-0.25, 0, 0.125, NaN, 0.25, 0.25);
  const picture = pictureOf([1, 2, 3], [[0], [1]], [new Float32Array(6), delta, delta]);
  const [morph] = picture.targets[0].morphs;
  assert.ok(Math.abs(morph.gain - 2) < 1e-6);
  const table = DIVERGING.RdBu.light;
  assert.deepEqual([...changePixels(picture)], [table[0], table[127], table[191], NAN_COLOUR, table[254], table[254]]);
});

test("a change has the same gain at every size", () => {
  const delta = Float32Array.from({ length: 16 }, (_, i) => (i % 2 ? 0.25 : -0.05));
  const sample = makeSample({ shape: [1, 4, 4], session: { ...makeSample().session, bounds: [[0], [1]] } });
  const arrays = [new Float32Array(16), delta, delta];
  const gainAt = (side) => makeImagePicture(sample, arrays, { width: side, height: side }).targets[0].morphs[0].gain;
  assert.ok(Math.abs(gainAt(4) - 2) < 1e-6);
  assert.equal(gainAt(2), gainAt(4));
});

test("the change of three channels is their colours around a middle grey", () => {
  const delta = Float32Array.of(0, 0.1, /* green */ 0, -0.1, /* blue */ 0, 0.05);
  const picture = pictureOf([3, 1, 2], [[0], [1]], [new Float32Array(6), delta, delta]);
  const levelsOf = (pixel) => [0, 8, 16].map((shift) => (pixel >>> shift) & 255);
  const [neutral, coloured] = [...changePixels(picture)].map(levelsOf);
  assert.deepEqual(neutral, [128, 128, 128]);
  assert.deepEqual([coloured[0], coloured[1]], [255, 0]);
  assert.ok(Math.abs(coloured[2] - 191) <= 1);
});

test("the extent of a change is in 255ths of the display's range", () => {
  const delta = Float32Array.of(0.5, 0, 0, 0, /* second channel */ -1, 0, 0, 0);
  const extent = (session) => {
    const sample = makeSample({ shape: [2, 2, 2], session: { ...DIGITS, ...session } });
    const { largest, mean } = makeImagePicture(sample, [delta, delta, delta]).targets[0].morphs[0];
    return [largest, mean];
  };
  assert.deepEqual(extent({ std: [0.2, 0.4], bounds: [[0, 0], [1, 1]] }).map(Math.round), [102, 16]);
  assert.deepEqual(extent({ std: null, bounds: [[0, 0], [2, 4]] }).map(Math.round), [64, 16]);
});

test("a sample's own bounds replace those of the session", () => {
  const sample = makeSample({ shape: [1, 1, 2], bounds: [[0], [2]], targets: [] });
  assert.deepEqual([...makeImagePicture(sample, [Float32Array.of(0, 2)]).base], [0, 255]);
});

test("with bounds of values that were seen, colours keep their relation and morphs keep to their channel", () => {
  const bounds = [[0, 0, 0], [1, 0.5, 0.25]];
  const grey = new Float32Array(3).fill(0.2);
  const delta = new Float32Array(3).fill(1);
  const picture = (fields) => makeImagePicture(makeSample({ shape: [3, 1, 1], ...fields }), [grey, delta, delta]);
  const seen = picture({ bounds, session: { ...DIGITS, bounds: null } });
  const at = (strength, { targets } = seen) => [...painted(seen, targets[0].morphs[0].change, strength)];
  assert.deepEqual(at(0), [51, 51, 51]);
  assert.deepEqual(at(0.5), [179, 128, 64]);
  assert.deepEqual(at(1.25), [255, 128, 64]);
  assert.equal(Math.round(seen.targets[0].morphs[0].largest), 255);
  const given = picture({ bounds, session: { ...DIGITS, bounds } });
  assert.deepEqual([...painted(given, given.targets[0].morphs[0].change, 0)], [51, 102, 204]);
});

test("a channel that is not painted does not stretch the range", () => {
  const bounds = [[0, 0, 0, 0], [0.5, 1, 1, 5000]];
  const values = Float32Array.of(0.5, 0, 0, 2500);
  const change = Float32Array.of(0, 0, 0, 1000);
  const sample = makeSample({ shape: [4, 1, 1], bounds, session: { ...DIGITS, bounds: null } });
  const { base, targets } = makeImagePicture(sample, [values, change, change]);
  assert.deepEqual([...base], [127.5, 0, 0]);
  assert.equal(targets[0].morphs[0].largest, 51);
});

test("photographs are drawn as heat over the darkened original, unless a style is chosen", () => {
  const side = 128;
  const gradient = new Float32Array(side * side);
  gradient[64 * side + 64] = 1;
  const image = new Float32Array(side * side).fill(1);
  const picture = pictureOf([1, side, side], [[0], [1]], [image, gradient, gradient]);
  const pixels = gradientPixels(picture, { style: "auto" });
  const [far, near] = [pixels[0], pixels[64 * side + 66]];
  assert.ok(far.every((level) => level === far[0]) && far[0] > 80 && far[0] < 160, `${far}`);
  assert.ok(near[0] > near[2] + 30, `${near}`);
  assert.ok(gradientPixels(picture, { style: "signed" })[0].every((level) => level > 240));
  const digit = pictureOf([1, 2, 2], [[0], [1]], [image, image, image].map((values) => values.subarray(0, 4)));
  assert.deepEqual(gradientPixels(digit, { style: "auto" }), gradientPixels(digit, { style: "signed" }));
});
