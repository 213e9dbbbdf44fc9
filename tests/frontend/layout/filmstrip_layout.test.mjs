import assert from "node:assert/strict";
import { test } from "node:test";

import { HEAD, PITCH, ROW, framesWithin, lineThrough, sizeOfStrips, targetOfFrame } from "../../../frontend/layout/filmstrip_layout.js";
import { makeSample, makeTarget } from "../samples.mjs";

const samples = [0.2, 0.4, NaN, 0.8].map((margin) => makeSample({ margin }));

test("the lines of neighbouring frames meet", () => {
  assert.deepEqual(lineThrough(samples.slice(0, 2), 0).at(-1)[1], lineThrough(samples.slice(0, 2), 1)[0][1]);
  assert.equal(lineThrough(samples.slice(0, 2), 0).at(-1)[0], PITCH);
  assert.equal(lineThrough(samples.slice(0, 2), 1)[0][0], 0);
});

test("a margin of NaN leaves a gap", () => {
  assert.deepEqual(lineThrough(samples, 2), []);
  assert.deepEqual(lineThrough(samples, 3), [[PITCH / 2, 0.8]]);
  assert.equal(lineThrough(samples, 1).length, 2);
});

test("the range contains every visible frame, and few others", () => {
  const box = { left: 3 * PITCH + 5, top: 2 * ROW - 1, width: HEAD + 2 * PITCH, height: 2 };
  assert.deepEqual(framesWithin(box), { rows: [1, 3], columns: [3, 6] });
  assert.deepEqual(framesWithin({ left: -50, top: -50, width: 10, height: 60 }), { rows: [0, 1], columns: [0, 0] });
});

test("the strips are as wide as the longest history", () => {
  const histories = [{ count: 2 }, { count: 4 }];
  assert.deepEqual(sizeOfStrips(histories), { width: HEAD + 4 * PITCH, height: 2 * ROW });
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
