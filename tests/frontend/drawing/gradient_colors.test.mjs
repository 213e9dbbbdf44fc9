import assert from "node:assert/strict";
import { test } from "node:test";
import { COLOURS, DIVERGING, MIDDLE, NAN_COLOUR, NOT_FINITE, SEQUENTIAL } from "../../../frontend/drawing/colormap.js";
import {
  INITIAL_GRADIENT_COLORS,
  MAPS,
  colourGradient,
  commonEnd,
  legendOf,
  photographsIn,
} from "../../../frontend/drawing/gradient_colors.js";
import { makeSample, makeTarget } from "../samples.mjs";

/** As seen with the colour vision that 1 in 12 men have: Machado et al. 2009, severity 1, linear RGB. */
const VISIONS = {
  usual: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protan: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deutan: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritan: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
};

function linear(pixel) {
  return [0, 8, 16].map((shift) => {
    const level = ((pixel >>> shift) & 255) / 255;
    return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
  });
}

/** CIELAB of a pixel as a vision sees it. */
function lab(pixel, matrix) {
  const seen = linear(pixel);
  const [r, g, b] = [0, 3, 6].map((row) =>
    Math.min(Math.max(matrix[row] * seen[0] + matrix[row + 1] * seen[1] + matrix[row + 2] * seen[2], 0), 1),
  );
  const f = (t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function distance(one, other, matrix) {
  const [first, second] = [lab(one, matrix), lab(other, matrix)];
  return Math.hypot(...first.map((value, i) => value - second[i]));
}

for (const map of Object.keys(MAPS)) {
  for (const theme of ["light", "dark"]) {
    const colours = DIVERGING[map][theme];
    for (const [vision, matrix] of Object.entries(VISIONS)) {
      test(`${map}, ${theme}: raising, lowering and zero are told apart with ${vision} colour vision`, () => {
        for (const share of [0.5, 0.75]) {
          const below = colours[Math.round(MIDDLE * (1 - share))];
          const above = colours[Math.round(MIDDLE * (1 + share))];
          assert.ok(distance(below, above, matrix) > 20, `${distance(below, above, matrix)}`);
          assert.ok(distance(below, colours[MIDDLE], matrix) > 20);
          assert.ok(distance(above, colours[MIDDLE], matrix) > 20);
        }
      });
    }

    test(`${map}, ${theme}: lightness goes one way from zero to each end`, () => {
      const lightness = [...colours.subarray(0, COLOURS)].map((pixel) => lab(pixel, VISIONS.usual)[0]);
      const away = theme === "light" ? -1 : 1;
      for (let position = MIDDLE + 8; position < COLOURS; position += 8) {
        assert.ok(away * (lightness[position] - lightness[position - 8]) > -0.5);
        assert.ok(away * (lightness[2 * MIDDLE - position] - lightness[2 * MIDDLE - position + 8]) > -0.5);
      }
    });
  }
}

test("a magnitude's colours go from the paper's lightness to the other end", () => {
  const ends = (theme) => [0, COLOURS - 1].map((position) => lab(SEQUENTIAL[theme][position], VISIONS.usual)[0]);
  assert.ok(ends("light")[0] > 95 && ends("light")[1] < 5);
  assert.ok(ends("dark")[0] < 5 && ends("dark")[1] > 95);
});

const LEVELS = {
  gradient: Uint8Array.of(0, MIDDLE, 254, NOT_FINITE),
  end: 2,
  magnitude: Uint8Array.of(254, 0, 254, NOT_FINITE),
  magnitudeEnd: 2,
  heat: Uint8Array.of(254, 0, 254, NOT_FINITE),
  heatEnd: 1,
  usualStyle: "signed",
};

function colourOf(position, gradientColors, end) {
  const coloured = colourGradient(LEVELS, { ...INITIAL_GRADIENT_COLORS, ...gradientColors }, "light", end);
  return coloured.colours[coloured.levels[position]];
}

test("a gradient reaches the ends of its own scale, and less of a larger common scale", () => {
  const table = DIVERGING.RdBu.light;
  assert.deepEqual([0, 1, 2, 3].map((position) => colourOf(position, {}, null)), [table[0], table[127], table[254], NAN_COLOUR]);
  assert.deepEqual([0, 1, 2, 3].map((position) => colourOf(position, {}, 4)), [table[64], table[127], table[191], NAN_COLOUR]);
  assert.deepEqual([0, 1, 2].map((position) => colourOf(position, {}, 0.5)), [table[0], table[127], table[254]]);
});

test("a magnitude can have its own scale", () => {
  const table = SEQUENTIAL.light;
  const gradientColors = { style: "magnitude" };
  assert.deepEqual([0, 1, 3].map((position) => colourOf(position, gradientColors, null)), [table[254], table[0], NAN_COLOUR]);
  assert.deepEqual([0, 1].map((position) => colourOf(position, gradientColors, 4)), [table[127], table[0]]);
});

test("with a common scale, gradients of zero stay zero", () => {
  const flat = { ...LEVELS, gradient: Uint8Array.of(MIDDLE), end: 0 };
  const coloured = colourGradient(flat, INITIAL_GRADIENT_COLORS, "light", 0);
  assert.equal(coloured.colours[coloured.levels[0]], DIVERGING.RdBu.light[MIDDLE]);
});

test("the common scale ends at the largest 99th percentile, which is estimated where it is unknown", () => {
  const samples = [0.5, 3, NaN].map((gradient_p99) => makeSample({ shape: [1, 4, 4], targets: [makeTarget({ gradient_p99 })] }));
  assert.equal(commonEnd(samples), 3);
  const old = makeSample({ shape: [1, 4, 4], targets: [makeTarget({ gradient_p99: null, gradient_norm: 8 })] });
  assert.ok(Math.abs(commonEnd([old]) - 2.58 * 2) < 1e-9);
  const colour = makeSample({ shape: [4, 4, 4], targets: [makeTarget({ gradient_p99: 3 })] });
  assert.equal(commonEnd([colour]), 6);
  assert.equal(commonEnd([makeSample({ targets: [makeTarget({ gradient_p99: NaN })] })]), 0);
  assert.equal(commonEnd([]), 0);
});

test("samples with a side above 96 pixels are photographs", () => {
  const ofShapes = (...shapes) => photographsIn(shapes.map((shape) => makeSample({ shape })));
  assert.equal(ofShapes([1, 28, 28], [3, 96, 96], [1, 5000]), "none");
  assert.equal(ofShapes([3, 97, 20], [3, 224, 224]), "all");
  assert.equal(ofShapes([1, 28, 28], [3, 224, 224]), "some");
});

test("heat covers the strong parts, and the original stays visible under the weak ones", () => {
  const { colours, opacity, ground } = colourGradient(LEVELS, { ...INITIAL_GRADIENT_COLORS, style: "heat" }, "light", null);
  assert.deepEqual(ground, [0, 120]);
  assert.equal(opacity[0], 0);
  assert.ok(opacity[254] > 200 && opacity[254] < 255);
  assert.equal(colours[254], SEQUENTIAL.dark[254]);
});

test("the legend shows the end of a common scale", () => {
  assert.deepEqual(legendOf(INITIAL_GRADIENT_COLORS, "light", null, "none").marks, ["lowers", "0", "raises"]);
  assert.deepEqual(legendOf(INITIAL_GRADIENT_COLORS, "light", 0.1234, "none").marks, ["−0.12", "0", "0.12"]);
  const saliency = legendOf({ ...INITIAL_GRADIENT_COLORS, style: "magnitude" }, "dark", 3, "none");
  assert.deepEqual(saliency.marks, ["0", "3"]);
  assert.equal(saliency.colours.length, COLOURS);
  for (const style of ["auto", "signed", "heat", "magnitude"]) {
    assert.match(legendOf({ ...INITIAL_GRADIENT_COLORS, style }, "light", null, "none").words, /colours end at the 99th percentile/);
  }
  assert.deepEqual(legendOf(INITIAL_GRADIENT_COLORS, "light", null, "all").marks, ["0", "strong"]);
  assert.match(legendOf(INITIAL_GRADIENT_COLORS, "light", null, "some").words, /On photographs/);
});
