import assert from "node:assert/strict";
import { test } from "node:test";
import { across, down, labelHeights, labelWidth, linesOf, strengthAt } from "../../../frontend/layout/response_plot.js";
import { DIGITS, makeSample, makeTarget } from "../samples.mjs";

const PLOT = { width: 200, height: 60, labelWidth: 20, largestStrength: 1.25 };

test("what is dragged to is the strength that stands there, and never beyond the ends", () => {
  for (const strength of [0, 0.5, 1, 1.25]) assert.equal(strengthAt(PLOT, across(PLOT, strength), 0.01), strength);
  assert.equal(strengthAt(PLOT, -50, 0.01), 0);
  assert.equal(strengthAt(PLOT, 999, 0.01), 1.25);
});

test("the target's line is solid, the original class' another, by recorded values alone", () => {
  const [target, original] = linesOf(makeSample(), makeTarget(), PLOT);
  assert.deepEqual([target.kind, target.name, original.kind, original.name], ["target", "8", "original", "5"]);
  assert.deepEqual(target.points, [0.45, 0.81, 0.95].map((p, i) => [across(PLOT, i / 2), down(PLOT, p)]));
  assert.deepEqual(original.points, [0.46, 0.12, 0.03].map((p, i) => [across(PLOT, i / 2), down(PLOT, p)]));
});

test("a target that the network says of the original already has one line", () => {
  assert.deepEqual(linesOf(makeSample(), makeTarget({ index: 5 }), PLOT).map(({ kind }) => kind), ["target"]);
});

test("what is not a number is no point", () => {
  const lines = linesOf(makeSample(), makeTarget({ probabilities: [NaN, 0.5, 1], original_probabilities: [NaN, NaN, NaN] }), PLOT);
  assert.deepEqual(lines.map(({ points }) => points.length), [2]);
});

test("what is no probability stands at the edge", () => {
  const beyond = makeTarget({ probabilities: [1e308, -1e308, 2], original_probabilities: [0, 1, 0.5] });
  const [{ points }] = linesOf(makeSample(), beyond, PLOT);
  assert.deepEqual(points.map(([, y]) => y), [1, 0, 1].map((p) => down(PLOT, p)));
  assert.ok(points.flat().every((at) => at >= 0 && at <= 200));
});

test("labels neither meet nor leave the plot", () => {
  for (const ends of [[2, 58], [30, 31], [31, 30], [1, 2], [59, 58], [0], [60]]) {
    const labels = labelHeights(ends, 60);
    assert.ok(labels.every((y) => y >= 6 && y <= 54));
    if (labels.length === 2) {
      assert.ok(Math.abs(labels[0] - labels[1]) >= 12);
      assert.equal(labels[0] <= labels[1], ends[0] <= ends[1]);
    }
  }
});

test("all of a session's labels take the same room, and long names not all of it", () => {
  assert.equal(labelWidth(makeSample()), labelWidth(makeSample({ classes: [3] })));
  const session = { ...DIGITS, class_names: ["a very long name of a class"] };
  assert.equal(labelWidth(makeSample({ session })), 64);
  assert.ok(labelWidth(makeSample({ session: { ...DIGITS, class_names: null } })) > 30);
});
