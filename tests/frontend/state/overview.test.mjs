import assert from "node:assert/strict";
import { test } from "node:test";
import { moreSteps } from "../../../frontend/state/overview.js";
import { indexOf, sampleAt, stateWith } from "../states.mjs";

test("more steps are advised only if there are more", () => {
  const one = stateWith(indexOf("a", [sampleAt(100)]));
  const many = stateWith(indexOf("a", [0, 100, 200, 300].map((step) => sampleAt(step))));
  assert.equal(moreSteps(one), "");
  assert.match(moreSteps(many), /Choose more steps/);
  assert.equal(moreSteps({ ...many, overviewSteps: { from: 0, to: null } }), "");
});
