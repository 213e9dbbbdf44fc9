import assert from "node:assert/strict";
import { test } from "node:test";
import { percentile, scaleEndOf } from "../../../frontend/drawing/percentile.js";

/** As numpy.percentile computes it: sorted, and interpolated. */
function reference(values, percent) {
  const sorted = [...values].sort((one, other) => one - other);
  const place = (percent / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

for (const count of [1, 2, 5, 100, 101, 784, 50_176]) {
  test(`the percentiles of ${count} values are those of the sorted values`, () => {
    const values = Float32Array.from({ length: count }, (_, i) => Math.round(1000 * Math.sin(i * i) ** 4) / 10);
    for (const percent of [0, 50, 99, 100]) {
      assert.ok(Math.abs(percentile(values.slice(), percent) - reference(values, percent)) < 1e-4);
    }
  });
}

test("equal and sorted values need no special case", () => {
  assert.equal(percentile(new Float32Array(10_000).fill(3), 99), 3);
  assert.equal(percentile(Float32Array.from({ length: 101 }, (_, i) => i), 99), 99);
  assert.equal(percentile(Float32Array.from({ length: 101 }, (_, i) => 100 - i), 99), 99);
});

test("a scale ends at the 99th percentile of finite magnitudes, and at the largest one if that is 0", () => {
  const values = Float32Array.from({ length: 101 }, (_, i) => (i % 2 ? i : -i));
  assert.equal(scaleEndOf(values), 99);
  assert.equal(scaleEndOf(Float32Array.of(...values, NaN, Infinity, -Infinity)), 99);
  assert.equal(scaleEndOf(Float32Array.of(...Array(500).fill(0), -7)), 7);
  assert.equal(scaleEndOf(new Float32Array(4)), 0);
  assert.equal(scaleEndOf(Float32Array.of(NaN)), 0);
});
