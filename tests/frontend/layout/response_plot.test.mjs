import assert from "node:assert/strict";
import { test } from "node:test";
import { xOf, yOf, labelHeights, labelWidth, linesOf, strengthAt } from "../../../frontend/layout/response_plot.js";
import { DIGITS, makeSample, makeTarget, measure } from "../samples.mjs";

const PLOT = { width: 200, height: 60, labelWidth: 20, largestStrength: 1.25 };

/** The lines of a target's first morph. */
function lines(target) {
  return linesOf(makeSample(), target, target.morphs[0], PLOT);
}

test("dragging chooses the strength at the pointer, within the ends", () => {
  for (const strength of [0, 0.5, 1, 1.25]) assert.equal(strengthAt(PLOT, xOf(PLOT, strength), 0.01), strength);
  assert.equal(strengthAt(PLOT, -50, 0.01), 0);
  assert.equal(strengthAt(PLOT, 999, 0.01), 1.25);
});

test("there is a line for the target and one for the original class, through recorded values only", () => {
  const [target, original] = lines(makeTarget());
  assert.deepEqual([target.kind, target.name, original.kind, original.name], ["target", "8", "original", "5"]);
  assert.deepEqual(target.points, [0.45, 0.81, 0.95].map((p, i) => [xOf(PLOT, i / 2), yOf(PLOT, p)]));
  assert.deepEqual(original.points, [0.46, 0.12, 0.03].map((p, i) => [xOf(PLOT, i / 2), yOf(PLOT, p)]));
});

test("a target that is already predicted for the original has one line", () => {
  assert.deepEqual(lines(makeTarget({ index: 5 })).map(({ kind }) => kind), ["target"]);
});

test("NaN is not drawn", () => {
  const drawn = lines(makeTarget({ probabilities: [NaN, 0.5, 1], original_probabilities: [NaN, NaN, NaN] }));
  assert.deepEqual(drawn.map(({ points }) => points.length), [2]);
});

test("a number outside 0 to 1 is drawn at the edge", () => {
  const beyond = makeTarget({ probabilities: [1e308, -1e308, 2], original_probabilities: [0, 1, 0.5] });
  const [{ points }] = lines(beyond);
  assert.deepEqual(points.map(([, y]) => y), [1, 0, 1].map((p) => yOf(PLOT, p)));
  assert.ok(points.flat().every((at) => at >= 0 && at <= 200));
});

test("labels do not overlap and stay within the plot", () => {
  for (const ends of [[2, 58], [30, 31], [31, 30], [1, 2], [59, 58], [0], [60]]) {
    const labels = labelHeights(ends, 60);
    assert.ok(labels.every((y) => y >= 6 && y <= 54));
    if (labels.length === 2) {
      assert.ok(Math.abs(labels[0] - labels[1]) >= 12);
      assert.equal(labels[0] <= labels[1], ends[0] <= ends[1]);
    }
  }
});

test("all labels of a session have the same width, which is limited by the curve's", () => {
  assert.equal(labelWidth(makeSample(), 200, measure), labelWidth(makeSample({ classes: [3] }), 200, measure));
  const long = makeSample({ session: { ...DIGITS, class_names: ["a very long name of a class"] } });
  assert.deepEqual([124, 200, 360].map((width) => labelWidth(long, width, measure)), [68, 100, 144]);
  assert.ok(labelWidth(long, 1000, measure) > 27 * 5.8, "there is room for the whole name");
  assert.ok(labelWidth(makeSample({ session: { ...DIGITS, class_names: null } }), 200, measure) > 30);
});
