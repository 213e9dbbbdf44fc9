import assert from "node:assert/strict";
import { test } from "node:test";
import { MIDDLE, NAN_COLOUR } from "../../../frontend/drawing/colormap.js";
import { drawChange, drawGradient, drawMorph, drawSignal, envelope, makeSignalPicture } from "../../../frontend/drawing/curves.js";
import { INITIAL_GRADIENT_COLORS, colourGradient } from "../../../frontend/drawing/gradient_colors.js";
import { DIGITS, makeSample, makeTarget } from "../samples.mjs";

const UNBOUNDED = { ...DIGITS, bounds: null };

const UNBOUNDED_LEGAL = [0, 1].map(() => [-Infinity, Infinity]);

function wave(count, phase) {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(0.7 * i + phase));
}

function pictureOf([channels, length], arrays, fields = {}) {
  return makeSignalPicture(makeSample({ shape: [channels, length], session: UNBOUNDED, ...fields }), arrays);
}

/** A sheet of paper, and what draws on it within the rectangle. */
function draw(width, height, rectangle, drawing, theme = "light") {
  const pixels = new Uint32Array(width * height);
  drawing({ pixels, stride: width, ratio: 1, theme }, rectangle);
  return pixels;
}

const brightness = (pixel) => (pixel & 255) + ((pixel >> 8) & 255) + ((pixel >> 16) & 255);

/** For each column the middle of what is dark in some rows, in rows from the top. */
function darkMiddles(pixels, width, from, to) {
  return Array.from({ length: width }, (_, x) => {
    let [weight, sum] = [0, 0];
    for (let y = from; y < to; y++) {
      const dark = 765 - brightness(pixels[y * width + x]);
      weight += dark;
      sum += dark * (y + 0.5);
    }
    return sum / weight;
  });
}

test("every value of a long signal is within its column's envelope, and nothing else", () => {
  const values = wave(5000, 1);
  values[1234] = 7;
  const { lows, highs } = envelope(values, 200);
  for (let column = 0; column < 200; column++) {
    const inside = values.filter((_, i) => i >= (column * 4999) / 200 && i <= ((column + 1) * 4999) / 200);
    assert.ok(lows[column] <= Math.min(...inside) && highs[column] >= Math.max(...inside));
  }
  assert.equal(Math.max(...highs), 7);
  assert.equal(highs.filter((high) => high > 1.01).length, 1);
});

test("a short signal is straight between its values", () => {
  const { lows, highs } = envelope(Float32Array.of(0, 1, 0), 8);
  assert.deepEqual([...lows], [0, 0.25, 0.5, 0.75, 0.75, 0.5, 0.25, 0]);
  assert.deepEqual([...highs], [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25]);
  assert.deepEqual([...envelope(Float32Array.of(3), 2).lows], [3, 3]);
});

test("each channel has its own row, in which the curve follows the signal", () => {
  const [width, height, length] = [100, 80, 100];
  const slow = (phase) => wave(length, phase).map((_, i) => Math.sin(0.1 * i + phase));
  const signal = new Float32Array([...slow(0), ...slow(2).map((value) => 1000 * value)]);
  const picture = pictureOf([2, length], [signal], { targets: [] });
  const pixels = draw(width, height, [0, 0, width, height], (sheet, panel) => drawSignal(sheet, panel, picture));
  [0, 1].forEach((channel) => {
    const own = signal.subarray(channel * length, (channel + 1) * length);
    const middles = darkMiddles(pixels, width, 40 * channel, 40 * (channel + 1));
    // The higher the value, the higher the curve: a straight relation.
    const between = middles.slice(1, -1).map((_, i) => (own[i + 1] + own[Math.min(i + 2, length - 1)]) / 2);
    const correlation = correlate(between, middles.slice(1, -1));
    assert.ok(correlation < -0.98, `${correlation}`);
  });
});

function correlate(some, others) {
  const mean = (array) => array.reduce((sum, value) => sum + value, 0) / array.length;
  const [first, second] = [mean(some), mean(others)];
  const product = (one, other, a, b) => one.reduce((sum, value, i) => sum + (value - a) * (other[i] - b), 0);
  const together = product(some, others, first, second);
  return together / Math.sqrt(product(some, some, first, first) * product(others, others, second, second));
}

test("nothing outside the panel is painted", () => {
  const signal = Float32Array.of(0, Infinity, -Infinity, NaN, 5);
  const picture = pictureOf([1, 5], [signal, signal, signal]);
  const panel = [3, 2, 10, 12];
  const pixels = draw(20, 20, panel, (sheet) => {
    drawSignal(sheet, panel, picture);
    drawMorph(sheet, panel, picture, picture.targets[0].morphs[0].change, 1);
    drawGradient(sheet, panel, picture, colourGradient(picture.targets[0], INITIAL_GRADIENT_COLORS, "light", null));
  });
  pixels.forEach((pixel, i) => {
    const inside = i % 20 >= 3 && i % 20 < 13 && Math.floor(i / 20) >= 2 && Math.floor(i / 20) < 14;
    assert.equal(pixel !== 0, inside);
  });
});

test("NaN is marked from the top to the bottom", () => {
  const picture = pictureOf([1, 5], [Float32Array.of(0, 1, NaN, 1, 0)], { targets: [] });
  const pixels = draw(20, 10, [0, 0, 20, 10], (sheet, panel) => drawSignal(sheet, panel, picture));
  const marked = [...pixels.subarray(0, 20)].map((pixel) => pixel === NAN_COLOUR);
  assert.deepEqual(marked.slice(5, 15), Array(10).fill(true));
  assert.ok(!marked[0] && !marked[19]);
});

