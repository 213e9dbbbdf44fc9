import assert from "node:assert/strict";
import { test } from "node:test";

import { MOST_ON_SHEET, panelSize, panelsOf, sheetOf } from "../../../frontend/layout/contact_sheet_layout.js";
import { makeMorph, makeSample, makeTarget } from "../samples.mjs";

const digit = makeSample({ shape: [1, 28, 28] });
const many = (count, sample = digit) => Array.from({ length: count }, () => sample);

test("the sheet holds a limited number of samples and fits a browser's canvas", () => {
  assert.equal(sheetOf(many(3)).samples.length, 3);
  assert.equal(sheetOf(many(10_000)).samples.length, MOST_ON_SHEET);
  const targets = Array.from({ length: 100 }, (_, index) => makeTarget({ index }));
  for (const sample of [makeSample({ shape: [3, 4000, 3000] }), makeSample({ shape: [1, 28, 28], targets })]) {
    const { samples, width, tops } = sheetOf(many(200, sample));
    assert.ok(samples.length > 0);
    assert.ok(width <= 16_384 && tops.at(-1) <= 16_384);
  }
});

test("each sample has a panel for the original, each gradient, and one morph with its change", () => {
  assert.equal(panelsOf(makeSample({ targets: [makeTarget(), makeTarget({ morphs: [] })] })).lefts.length, 5);
  const both = makeTarget({ morphs: [makeMorph(), makeMorph({ name: "visible" })] });
  assert.equal(panelsOf(makeSample({ targets: [both] })).lefts.length, 4);
});

test("small images are enlarged by whole numbers, large ones are reduced", () => {
  assert.deepEqual(panelSize(digit), { width: 112, height: 112 });
  assert.deepEqual(panelSize(makeSample({ shape: [3, 64, 32] })), { width: 64, height: 128 });
  assert.deepEqual(panelSize(makeSample({ shape: [3, 448, 224] })), { width: 112, height: 224 });
});

test("a row is as high as its highest sample", () => {
  const { columns } = sheetOf(many(50));
  const { tops } = sheetOf([...many(columns), ...many(columns, makeSample({ shape: [1, 224, 28] }))]);
  assert.equal(tops.length, 3);
  assert.equal(tops[2] - tops[1] - (tops[1] - tops[0]), 224 - 112);
});
