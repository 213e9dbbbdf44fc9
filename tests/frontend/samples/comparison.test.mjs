import assert from "node:assert/strict";
import { test } from "node:test";

import { compare, differencesOf, pairsShown, byDifference, changeOf, changesOf, runRows } from "../../../frontend/samples/comparison.js";
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
    probabilities: [0.75, 0.25],
    margin: 0.5,
    targets: [makeTarget({ delta_norm: 4 }), makeTarget({ index: 3 })],
  });
  assert.deepEqual(differencesOf({ first, second }), {
    prediction: true,
    steps: 10,
    margin: -0.75,
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

const said = (classes, label = 5, fields = {}) =>
  makeSample({ label, classes, probabilities: [0.6, 0.3, 0.1], margin: 0.3, ...fields });

test("a pair is fixed, broken, or the same in both runs", () => {
  const [right, wrong, nameless] = [said([5, 8]), said([8, 5]), said([5, 8], null)];
  const pairs = [[wrong, right], [right, wrong], [wrong, wrong], [right, right], [right, nameless]];
  const all = pairs.map(([first, second]) => ({ first, second }));
  assert.deepEqual(all.map(changeOf), ["fixed", "broke", "bothWrong", "bothRight", null]);
  assert.deepEqual(changesOf(all), { fixed: 1, broke: 1, bothWrong: 1, bothRight: 1 });
});

test("the pair with the largest difference of the signed margin comes first", () => {
  const [right, wrong] = [said([5, 8]), said([8, 5])];
  const pairs = [{ first: right, second: right }, { first: right, second: said([5], 5, { margin: NaN }) }, { first: wrong, second: right }];
  assert.deepEqual(byDifference(pairs).map((pair) => pairs.indexOf(pair)), [2, 0, 1]);
});

test("a row has the latest capture of a sample in each run, and the largest disagreement comes first", () => {
  const of = (run, id, step, classes) => said(classes, 5, { run, id, step });
  const samples = [
    of("a", "same", 1, [5, 8]), of("b", "same", 1, [5, 8]),
    of("a", "x", 1, [8, 5]), of("a", "x", 2, [5, 8]), of("c", "x", 1, [8, 5]),
    of("a", "alone", 1, [5, 8]),
  ];
  const rows = runRows(samples, ["a", "b", "c"]);
  assert.deepEqual(rows.map(({ id }) => id), ["x", "same"]);
  assert.deepEqual(rows[0].samples.map((sample) => sample?.step ?? null), [2, null, 1]);
});