test("the band along the curve is red where the gradient raises and blue where it lowers", () => {
  const [width, height, length] = [60, 40, 600];
  const gradient = Float32Array.from({ length }, (_, i) => (i < 300 ? 1 : -1));
  const picture = pictureOf([1, length], [new Float32Array(length), gradient, gradient]);
  const coloured = colourGradient(picture.targets[0], INITIAL_GRADIENT_COLORS, "light", null);
  const pixels = draw(width, height, [0, 0, width, height], (sheet, panel) => drawGradient(sheet, panel, picture, coloured));
  // Just above the line in the middle.
  const redness = [...pixels.subarray(17 * width, 18 * width)].map((pixel) => (pixel & 255) - ((pixel >> 16) & 255));
  assert.ok(redness.slice(0, 29).every((value) => value > 60));
  assert.ok(redness.slice(31).every((value) => value < -40));
});

test("the strongest gradient of a column gives it its colour", () => {
  const length = 1000;
  const gradient = new Float32Array(length);
  gradient[503] = -1;
  const picture = pictureOf([1, length], [new Float32Array(length), gradient, gradient]);
  const coloured = colourGradient(picture.targets[0], INITIAL_GRADIENT_COLORS, "light", null);
  const pixels = draw(20, 20, [0, 0, 20, 20], (sheet, panel) => drawGradient(sheet, panel, picture, coloured));
  const column = [...Array(20).keys()].filter((x) => [...Array(20).keys()].some((y) => pixels[20 * y + x] === coloured.colours[0]));
  assert.deepEqual(column, [10]);
  assert.equal(picture.targets[0].gradient[0], MIDDLE);
});

test("a morph at strength 0 lies on the original, and moves with the strength", () => {
  const length = 50;
  const delta = new Float32Array(length).fill(2);
  const picture = pictureOf([1, length], [wave(length, 0), delta, delta]);
  assert.deepEqual(picture.ranges[0].map(Math.round), [-1, 3]);
  const middles = [0, 0.5, 1].map((strength) => {
    const pixels = draw(50, 60, [0, 0, 50, 60], (sheet, panel) =>
      drawMorph(sheet, panel, picture, picture.targets[0].morphs[0].change, strength),
    );
    const black = pixels.map((pixel) => (brightness(pixel) < 200 ? 0xff000000 : 0xffffffff));
    return darkMiddles(black, 50, 0, 60)[20];
  });
  assert.ok(middles[0] > middles[1] + 8 && middles[1] > middles[2] + 8);
});

test("a morph keeps to the bounds of its channel at every strength", () => {
  const [width, height, length] = [50, 60, 50];
  const up = new Float32Array(2 * length).fill(1).fill(-1, length);
  const arrays = [new Float32Array(2 * length).fill(0.5), up, up];
  const bounded = pictureOf([2, length], arrays, { bounds: [[0, 0.25], [0.75, 1]], strengths: [0, 1, 8] });
  assert.deepEqual(bounded.ranges, [[0.5, 0.75], [0.25, 0.5]]);
  const sheet = (picture, change, strength) =>
    draw(width, height, [0, 0, width, height], (surface, panel) => drawMorph(surface, panel, picture, change, strength));
  const clipped = { ...bounded, legal: UNBOUNDED_LEGAL };
  for (const strength of [0.25, 0.5, 1, 8]) {
    const within = up.map((value) => Math.sign(value) * Math.min(Math.abs(strength * value), 0.25));
    assert.deepEqual(sheet(bounded, up, strength), sheet(clipped, within, 1), `at strength ${strength}`);
  }
});

test("the session's bounds hold for a signal that has none of its own", () => {
  const arrays = [Float32Array.of(0, 1), Float32Array.of(1, 1), Float32Array.of(-4, 4)];
  assert.deepEqual(pictureOf([1, 2], arrays).ranges, [[-4, 5]]);
  assert.deepEqual(pictureOf([1, 2], arrays, { session: { ...DIGITS, bounds: [[-1], [2]] } }).ranges, [[-1, 2]]);
});

test("a change is drawn around the middle of its row, and its 99th percentile reaches the edge", () => {
  const length = 200;
  const change = Float32Array.from({ length }, (_, i) => 0.01 * Math.sin(0.2 * i));
  const picture = pictureOf([2, length / 2], [new Float32Array(length).fill(1), change, change]);
  const [morph] = picture.targets[0].morphs;
  const [low, high] = picture.ranges[0];
  assert.ok(Math.abs(morph.gain - (high - low) / 2 / 0.00999) < 1, `${morph.gain}`);
  assert.ok(Math.abs(morph.largest - 0.01) < 1e-5);
  const pixels = draw(100, 80, [0, 0, 100, 80], (sheet, panel) => drawChange(sheet, panel, picture, morph));
  const black = pixels.map((pixel) => (brightness(pixel) < 200 ? 0xff000000 : 0xffffffff));
  const middles = darkMiddles(black, 100, 0, 40);
  const values = [...change.subarray(0, 100)];
  const between = middles.slice(1, -1).map((_, i) => (values[i + 1] + values[Math.min(i + 2, 99)]) / 2);
  assert.ok(correlate(between, middles.slice(1, -1)) < -0.98);
  assert.ok(Math.min(...middles) < 10 && Math.max(...middles) > 30);
});

test("a change of zero is a line in the middle", () => {
  const picture = pictureOf([1, 20], [wave(20, 0), wave(20, 0), new Float32Array(20)]);
  const [morph] = picture.targets[0].morphs;
  const pixels = draw(20, 41, [0, 0, 20, 41], (sheet, panel) => drawChange(sheet, panel, picture, morph));
  for (const middle of darkMiddles(pixels, 20, 0, 41)) assert.ok(Math.abs(middle - 20.5) < 0.5);
});
