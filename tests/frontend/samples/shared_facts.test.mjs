import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedCaption, sharedFacts } from "../../../frontend/samples/shared_facts.js";
import { makeSample } from "../samples.mjs";

const SETTINGS = { morph: "visible", morphKinds: ["smallest", "visible"], strength: 0.5, atFlip: false, largestStrength: 1 };

test("what holds for all samples is said once", () => {
  const same = sharedFacts([makeSample({ label: null }), makeSample({ label: null })]);
  assert.equal(sharedCaption(same, SETTINGS), "visible morphs with 50 % of the change, all at step 300, no sample has a label");
  const others = sharedFacts([makeSample(), makeSample({ step: 1, label: null })]);
  assert.equal(sharedCaption(others, { ...SETTINGS, atFlip: true }), "visible morphs, each at its flip");
  assert.equal(sharedCaption(others, { ...SETTINGS, morphKinds: ["visible"] }), "morphs with 50 % of the change");
  assert.equal(sharedCaption(sharedFacts([]), { ...SETTINGS, largestStrength: 0 }), "");
});
