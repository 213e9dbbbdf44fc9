import assert from "node:assert/strict";
import { test } from "node:test";
import {
  defaultKind,
  isPredicted,
  kindsOf,
  shownMorph,
  shownPosition,
  smallest,
  strengthAtFlip,
} from "../../../frontend/samples/morphs.js";
import { makeMorph, makeSample, makeTarget } from "../samples.mjs";

const named = (...names) => makeTarget({ morphs: names.map((name) => makeMorph({ name })) });

test("the smallest morph is the one with this name, otherwise the first", () => {
  assert.equal(smallest(named("visible", "smallest"))?.name, "smallest");
  assert.equal(smallest(named("morph"))?.name, "morph");
  assert.equal(smallest(named("a", "b"))?.name, "a");
  assert.equal(smallest(named()), null);
});

test("the shown morph is of the chosen kind, otherwise the smallest", () => {
  assert.equal(shownMorph(named("smallest", "visible"), "visible")?.name, "visible");
  assert.equal(shownMorph(named("visible", "smallest"), "other")?.name, "smallest");
  assert.equal(shownMorph(named("morph"), "visible")?.name, "morph");
  assert.equal(shownMorph(named(), "visible"), null);
  assert.deepEqual([named("smallest", "visible"), named()].map((target) => shownPosition(target, "visible")), [1, -1]);
});

test("the kinds are all names, in the order of their appearance", () => {
  const samples = [named("morph"), named("smallest", "visible"), named()].map((target) => makeSample({ targets: [target] }));
  assert.deepEqual(kindsOf(samples), ["morph", "smallest", "visible"]);
  assert.deepEqual([["smallest", "visible"], ["a", "smallest"], ["morph"], []].map(defaultKind), [
    "visible",
    "smallest",
    "morph",
    "smallest",
  ]);
});

test("a morph is shown at its flip, or at 1 if it never flips", () => {
  assert.equal(strengthAtFlip(makeMorph(), [0, 0.5, 1]), 0.5);
  assert.equal(strengthAtFlip(makeMorph({ predictions: [5, 5, 5] }), [0, 0.5, 1.25]), 1);
  assert.equal(strengthAtFlip(makeMorph({ predictions: [5, 5] }), [0, 0.5]), 0.5);
  assert.equal(strengthAtFlip(null, []), 1);
});

test("a target can be predicted already", () => {
  assert.equal(isPredicted(makeSample(), makeTarget({ index: 5 })), true);
  assert.equal(isPredicted(makeSample(), makeTarget()), false);
  assert.equal(isPredicted(makeSample({ classes: [] }), makeTarget()), false);
});
