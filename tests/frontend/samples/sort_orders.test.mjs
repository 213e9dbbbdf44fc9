import assert from "node:assert/strict";
import { test } from "node:test";
import { ORDERS, sortedPositions } from "../../../frontend/samples/sort_orders.js";
import { makeSample, makeTarget } from "../samples.mjs";

/** The positions of samples that differ in the given fields, in an order. */
function order(sort, fields) {
  const samples = fields.map((field, index) => makeSample({ ...field, index }));
  return Array.from(sortedPositions(samples, sort), (position) => samples[position].index);
}

const flipping = (distance) => ({
  targets: [makeTarget({ delta_norm: distance, predictions: distance === null ? [5, 5, 5] : [5, 5, 8] })],
});
const steep = (...norms) => ({ targets: norms.map((gradient_norm) => makeTarget({ gradient_norm })) });

for (const [sort, fields, expected] of [
  ["border", [{ margin: 0 }, { margin: 1, label: 8 }, { margin: NaN }, { margin: 0.2, label: 8 }, { margin: 0, label: null }], [3, 1, 0, 4, 2]],
  ["newest", [{ step: 1 }, { step: 3 }, { step: 2 }], [1, 2, 0]],
  ["oldest", [{ step: 1 }, { step: 3 }, { step: 2 }], [0, 2, 1]],
  ["margin", [{ margin: NaN }, { margin: 0.5 }, { margin: 0 }], [2, 1, 0]],
  ["loss", [{ loss: null }, { loss: 0 }, { loss: NaN }, { loss: Infinity }, { loss: 2 }], [3, 4, 1, 0, 2]],
  ["entropy", [{ entropy: 0 }, { entropy: NaN }, { entropy: 3 }], [2, 0, 1]],
  ["gradient", [steep(), steep(1, 2), steep(NaN, 9), steep(Infinity), steep(NaN)], [3, 2, 1, 0, 4]],
  ["flip", [flipping(null), flipping(2), flipping(0.1), flipping(Infinity)], [2, 1, 0, 3]],
]) {
  test(`${ORDERS[sort].words}; missing values come last`, () => {
    assert.deepEqual(order(sort, fields), expected);
  });
}

test("every order is tested", () => {
  assert.deepEqual(Object.keys(ORDERS), ["border", "newest", "oldest", "margin", "loss", "entropy", "gradient", "flip"]);
});

test("equal keys are sorted newest first, then in the given order", () => {
  const fields = [{ step: 1 }, { step: 2 }, { step: 2, wall_time: 5 }, { step: 2 }].map((field) => ({ ...field, loss: 1 }));
  assert.deepEqual(order("loss", fields), [2, 1, 3, 0]);
  assert.deepEqual(order("oldest", [{ step: 1 }, { step: 1 }]), [0, 1]);
  assert.deepEqual(order("newest", [{ step: 1 }, { step: 1 }]), [0, 1]);
});

test("the shortcut for samples in time order gives the same result as sorting", () => {
  const brute = (/** @type {{step: number, wall_time: number}[]} */ fields) =>
    fields
      .map((field, position) => ({ ...field, position }))
      .sort((one, other) => other.step - one.step || other.wall_time - one.wall_time || one.position - other.position)
      .map(({ position }) => position);
  const inTime = Array.from({ length: 60 }, (_, position) => ({ step: Math.floor(position / 7), wall_time: Math.floor(position / 3) }));
  const [moved, ...others] = inTime;
  const oldest = (/** @type {{step: number, wall_time: number}[]} */ fields) =>
    fields
      .map((field, position) => ({ ...field, position }))
      .sort((one, other) => one.step - other.step || one.wall_time - other.wall_time || one.position - other.position)
      .map(({ position }) => position);
  for (const fields of [inTime, [...others, moved], [...inTime, ...inTime], inTime.toReversed(), [], [moved]]) {
    assert.deepEqual(order("newest", fields), brute(fields));
    assert.deepEqual(order("oldest", fields), oldest(fields));
  }
});
