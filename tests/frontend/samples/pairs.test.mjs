import assert from "node:assert/strict";
import { test } from "node:test";
import {
  byDistance,
  classesBetween,
  examplesOf,
  foundPairs,
  pairsOf,
  sortedPairs,
  summarizePairs,
  trendOf,
} from "../../../frontend/samples/pairs.js";
import { makeJudge, makeSample, makeTarget } from "../samples.mjs";

const ALL = { from: 0, to: 1000 };
const NONE = { from: -10, to: -1 };

/** A sample that is said to be a 4, with a 9 next, and flips to 9 at half of `size`. */
function four(fields = {}, morph = {}) {
  const target = makeTarget({ index: 9, predictions: [4, 9, 9], delta_norm: 1, ...morph });
  return makeSample({ label: 4, classes: [4, 9, 1], id: null, targets: [target], ...fields });
}

function summaryOf(samples, range = ALL, before = NONE) {
  return summarizePairs(pairsOf(samples), range, before);
}

test("an error is between its label and its prediction, anything else between the top two classes", () => {
  assert.deepEqual(classesBetween(makeSample({ label: 7, classes: [9, 4, 7] })), [7, 9]);
  assert.deepEqual(classesBetween(makeSample({ label: 9, classes: [9, 4, 7] })), [9, 4]);
  assert.deepEqual(classesBetween(makeSample({ label: null, classes: [9, 4, 7] })), [9, 4]);
  assert.equal(classesBetween(makeSample({ label: 9, classes: [9] })), null);
  assert.equal(classesBetween(makeSample({ label: null, classes: [] })), null);
});

test("both directions are one pair, and probes do not count", () => {
  const samples = [
    four({ step: 1 }),
    makeSample({ step: 2, label: 9, classes: [9, 4, 1] }),
    makeSample({ step: 3, label: 4, classes: [9, 1, 4] }),
    four({ step: 4, probe: true }),
  ];
  const [only, ...others] = summaryOf(samples);
  assert.equal(others.length, 0);
  assert.deepEqual([only.pair.one, only.pair.other, only.captures, only.wrong], [4, 9, 3, 1]);
});

test("the median counts a morph that never flips as infinite, and leaves out samples without a morph", () => {
  const never = { predictions: [4, 4, 4], flip_position: -1 };
  const distances = (...morphs) => summaryOf(morphs.map((morph, step) => four({ step }, morph)))[0].distance;
  assert.equal(distances({ delta_norm: 2 }, { delta_norm: 4 }, never), 2);
  assert.equal(distances({ delta_norm: 2 }, never, never), Infinity);
  assert.equal(distances({ delta_norm: 2 }, { morphs: [] }, { morphs: [] }), 1);
  assert.equal(distances({ morphs: [] }), null);
});

test("the distance of an error leads to its label, not to another target", () => {
  const targets = [makeTarget({ index: 1, predictions: [9, 1, 1] }), makeTarget({ index: 4, predictions: [9, 9, 4], delta_norm: 8 })];
  const [{ distance }] = summaryOf([makeSample({ label: 4, classes: [9, 1, 4], targets })]);
  assert.equal(distance, 8);
});

test("only captures within the range count; the range before is a comparison", () => {
  const samples = [1, 2, 3, 11, 12].map((step) => four({ step }, { delta_norm: step }));
  const [summary] = summaryOf(samples, { from: 10, to: 20 }, { from: 0, to: 9 });
  assert.deepEqual([summary.captures, summary.distance], [2, 5.5]);
  assert.deepEqual([summary.capturesBefore, summary.distanceBefore], [3, 1]);
  assert.deepEqual(summaryOf(samples, { from: 30, to: 40 }), []);
});

test("fragile is a morph that holds in less than 5 of 8 small changes", () => {
  const held = (count) => ({ survived: Array.from({ length: 8 }, (_, at) => at < count) });
  const [{ fragile }] = summaryOf([four({}, held(4)), four({}, held(5)), four({}, { survived: [] })]);
  assert.deepEqual(fragile, { count: 1, of: 2 });
});

