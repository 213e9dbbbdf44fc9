import assert from "node:assert/strict";
import { test } from "node:test";
import {
  changeCaption,
  channelsCaption,
  className,
  formatDecimals,
  formatSigned,
  formatPercent,
  gainCaption,
  isWrong,
  judgeCaption,
  labelCaption,
  noMorphCaption,
  endedEarly,
  formatCounted,
  formatPart,
  formatStrength,
  predictionCaption,
  sampleCaption,
  spreadCaption,
  stoppedCaption,
  survivalCaption,
} from "../../../frontend/samples/captions.js";
import { DIGITS, makeMorph, makeSample, makeTarget } from "../samples.mjs";

test("the captions name the two most probable classes and the label", () => {
  assert.equal(sampleCaption(makeSample()), "5 46 % · 8 45 %, labelled 5");
  assert.equal(sampleCaption(makeSample({ label: 3 })), "5 46 % · 8 45 %, labelled 3 ✗");
  assert.equal(sampleCaption(makeSample({ classes: [], probabilities: [], label: null })), "no prediction");
});

test("an improbable second class is not named", () => {
  assert.equal(predictionCaption(makeSample({ probabilities: [0.97, 0.02, 0.01] })), "5 97 %");
});

test("a class without a name has its number as name", () => {
  const session = { ...DIGITS, class_names: null };
  assert.equal(predictionCaption(makeSample({ session })), "class 5 46 % · class 8 45 %");
  assert.equal(labelCaption(makeSample({ session, label: 7 })), "labelled class 7");
  assert.equal(className(["cat"], 1), "class 1");
  assert.equal(className(["cat"], -1), "class -1");
});

test("without a label a prediction is not wrong", () => {
  const sample = makeSample({ label: null });
  assert.equal(sampleCaption(sample), "5 46 % · 8 45 %");
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
  const caption = (stopped) => stoppedCaption(makeMorph({ stopped, steps: 8, probabilities: [0.1, 0.5, 0.72] }), [0, 0.5, 1]);
  assert.deepEqual(caption("confidence"), { long: "", short: "" });
  assert.deepEqual(caption("none"), { long: "", short: "" });
  assert.deepEqual(caption("max_steps"), { long: "gave up after 8 steps at 72 %", short: "gave up at 72 %" });
  assert.equal(stoppedCaption(makeMorph({ stopped: "max_steps", steps: 1 }), []).long, "gave up after 1 step");
  assert.match(caption("stalled").long, /^stalled/);
  assert.match(caption("nonfinite").long, /NaN or infinity/);
  // The narrowest text is 124 pixels wide, and a letter has 5.6 pixels.
  for (const stopped of ["max_steps", "stalled", "nonfinite", "surest", "chance"]) {
    const { short } = caption(stopped);
    assert.ok(short && 5.6 * short.length <= 124, short);
    assert.ok(endedEarly(makeMorph({ stopped })));
  }
  for (const stopped of ["confidence", "none"]) assert.ok(!endedEarly(makeMorph({ stopped })));
});

test("a change has a sign unless it is rounded to zero", () => {
  assert.deepEqual([0.5, -0.25, 0, -0.001, -Infinity].map(formatSigned), ["+0.50", "−0.25", "0.00", "0.00", "−∞"]);
});

test("a target without a morph says why", () => {
  assert.equal(noMorphCaption(makeSample(), makeTarget({ index: 5, morphs: [] })), "The network already says 5.");
  assert.equal(noMorphCaption(makeSample(), makeTarget({ morphs: [] })), "No morph was made.");
});

test("a morph that holds in fewer than five of eight small changes is fragile", () => {
  const caption = (held, all = 8) => survivalCaption(makeMorph({ survived: Array.from({ length: all }, (_, i) => i < held) }));
  assert.equal(caption(7).long, "holds in 7 of 8 small changes");
  assert.equal(caption(7).short, "holds in 7 of 8");
  assert.equal(caption(1).long, "fragile: 1 of 8");
  assert.deepEqual([0, 4, 5, 8].map((held) => caption(held).fragile), [true, true, false, false]);
  assert.deepEqual(caption(0, 0), { long: "", short: "", fragile: false });
});

