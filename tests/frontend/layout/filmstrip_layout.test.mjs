import assert from "node:assert/strict";
import { test } from "node:test";

import { HEAD_WIDTH, FRAME_WIDTH, ROW_HEIGHT, columnsWithin, lineTo, placesOfStrips, targetOfFrame } from "../../../frontend/layout/filmstrip_layout.js";
import { makeSample, makeTarget } from "../samples.mjs";

test("the line comes from the capture before, also from a distant step", () => {
  assert.deepEqual(lineTo([0, 1], [0.2, 0.4], 1), [[-FRAME_WIDTH / 2, 0.2], [FRAME_WIDTH / 2, 0.4]]);
  assert.deepEqual(lineTo([0, 5], [0.2, 0.4], 1)[0], [FRAME_WIDTH / 2 - 5 * FRAME_WIDTH, 0.2]);
  assert.deepEqual(lineTo([0, 1], [0.2, 0.4], 0), [[FRAME_WIDTH / 2, 0.2]]);
});

test("an unknown value leaves a gap", () => {
  assert.deepEqual(lineTo([0, 1, 2], [0.2, NaN, 0.8], 1), []);
  assert.deepEqual(lineTo([0, 1, 2], [0.2, null, 0.8], 2), [[FRAME_WIDTH / 2, 0.8]]);
});

test("the range contains every visible frame, and few others", () => {
  assert.deepEqual(columnsWithin(3 * FRAME_WIDTH + 5, HEAD_WIDTH + 2 * FRAME_WIDTH), { first: 3, end: 6 });
  assert.deepEqual(columnsWithin(-50, 10), { first: 0, end: 0 });
});

test("the strips are as wide as the shared axis", () => {
  assert.deepEqual(placesOfStrips(2, 4).size, { width: HEAD_WIDTH + 4 * FRAME_WIDTH, height: 2 * ROW_HEIGHT });
});

test("a frame shows the chosen target, otherwise the label, otherwise the first target", () => {
  const targets = [makeTarget({ index: 3 }), makeTarget({ index: 5 }), makeTarget({ index: 8 })];
  const sample = makeSample({ label: 5, targets });
  assert.equal(targetOfFrame(sample, 8), 2);
  assert.equal(targetOfFrame(sample, 9), 1);
  assert.equal(targetOfFrame(sample, null), 1);
  assert.equal(targetOfFrame({ ...sample, label: null }, null), 0);
  assert.equal(targetOfFrame(makeSample({ targets: [] }), null), -1);
});

test("a frame for morphs shows a target with a morph rather than a label without one", () => {
  const targets = [makeTarget({ index: 5, morphs: [] }), makeTarget({ index: 3 })];
  const sample = makeSample({ label: 5, targets });
  assert.deepEqual([targetOfFrame(sample, null), targetOfFrame(sample, null, true)], [0, 1]);
  assert.equal(targetOfFrame(sample, 5, true), 0);
  assert.equal(targetOfFrame(makeSample({ label: 3, targets }), null, true), 1);
  assert.equal(targetOfFrame(makeSample({ label: 5, targets: targets.slice(0, 1) }), null, true), 0);
  assert.equal(targetOfFrame(makeSample({ targets: [] }), null, true), -1);
});
