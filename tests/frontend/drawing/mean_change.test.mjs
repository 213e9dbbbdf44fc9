import assert from "node:assert/strict";
import { test } from "node:test";
import { canAverage, meanChange } from "../../../frontend/drawing/mean_change.js";
import { MIDDLE } from "../../../frontend/drawing/colormap.js";
import { makeSample } from "../samples.mjs";

const change = (values, fields = {}) => ({
  picture: { kind: "image", width: 2, height: 1, planes: values.length / 2, ...fields },
  morph: { change: Float32Array.from(values) },
});

test("changes in opposite directions cancel each other, their magnitudes do not", () => {
  const { levels, count, raster } = meanChange([change([4, 1]), change([-4, 1])]);
  assert.equal(count, 2);
  assert.deepEqual(raster, { width: 2, height: 1 });
  assert.equal(levels.gradient[0], MIDDLE);
  assert.ok(levels.gradient[1] > MIDDLE);
  assert.ok(levels.magnitude[0] > levels.magnitude[1] && levels.magnitude[1] > 0);
});

test("the channels of a pixel count as their mean, and pictures of another size are left out", () => {
  const { levels, count } = meanChange([change([3, 0, 3, 0, -6, 0]), change([9, 9], { width: 1, height: 2 })]);
  assert.equal(count, 1);
  assert.equal(levels.gradient[0], MIDDLE);
  assert.ok(levels.magnitude[0] > 0);
});

test("signals, large images, and images of several sizes are not averaged", () => {
  assert.equal(meanChange([]), null);
  assert.equal(meanChange([{ picture: { kind: "signal" }, morph: {} }]), null);
  const shaped = (...shapes) => canAverage(shapes.map((shape) => makeSample({ shape })));
  assert.equal(shaped([1, 28, 28], [1, 28, 28]), true);
  assert.equal(shaped([3, 64, 64]), true);
  assert.equal(shaped([3, 224, 224]), false);
  assert.equal(shaped([1, 28, 28], [1, 32, 32]), false);
  assert.equal(shaped([2, 60]), false);
  assert.equal(shaped(), false);
});