test("the spread of random answers is a range of percentages, and nothing else has one", () => {
  const caption = (spread) => spreadCaption(makeMorph({ spread }));
  assert.deepEqual(caption([0.684, 0.84]), { long: "68 to 84 % when asked again", short: "again: 68 to 84 %" });
  assert.equal(caption([0.001, 0.999]).short, "again: <1 to >99 %");
  assert.equal(caption([0.951, 0.949]).long, "95 % when asked again");
  assert.deepEqual(caption(null), { long: "", short: "" });
});

test("a judge's answer is a percentage, marked if it is interpolated", () => {
  assert.equal(judgeCaption("ema", { probability: 0.884, exact: true }), "ema: 88 %");
  assert.equal(judgeCaption("ema", { probability: 0.5, exact: false }), "ema: ≈ 50 %");
  assert.equal(judgeCaption("ema", { probability: NaN, exact: true }), "ema: NaN");
  assert.equal(judgeCaption("ema", null), "ema: not asked");
});

test("the size of a change is in 255ths for an image, and rounded up", () => {
  const forms = (largest, mean, shape = [1, 28, 28]) => changeCaption({ largest, mean }, shape);
  assert.deepEqual(forms(3.01, 0.163), {
    long: "changes no pixel by more than 3.1/255; 0.16/255 on average",
    short: "at most 3.1/255; 0.16/255 on average",
  });
  const words = (largest, mean, shape) => forms(largest, mean, shape).long;
  assert.equal(words(3, 0.2), "changes no pixel by more than 3/255; 0.2/255 on average");
  assert.equal(words(0.3, 0.05, [2, 300]), "changes no value by more than 0.3; 0.05 on average");
  assert.equal(words(0, 0), "changes no pixel by more than 0/255; 0/255 on average");
  assert.equal(words(NaN, NaN), "changes no pixel by more than NaN/255; NaN/255 on average");
  assert.equal(words(122.3, 11.2), "changes no pixel by more than 130/255; 11/255 on average");
  assert.equal(words(255, 11.2), "changes no pixel by more than 255/255; 11/255 on average");
  assert.equal(words(256, 11.2), "changes no pixel by more than 260/255; 11/255 on average");
  assert.equal(words(255, 11.2, [2, 300]), "changes no value by more than 260; 11 on average");
});

test("a gain is written with two significant digits, also if the second one is a zero", () => {
  const gains = [33.3, 1234.5, 2.04, 1.96, 1.94, 9.96, 0.8765, 0.5, 0.998, 1];
  const words = ["×33", "×1,200", "×2.0", "×2.0", "×1.9", "×10", "×0.88", "×0.50", "×1.0", "×1.0"];
  assert.deepEqual(gains.map((gain) => gainCaption({ gain })), words);
});

test("a probability is a percentage, and nothing is rounded to impossible or certain", () => {
  const probabilities = [0, 0.004, 0.006, 0.5, 0.954, 0.994, 0.996, 1, NaN, Infinity];
  const words = ["0 %", "<1 %", "1 %", "50 %", "95 %", "99 %", ">99 %", "100 %", "NaN", "∞"];
  assert.deepEqual(probabilities.map(formatPercent), words);
});

test("a strength is a part of the change", () => {
  assert.equal(formatStrength(0.13), "13 % of the change");
  const parts = [0, 0.001, 0.125, 0.5, 0.997, 1, 1.25, NaN];
  assert.deepEqual(parts.map(formatPart), ["0 %", "0.1 %", "13 %", "50 %", "99.7 %", "100 %", "125 %", "NaN"]);
});

test("one is counted in the singular", () => {
  assert.deepEqual([0, 1, 2, 1000].map((count) => formatCounted(count, "capture")), ["0 captures", "1 capture", "2 captures", "1,000 captures"]);
});