test("a pair is confirmed where all judges predict the target for the finished morph", () => {
  const yes = makeJudge({ predictions: [4, 4, 9] });
  const no = makeJudge({ predictions: [4, 9, 4] });
  const [{ confirmed }] = summaryOf([
    four({}, { judges: [yes, yes] }),
    four({}, { judges: [yes, no] }),
    four({}, { judges: [] }),
    four({}, { judges: [yes], predictions: [4, 4, 4], flip_position: -1 }),
  ]);
  assert.deepEqual(confirmed, { count: 1, of: 2 });
});

test("the most frequent pair comes first, and each order has its own first pair", () => {
  const pair = (classes, count, delta_norm, label = classes[0]) =>
    Array.from({ length: count }, () =>
      makeSample({ classes, label, targets: [makeTarget({ index: classes[1], predictions: [classes[0], classes[1], classes[1]], delta_norm })] }),
    );
  const fragile = { survived: [false], predictions: [6, 5, 5] };
  const samples = [
    ...pair([1, 2, 0], 4, 6),
    ...pair([3, 4, 0], 3, 2),
    makeSample({ label: 7, classes: [8, 7, 0], targets: [] }),
    makeSample({ label: 6, classes: [6, 5], targets: [makeTarget({ index: 5, ...fragile, delta_norm: 9 })] }),
  ];
  const summaries = summaryOf(samples);
  const first = (order) => sortedPairs(summaries, order)[0].pair.one;
  assert.deepEqual(["captures", "wrong", "distance", "fragile"].map(first), [1, 7, 3, 5]);
  const distances = sortedPairs(summaries, "distance").map(({ distance }) => distance);
  assert.deepEqual(distances, [1, 3, 4.5, null], "a pair without a morph comes last");
});

test("the search finds pairs by their names, and a whole name excludes longer ones", () => {
  const names = ["cat", "tiger cat", "1", "10"];
  const between = (one, other) => makeSample({ label: null, classes: [one, other] });
  const summaries = summaryOf([between(0, 1), between(2, 3), between(0, 3), between(1, 3)]);
  const found = (text) => foundPairs(summaries, text, (index) => names[index]).map(({ pair }) => [pair.one, pair.other]);
  assert.equal(found("").length, 4);
  assert.deepEqual(found("TIGER"), [[0, 1], [1, 3]]);
  assert.deepEqual(found("1"), [[2, 3]], "not the 10");
  assert.deepEqual(found("10 ↔ cat"), [[0, 3]], "the class cat, not tiger cat");
  assert.deepEqual(found("dog"), []);
});

test("the trend has the captures and the median distance of each bin", () => {
  const [pair] = pairsOf([0, 1, 50, 99, 100].map((step) => four({ step }, { delta_norm: step + 2 })));
  const { captures, distances } = trendOf(pair, { from: 0, to: 100 }, 4);
  assert.deepEqual(captures, [2, 0, 1, 2]);
  assert.deepEqual(distances, [1, null, 26, 50.5]);
});

test("examples are errors first, then the smallest distances, each id once", () => {
  const [pair] = pairsOf([
    four({ step: 1, id: "far" }, { delta_norm: 9 }),
    four({ step: 2, id: "near" }, { delta_norm: 1 }),
    four({ step: 3, id: "near" }, { delta_norm: 2 }),
    makeSample({ step: 4, id: "wrong", label: 4, classes: [9, 4], targets: [] }),
  ]);
  const ids = (count) => examplesOf(pair.members, count).map(({ sample }) => sample.id);
  assert.deepEqual(ids(4), ["wrong", "near", "far"]);
  assert.deepEqual(ids(2), ["wrong", "near"]);
});

test("by distance: known, then never, then without a morph; of equal ones the newer first", () => {
  const members = [null, Infinity, 2, 1].map((distance, step) => ({ sample: makeSample({ step }), distance }));
  members.push({ sample: makeSample({ step: 9 }), distance: 1 });
  assert.deepEqual(members.sort(byDistance).map(({ sample }) => sample.step), [9, 3, 2, 1, 0]);
});
