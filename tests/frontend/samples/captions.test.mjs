import assert from "node:assert/strict";
import { test } from "node:test";
import { channelsCaption, className, decimals, isWrong, saying, signedDecimals, stoppedCaption, truth } from "../../../frontend/samples/captions.js";
import { DIGITS, makeSample, makeTarget } from "../samples.mjs";

test("a confused sample is told in words", () => {
  const sample = makeSample();
  assert.equal(`${saying(sample)}; ${truth(sample)}`, "says 5 (0.46), 8 (0.45); it is a 5");
});

test("a runner-up that hardly counts is not named", () => {
  assert.equal(saying(makeSample({ probabilities: [0.97, 0.02, 0.01] })), "says 5 (0.97)");
});

test("a class without a name is called by its number", () => {
  const session = { ...DIGITS, class_names: null };
  assert.equal(saying(makeSample({ session })), "says class 5 (0.46), class 8 (0.45)");
  assert.equal(truth(makeSample({ session, label: 7 })), "it is a class 7");
  assert.equal(className(["cat"], 1), "class 1");
  assert.equal(className(["cat"], -1), "class -1");
});

test("the article fits the name", () => {
  const articles = { 8: "an", 18: "an", 1: "a", airplane: "an", unicorn: "a" };
  for (const [name, article] of Object.entries(articles)) {
    const session = { ...DIGITS, class_names: [name] };
    assert.equal(truth(makeSample({ session, label: 0 })), `it is ${article} ${name}`);
  }
});

test("a label may be missing, and is then not wrong", () => {
  const sample = makeSample({ label: null });
  assert.equal(`${saying(sample)}; ${truth(sample)}`, "says 5 (0.46), 8 (0.45); its label is not known");
  assert.equal(isWrong(makeSample({ label: null })), false);
  assert.equal(isWrong(makeSample({ label: 8 })), true);
  assert.equal(isWrong(makeSample({ label: 5 })), false);
});

test("a label beyond the classes is called by its number, and is wrong", () => {
  assert.equal(truth(makeSample({ label: 255 })), "it is a class 255");
  assert.equal(isWrong(makeSample({ label: 255 })), true);
});

test("only an image's channels that are not all painted as they are need a word", () => {
  assert.match(channelsCaption([2, 28, 28]), /mean, as grey/);
  assert.match(channelsCaption([4, 28, 28]), /first three/);
  for (const shape of [[1, 28, 28], [3, 28, 28], [1, 28], [2, 28], [4, 28], [64, 28]]) {
    assert.equal(channelsCaption(shape), "");
  }
});

test("numbers that are not finite are still words", () => {
  assert.deepEqual([NaN, Infinity, -Infinity, 0.005].map(decimals), ["NaN", "∞", "−∞", "0.01"]);
});

test("only an ascent that stopped short says why", () => {
  assert.equal(stoppedCaption(makeTarget()), "");
  assert.equal(stoppedCaption(makeTarget({ stopped: "max_steps" })), "stopped at max_steps");
  assert.match(stoppedCaption(makeTarget({ stopped: "stalled" })), /^stalled/);
  assert.match(stoppedCaption(makeTarget({ stopped: "nonfinite" })), /^nonfinite/);
});

test("a change has a sign unless it is rounded to nothing", () => {
  assert.deepEqual([0.5, -0.25, 0, -0.001, -Infinity].map(signedDecimals), ["+0.50", "−0.25", "0.00", "0.00", "−∞"]);
});
