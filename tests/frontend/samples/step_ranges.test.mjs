import assert from "node:assert/strict";
import { test } from "node:test";
import { binOf, latestThird, rangeBefore, rangeCaption, rangeOf } from "../../../frontend/samples/step_ranges.js";

test("the usual range is the latest third, and a chosen range may be open", () => {
  assert.deepEqual(latestThird({ from: 0, to: 780 }), { from: 520, to: 780 });
  assert.deepEqual(latestThird({ from: 5, to: 5 }), { from: 5, to: 5 });
  const span = { from: 0, to: 300 };
  assert.deepEqual(rangeOf(null, span), { from: 200, to: 300 });
  assert.deepEqual(rangeOf({ from: null, to: 50 }, span), { from: 0, to: 50 });
  assert.deepEqual(rangeOf({ from: 50, to: null }, span), { from: 50, to: 300 });
});

test("the range before is as long and does not overlap", () => {
  assert.deepEqual(rangeBefore({ from: 520, to: 780 }), { from: 259, to: 519 });
});

test("bins cover the whole training, and the last step is in the last bin", () => {
  const span = { from: 10, to: 20 };
  assert.deepEqual([10, 14, 15, 20].map((step) => binOf(span, 2, step)), [0, 0, 1, 1]);
  assert.equal(binOf({ from: 5, to: 5 }, 4, 5), 0);
});

test("one step is not called a range", () => {
  assert.equal(rangeCaption({ from: 1200, to: 1200 }), "step 1,200");
  assert.equal(rangeCaption({ from: 0, to: 1200 }), "steps 0 to 1,200");
});
