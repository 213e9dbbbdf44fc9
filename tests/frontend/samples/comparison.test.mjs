import assert from "node:assert/strict";
import { test } from "node:test";

import { compare, differencesOf, pairsShown } from "../../../frontend/samples/comparison.js";
import { makeSample, makeTarget } from "../samples.mjs";

const at = (id, step, fields = {}) => makeSample({ id, step, ...fields });
const steps = ({ pairs }) => pairs.map(({ first, second }) => [first.id, first.step, second.step]);

test("the same id at the same step is a pair", () => {
  const comparison = compare([at("x", 0), at("x", 10), at("y", 0)], [at("x", 10), at("x", 0)]);
  assert.deepEqual(steps(comparison), [["x", 0, 0], ["x", 10, 10]]);
  assert.equal(comparison.unmatchedFirst, 1);
  assert.equal(comparison.unmatchedSecond, 0);
});

test("samples are paired at the nearest step, each in one pair at most", () => {
  const comparison = compare([at("x", 0), at("x", 40), at("x", 100)], [at("x", 38), at("x", 90)]);
  assert.deepEqual(steps(comparison), [["x", 40, 38], ["x", 100, 90]]);
  assert.equal(comparison.unmatchedFirst, 1);
  assert.equal(comparison.unmatchedSecond, 0);
});

test("each sample of a pair is the nearest to the other, as an oracle that tries all pairs finds", () => {
  let seed = 7;
  const random = (below) => (seed = (seed * 16807) % 2147483647) % below;
  for (let round = 0; round < 200; round++) {
    const make = () => {
      const some = new Set(Array.from({ length: 1 + random(6) }, () => random(30)));
      return [...some].map((step) => at("x", step));
    };
    const [first, second] = [make(), make()];
    const near = (samples, step) =>
      [...samples].sort((a, b) => Math.abs(a.step - step) - Math.abs(b.step - step) || a.step - b.step)[0];
    const expected = first
      .filter((one) => near(first, near(second, one.step).step) === one)
      .map((one) => ["x", one.step, near(second, one.step).step]);
    assert.deepEqual(steps(compare(first, second)), expected);
  }
});

test("samples without an id have no partner", () => {
  const comparison = compare([at(null, 0)], [at(null, 0)]);
  assert.deepEqual(comparison, { pairs: [], unmatchedFirst: 1, unmatchedSecond: 1 });
});

test("pairs come in the order of the first run's samples", () => {
  const first = [at("y", 5), at("x", 0)];
  assert.deepEqual(steps(compare(first, [at("x", 0), at("y", 5)])), [["y", 5, 5], ["x", 0, 0]]);
});

test("the differences are the prediction, the margin and the flip distances", () => {
  const first = at("x", 0, { classes: [5, 8], margin: 0.25 });
  const second = at("x", 10, {
    classes: [8, 5],
    margin: 0.75,
    targets: [makeTarget({ delta_norm: 4 }), makeTarget({ index: 3 })],
  });
  assert.deepEqual(differencesOf({ first, second }), {
    prediction: true,
    steps: 10,
    margin: 0.5,
    flipDistances: [{ target: 8, first: 0.5, second: 2 }],
  });
});

test("a margin of NaN has no difference", () => {
  const [first, second] = [at("x", 0, { margin: NaN }), at("x", 0)];
  assert.equal(differencesOf({ first, second }).margin, null);
});

test("a pair is shown if one of its samples passes the filters", () => {
  const [a, b, c, d, e, f] = Array.from({ length: 6 }, (_, step) => at("x", step));
  const pairs = [{ first: a, second: b }, { first: c, second: d }, { first: e, second: f }];
  const comparison = { pairs, unmatchedFirst: 0, unmatchedSecond: 0 };
  assert.deepEqual(pairsShown(comparison, [f, b, e]), [pairs[2], pairs[0]]);
  assert.deepEqual(pairsShown(comparison, []), []);
});
