import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleOf, evenlySpaced } from "../../../frontend/samples/help_example.js";
import { makeSample, makeTarget } from "../samples.mjs";

const stubborn = makeTarget({ predictions: [5, 5, 5] });
const convinced = makeTarget({ index: 5, predictions: [5, 5, 5] });
const flips = makeTarget({ predictions: [5, 5, 8] });

test("the help shows the first sample whose prediction flips", () => {
  const samples = [[stubborn, convinced], [stubborn, flips], [flips]].map((targets, index) =>
    makeSample({ index, targets }),
  );
  assert.deepEqual(exampleOf(samples, "smallest"), { sample: samples[1], position: 1 });
});

test("if no sample flips, the help shows the first one with a gradient", () => {
  const samples = [[], [stubborn]].map((targets, index) => makeSample({ index, targets }));
  assert.deepEqual(exampleOf(samples, "smallest"), { sample: samples[1], position: 0 });
  assert.equal(exampleOf(samples.slice(0, 1), "smallest"), null);
  assert.equal(exampleOf([], "smallest"), null);
});

test("only the first samples are considered", () => {
  const far = [...Array(1000).keys()].map((index) => makeSample({ index, targets: index === 999 ? [flips] : [] }));
  assert.equal(exampleOf(far, "smallest"), null);
});

test("a selection of strengths contains both ends", () => {
  assert.deepEqual(evenlySpaced([0, 1, 2, 3, 4, 5, 6, 7, 8], 5), [0, 2, 4, 6, 8]);
  const ten = evenlySpaced([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 5);
  assert.equal(ten.length, 5);
  assert.deepEqual([ten[0], ten[4]], [0, 9]);
  assert.deepEqual(evenlySpaced([0, 1], 5), [0, 1]);
});
