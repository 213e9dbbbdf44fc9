import assert from "node:assert/strict";
import { test } from "node:test";
import { shrink, smooth } from "../../../frontend/drawing/resample.js";

test("for the same size the given array is returned", () => {
  const values = Float32Array.of(1, 2);
  assert.equal(shrink(values, 1, { width: 2, height: 1 }, { width: 2, height: 1 }), values);
});

test("each block becomes its mean, plane by plane", () => {
  const values = Float32Array.of(0, 2, 4, 6, 2, 4, 6, 8, /* second plane */ 1, 1, 3, 3, 1, 1, 3, 3);
  assert.deepEqual([...shrink(values, 2, { width: 4, height: 2 }, { width: 2, height: 1 })], [2, 6, 1, 3]);
});

test("a pixel on a border counts by the covered area", () => {
  const [first, second] = shrink(Float32Array.of(3, 6, 9), 1, { width: 3, height: 1 }, { width: 2, height: 1 });
  assert.ok(Math.abs(first - 4) < 1e-6 && Math.abs(second - 8) < 1e-6);
});

for (const to of [{ width: 56, height: 41 }, { width: 1, height: 1 }, { width: 223, height: 100 }]) {
  test(`the mean stays the same at ${to.width} × ${to.height}`, () => {
    const values = Float32Array.from({ length: 224 * 123 }, (_, i) => Math.sin(i * i));
    const small = shrink(values, 1, { width: 224, height: 123 }, to);
    assert.equal(small.length, to.width * to.height);
    const mean = (array) => array.reduce((sum, value) => sum + value, 0) / array.length;
    assert.ok(Math.abs(mean(small) - mean(values)) < 1e-4);
  });
}

test("NaN stays at its position", () => {
  const small = shrink(Float32Array.of(1, NaN, 1, 1), 1, { width: 4, height: 1 }, { width: 2, height: 1 });
  assert.deepEqual([...small], [NaN, 1]);
});

test("a smoothed point is a Gaussian", () => {
  const values = new Float32Array(41 * 41);
  values[20 * 41 + 20] = 1;
  const smoothed = smooth(values, { width: 41, height: 41 }, 3);
  const ratio = (x, y) => smoothed[(20 + y) * 41 + 20 + x] / smoothed[20 * 41 + 20];
  for (const [x, y] of [[3, 0], [0, 3], [2, -2]]) {
    assert.ok(Math.abs(ratio(x, y) - Math.exp(-(x * x + y * y) / 18)) < 1e-5);
  }
  assert.ok(Math.abs(smoothed.reduce((sum, value) => sum + value, 0) - 1) < 1e-5);
});

test("a constant stays constant up to the edges, and NaN does not spread", () => {
  const size = { width: 7, height: 5 };
  const values = new Float32Array(35).fill(2);
  assert.ok(smooth(values, size, 2).every((value) => Math.abs(value - 2) < 1e-6));
  values[17] = NaN;
  const smoothed = smooth(values, size, 2);
  assert.deepEqual([...smoothed].flatMap((value, i) => (Number.isNaN(value) ? [i] : [])), [17]);
});
