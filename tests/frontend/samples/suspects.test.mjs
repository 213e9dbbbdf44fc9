import assert from "node:assert/strict";
import { test } from "node:test";
import { suspectsIn } from "../../../frontend/samples/suspects.js";
import { makeSample } from "../samples.mjs";

const ALL = { from: 0, to: 1000 };
const wrong = (id, step, loss, fields = {}) => makeSample({ id, step, loss, label: 3, key: `${id} ${step}`, ...fields });
const ids = (samples, range = ALL) => suspectsIn(samples, range).map(({ sample }) => sample.id);

test("only wrong samples within the range are suspects, those with the largest loss first", () => {
  const samples = [
    wrong("small", 1, 1),
    wrong("large", 2, 5),
    wrong("late", 2000, 9),
    wrong("right", 3, 9, { label: 5 }),
    wrong("unlabelled", 3, 9, { label: null }),
  ];
  assert.deepEqual(ids(samples), ["large", "small"]);
});

test("the same wrong answer over steps or runs comes before a larger loss", () => {
  const samples = [wrong("once", 1, 9), wrong("twice", 1, 2), wrong("twice", 2, 3, { run: "other" })];
  const [first, second] = suspectsIn(samples, ALL);
  assert.deepEqual([first.sample.id, first.times, first.runs, first.loss], ["twice", 2, 2, 3]);
  assert.equal(first.sample.step, 2, "the newest capture is shown");
  assert.equal(second.times, 1);
});

test("two different wrong answers are not the same one", () => {
  const samples = [wrong("a", 1, 1), wrong("a", 2, 2, { classes: [8, 5] }), wrong("a", 3, 1)];
  const [{ times, sample }] = suspectsIn(samples, ALL);
  assert.deepEqual([times, sample.classes[0]], [2, 5]);
});

test("samples that the network is not trained on come first", () => {
  const samples = [wrong("train/1", 1, 9), wrong("test/2", 1, 1), wrong("validator", 1, 2), wrong("x", 1, 0.5, { tag: "validation" })];
  assert.deepEqual(ids(samples), ["test/2", "x", "train/1", "validator"]);
});

test("samples without ids are suspects of their own, and an unknown loss comes last", () => {
  const samples = [wrong(null, 1, null), wrong(null, 2, NaN), wrong(null, 3, 1)];
  const suspects = suspectsIn(samples, ALL);
  assert.deepEqual(suspects.map(({ sample }) => sample.step).slice(0, 1), [3]);
  assert.equal(suspects.length, 3);
});
