import assert from "node:assert/strict";
import { test } from "node:test";
import {
  morphInUse,
  morphKinds,
  samplesInUse,
  shownSamples,
  strengthOf,
  tagInUse,
  targetsInUse,
  tickedRuns,
} from "../../../frontend/state/selectors.js";
import { initialState } from "../../../frontend/state/state.js";
import {
  chooseTag,
  tick,
  tickOthers,
  withAtFlip,
  withTargetChoice,
  withIndexes,
  withStrengthOverride,
  withRuns,
  withStrength,
  withTarget,
} from "../../../frontend/state/transitions.js";
import { makeMorph, makeSample, makeTarget } from "../samples.mjs";
import { indexOf, keys, sampleAt, stateWith } from "../states.mjs";

test("all runs are ticked, or none, and runs that appear later follow", () => {
  const runs = Array.from({ length: 30 }, (_, i) => ({ run: `run${i}`, tags: ["confused"], empty_tags: [] }));
  const many = withRuns(initialState(), runs.slice(0, 20));
  const later = (from) => tickedRuns(withRuns(from, runs)).length;
  assert.equal(later(tickOthers(many, "all")), 30);
  assert.equal(later(tickOthers(many, "none")), 0);
  assert.deepEqual(tickedRuns(tick(tickOthers(many, "none"), "run7", true)), ["run7"]);
});

test("another tag starts without indexes, and a late index of the old tag is ignored", () => {
  const runs = [{ run: "a", tags: ["confused", "validation"], empty_tags: [] }];
  const old = indexOf("a", [sampleAt(0)]);
  const before = withIndexes(withRuns(initialState(), runs), [old]);
  const after = chooseTag(before, "validation");
  assert.equal(tagInUse(after), "validation");
  assert.equal(after.indexes.size, 0);
  assert.equal(withIndexes(after, [old]), after);
});

test("the samples of a run that no longer exists are removed", () => {
  const both = stateWith(indexOf("a", [sampleAt(0)]), indexOf("b", [sampleAt(50)]));
  assert.deepEqual(keys(withRuns(both, [{ run: "b", tags: ["confused"], empty_tags: [] }])), ["50.0"]);
  assert.deepEqual(keys(withRuns(both, [])), []);
});

test("a strength override lasts until the slider moves", () => {
  const own = withStrengthOverride(initialState(), "a", 0.25);
  const [a, b] = ["a", "b"].map((key) => makeSample({ key }));
  const at = (state, sample) => strengthOf({ ...state, morph: "smallest" }, sample, sample.targets[0]);
  assert.deepEqual([at(own, a), at(own, b)], [0.25, 1]);
  assert.equal(at(withStrengthOverride(own, "a", null), a), 1);
  assert.equal(at(withStrength(own, 0.5), a), 0.5);
});

test("each morph is at its own flip until the slider moves, and one that never flips is at 1", () => {
  const morphs = [makeMorph(), makeMorph({ name: "visible", predictions: [5, 5, 8] })];
  const sample = makeSample({ key: "a", targets: [makeTarget({ morphs }), makeTarget({ predictions: [5, 5, 5] })] });
  const state = withAtFlip(withStrengthOverride(withStrength(initialState(), 0.25), "a", 0.1), true);
  const at = (some, morph) => sample.targets.map((target) => strengthOf({ ...some, morph }, sample, target));
  assert.deepEqual(at(state, "smallest"), [0.5, 1]);
  assert.deepEqual(at(state, "visible"), [1, 1]);
  assert.deepEqual(at(withStrengthOverride(state, "a", 0.75), "smallest"), [0.75, 0.75]);
  assert.deepEqual(at(withAtFlip(state, false), "smallest"), [0.25, 0.25]);
  assert.deepEqual(at(withStrength(state, 0.3), "smallest"), [0.3, 0.3]);
});

test("the visible morphs are shown if there are any and the user chose no other kind", () => {
  const named = (...names) => sampleAt(names.length, { targets: [makeTarget({ morphs: names.map((name) => makeMorph({ name })) })] });
  const state = (...samples) => stateWith(indexOf("a", samples));
  assert.equal(morphInUse(state()), "smallest");
  assert.equal(morphInUse(state(named("morph"))), "morph");
  const both = state(named("smallest"), named("smallest", "visible"));
  assert.deepEqual(morphKinds(both), ["smallest", "visible"]);
  assert.equal(morphInUse(both), "visible");
  assert.equal(morphInUse({ ...both, chosenMorph: "smallest" }), "smallest");
  assert.equal(morphInUse({ ...both, chosenMorph: "gone" }), "visible");
});

test("choosing a target leaves out samples without it and forgets the choices on single cards", () => {
  const samples = [8, 5].map((index, step) => sampleAt(step, { targets: [makeTarget({ index })] }));
  const all = withTargetChoice(stateWith(indexOf("a", samples)), "0.0", "more");
  assert.deepEqual(targetsInUse(all), [[5, 1], [8, 1]]);
  const fives = withTarget(all, 5);
  assert.deepEqual(keys(fives), ["1.0"]);
  assert.deepEqual(targetsInUse(fives), [[5, 1], [8, 1]]);
  assert.equal(fives.targetChoices.size, 0);
});

test("equal runs from the back end keep all memoized values", () => {
  const before = stateWith(indexOf("a", [sampleAt(0)]), indexOf("b", [sampleAt(1)]));
  const after = withRuns(before, structuredClone(before.runs));
  for (const part of [samplesInUse, shownSamples, tickedRuns]) {
    assert.equal(part(after), part(before));
  }
  const fewer = withRuns(before, before.runs.slice(1));
  assert.deepEqual(keys(fewer), ["1.0"]);
  assert.deepEqual([...fewer.indexes.keys()], ["b"]);
});
