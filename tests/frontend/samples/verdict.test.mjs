import assert from "node:assert/strict";
import { test } from "node:test";
import { flipCaption, verdictCaption } from "../../../frontend/samples/captions.js";
import { flipOf, isFlipped, probabilityAt, verdictAt } from "../../../frontend/samples/verdict.js";
import { makeMorph, makeTarget } from "../samples.mjs";

const STRENGTHS = [0, 0.5, 1];
const NAMES = [..."0123456789"];

function caption(strength, target = makeTarget(), strengths = STRENGTHS) {
  return verdictCaption(verdictAt(target.morphs[0], strengths, strength), target, NAMES).join("");
}

test("at a recorded strength the verdict is the recorded one", () => {
  assert.equal(caption(1), "8 · 95 %");
  assert.equal(caption(0), "5 (8 · 45 %)");
});

test("a strength that was stored as float32 is still that strength", () => {
  const target = makeTarget({ probabilities: [0.1, 0.9, 0.95] });
  assert.equal(caption(0.3, target, [0, Math.fround(0.3), 1]), "8 · 90 %");
});

test("between two equal predictions the probability is interpolated and marked", () => {
  assert.equal(caption(0.75), "8 · ≈ 88 %");
  const unconvinced = makeTarget({ probabilities: [0.4, 0.2, 0.9], predictions: [5, 5, 8] });
  assert.equal(caption(0.25, unconvinced), "5 (8 · ≈ 30 %)");
});

test("between two different predictions both are named, and it is no flip", () => {
  const target = makeTarget();
  assert.equal(caption(0.25), "5 or 8");
  assert.equal(isFlipped(verdictAt(target.morphs[0], STRENGTHS, 0.25), target), false);
});

test("nothing is extrapolated", () => {
  const morph = makeMorph();
  assert.deepEqual(verdictAt(morph, STRENGTHS, 1.1), { kind: "unknown" });
  assert.deepEqual(verdictAt(morph, [0.2, 0.5, 1], 0.1), { kind: "unknown" });
  assert.deepEqual(verdictAt(makeMorph({ probabilities: [], predictions: [] }), [], 0), { kind: "unknown" });
});

test("a probability is recorded, interpolated or unknown", () => {
  const at = (strength) => probabilityAt([0.2, 0.6, 1], [0.9, 0.5, 0.1], strength);
  assert.deepEqual(at(0.6), { probability: 0.5, exact: true });
  assert.equal(at(0.7).exact, false);
  assert.ok(Math.abs(at(0.7).probability - 0.4) < 1e-12);
  assert.equal(at(0.1), null);
  assert.equal(at(1.1), null);
});

test("the flip is the first strength at which the target is predicted", () => {
  const again = makeTarget({ predictions: [5, 8, 5] });
  assert.equal(flipOf(again.morphs[0], STRENGTHS), 0.5);
  assert.deepEqual(flipCaption(0.5, again, NAMES), { long: "flips after 50 % of the change", short: "flips after 50 %" });
  assert.equal(flipOf(makeMorph({ predictions: [5, 5, 3] }), STRENGTHS), null);
  assert.equal(flipCaption(null, again, NAMES).long, "never flips");
  assert.equal(flipOf(makeMorph({ predictions: [8, 8, 8] }), STRENGTHS), 0);
  assert.equal(flipCaption(0, again, NAMES).short, "already predicts 8");
});
