import assert from "node:assert/strict";
import { test } from "node:test";
import { channelsCaption, className, formatDecimals, isWrong, predictionCaption, formatSigned, stoppedCaption, labelCaption } from "../../../frontend/samples/captions.js";
import { DIGITS, makeSample, makeTarget } from "../samples.mjs";

test("the captions name the two most probable classes and the label", () => {
  const sample = makeSample();
  assert.equal(`${predictionCaption(sample)}; ${labelCaption(sample)}`, "predicts 5 (0.46), 8 (0.45); labelled 5");
});

test("an improbable second class is not named", () => {
  assert.equal(predictionCaption(makeSample({ probabilities: [0.97, 0.02, 0.01] })), "predicts 5 (0.97)");
});

test("a class without a name has its number as name", () => {
  const session = { ...DIGITS, class_names: null };
  assert.equal(predictionCaption(makeSample({ session })), "predicts class 5 (0.46), class 8 (0.45)");
  assert.equal(labelCaption(makeSample({ session, label: 7 })), "labelled class 7");
  assert.equal(className(["cat"], 1), "class 1");
  assert.equal(className(["cat"], -1), "class -1");
});

test("without a label a prediction is not wrong", () => {
  const sample = makeSample({ label: null });
  assert.equal(`${predictionCaption(sample)}; ${labelCaption(sample)}`, "predicts 5 (0.46), 8 (0.45); no label");
  assert.equal(isWrong(makeSample({ label: null })), false);
  assert.equal(isWrong(makeSample({ label: 8 })), true);
  assert.equal(isWrong(makeSample({ label: 5 })), false);
});

test("a label beyond the classes has its number as name, and the prediction is wrong", () => {
  assert.equal(labelCaption(makeSample({ label: 255 })), "labelled class 255");
  assert.equal(isWrong(makeSample({ label: 255 })), true);
});

test("only unusually painted channels have a caption", () => {
  assert.match(channelsCaption([2, 28, 28]), /mean of both/);
  assert.match(channelsCaption([4, 28, 28]), /first three/);
  for (const shape of [[1, 28, 28], [3, 28, 28], [1, 28], [2, 28], [4, 28], [64, 28]]) {
    assert.equal(channelsCaption(shape), "");
  }
});

test("numbers that are not finite have a text", () => {
  assert.deepEqual([NaN, Infinity, -Infinity, 0.005].map(formatDecimals), ["NaN", "∞", "−∞", "0.01"]);
});

test("only an ascent that did not reach the confidence has a caption", () => {
  assert.equal(stoppedCaption(makeTarget()), "");
  assert.equal(stoppedCaption(makeTarget({ stopped: "max_steps" })), "stopped after max_steps");
  assert.match(stoppedCaption(makeTarget({ stopped: "stalled" })), /^stalled/);
  assert.match(stoppedCaption(makeTarget({ stopped: "nonfinite" })), /^nonfinite/);
});

test("a change has a sign unless it is rounded to zero", () => {
  assert.deepEqual([0.5, -0.25, 0, -0.001, -Infinity].map(formatSigned), ["+0.50", "−0.25", "0.00", "0.00", "−∞"]);
});
