import assert from "node:assert/strict";
import { test } from "node:test";
import { compareProbes, summarizeRun } from "../../../frontend/samples/run_summaries.js";
import { makeSample, makeTarget } from "../samples.mjs";
import { indexOf } from "../states.mjs";
import { makeNotice, makeRunSession } from "../statuses.mjs";

const SPAN = { from: 0, to: 100 };

/** A probe that is said to be a 5 and flips to 8 at half of `size`. */
function probe(id, step, size, fields = {}) {
  return makeSample({ id, step, probe: true, targets: [makeTarget({ delta_norm: size })], ...fields });
}

function summary(samples, { run = "run", range = SPAN, sessions = [] } = {}) {
  return summarizeRun(indexOf(run, samples, {}, sessions), range, SPAN, 2);
}

test("each probe counts once, at its newest step within the range", () => {
  const samples = [
    probe("a", 10, 2, { label: 3 }),
    probe("a", 20, 4),
    probe("b", 20, 8, { label: 3 }),
    probe("b", 90, 100),
    probe("c", 20, 6, { label: null }),
  ];
  const { probes, right, labelled, distance } = summary(samples, { range: { from: 0, to: 50 } });
  assert.deepEqual([probes.length, right, labelled, distance], [3, 1, 2, 3]);
});

test("probes without ids are known by their position in the capture", () => {
  const samples = [0, 1].flatMap((step) => [0, 1, 2].map((index) => probe(null, step, 2, { index })));
  assert.equal(summary(samples).probes.length, 3);
});

test("a target that is already predicted is no change; a probe that never flips is infinitely far", () => {
  const targets = [
    makeTarget({ index: 5, predictions: [5, 5, 5], flip_position: 0 }),
    makeTarget({ index: 8, predictions: [5, 5, 5], flip_position: -1 }),
  ];
  assert.equal(summary([probe("a", 1, 1, { targets })]).distance, Infinity);
  assert.equal(summary([probe("a", 1, 1, { targets: [] })]).distance, null);
});

test("the trend is the median of the probes in each bin of the whole training", () => {
  const samples = [probe("a", 0, 2), probe("b", 10, 4), probe("c", 20, 6)];
  assert.deepEqual(summary(samples, { range: { from: 20, to: 20 } }).trend, [2, null]);
});

test("captures that are not probes count apart, and the newest capture is that of any sample", () => {
  const samples = [makeSample({ step: 1, label: 3 }), makeSample({ step: 2 }), probe("a", 3, 1)];
  const { captured, judged, wrong, newest } = summary(samples);
  assert.deepEqual([captured, judged, wrong, newest.step], [2, 2, 1, 3]);
  const unknown = summary(samples.map((sample) => ({ ...sample, label: null })));
  assert.deepEqual([unknown.captured, unknown.judged, unknown.wrong], [2, 0, 0]);
});

test("the status and the notices are those of the run's sessions", () => {
  const sessions = [makeRunSession({ ended: true, notices: [makeNotice()] })];
  const { status, notices } = summary([], { sessions });
  assert.deepEqual([status.ended, notices.length], [true, 1]);
  assert.equal(summary([]).status, null);
});

const many = (run, count, sizeOf, start = 0) =>
  summary(Array.from({ length: count }, (_, at) => probe(`p${start + at}`, 1, sizeOf(at))), { run });

test("two runs are compared on the probes that both have", () => {
  const comparison = compareProbes([many("weak", 10, () => 2), many("strong", 12, (at) => 4 + at)]);
  const { harder, easier, shared, harderDistance, easierDistance, clear } = comparison;
  assert.deepEqual([harder.run, easier.run, shared, clear], ["strong", "weak", 10, true]);
  assert.deepEqual([harderDistance, easierDistance], [4, 1]);
});

test("fewer than five shared probes, or one run, are not compared", () => {
  assert.equal(compareProbes([many("a", 10, () => 2), many("b", 10, () => 4, 6)]), null);
  assert.equal(compareProbes([many("a", 10, () => 2)]), null);
  assert.notEqual(compareProbes([many("a", 10, () => 2), many("b", 10, () => 4, 5)]), null);
});

test("a difference that chance explains is not clear", () => {
  const mixed = many("mixed", 10, (at) => (at < 6 ? 4 : 1));
  assert.equal(compareProbes([many("even", 10, () => 2), mixed]).clear, false);
  assert.equal(compareProbes([many("a", 10, () => 2), many("b", 10, () => 2)]).clear, false);
});
