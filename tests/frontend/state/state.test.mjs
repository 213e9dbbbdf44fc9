import assert from "node:assert/strict";
import { test } from "node:test";
import * as state from "../../../frontend/state/state.js";
import { makeSample, makeTarget } from "../samples.mjs";

function indexOf(run, samples, counts = {}) {
  return {
    run,
    tag: "confused",
    counts: { samples: samples.length, unreadable: 0, superseded: 0, dropped: 0, ...counts },
    samples,
  };
}

function sampleAt(step, fields) {
  return makeSample({ step, key: `${step}.${fields?.index ?? 0}`, ...fields });
}

function stateWith(...indexes) {
  const runs = indexes.map(({ run }) => ({ run, tags: ["confused"] }));
  return indexes.reduce(state.withIndex, state.withRuns(state.initialState(), runs));
}

function keys(from) {
  return state.shownSamples(from).map(({ key }) => key);
}

test("newest first is the default, and a capture keeps its own order", () => {
  const one = indexOf("a", [sampleAt(0), sampleAt(100), sampleAt(100, { index: 1 })]);
  const both = stateWith(one, indexOf("b", [sampleAt(50)]));
  assert.deepEqual(keys(both), ["100.0", "100.1", "50.0", "0.0"]);
  assert.deepEqual(keys({ ...both, sort: "oldest" }), ["0.0", "50.0", "100.0", "100.1"]);
});

test("the smallest margin comes first, and NaN last", () => {
  const samples = [0.5, NaN, 0.1].map((margin, step) => sampleAt(step, { margin }));
  assert.deepEqual(keys({ ...stateWith(indexOf("a", samples)), sort: "margin" }), ["2.0", "0.0", "1.0"]);
});

test("probes are told from confused samples, and the choice is gone where there are none", () => {
  const mixed = stateWith(indexOf("a", [sampleAt(1, { probe: true }), sampleAt(2)]));
  assert.deepEqual(keys(state.withFilters(mixed, { show: "probes" })), ["1.0"]);
  assert.deepEqual(keys(state.withFilters(mixed, { show: "confused" })), ["2.0"]);
  const plain = state.withFilters(stateWith(indexOf("a", [sampleAt(2)])), { show: "probes" });
  assert.equal(state.filtersInUse(plain).show, "all");
  assert.deepEqual(keys(plain), ["2.0"]);
});

test("an unticked run is neither shown nor counted", () => {
  const one = indexOf("a", [sampleAt(0)], { unreadable: 2, superseded: 1, dropped: 0 });
  const both = stateWith(one, indexOf("b", [sampleAt(50)]));
  assert.deepEqual(state.countsOf(both), { samples: 2, unreadable: 2, superseded: 1, dropped: 0 });
  const ticked = state.tick(both, "a", false);
  assert.deepEqual(keys(ticked), ["50.0"]);
  assert.deepEqual(state.countsOf(ticked), { samples: 1, unreadable: 0, superseded: 0, dropped: 0 });
});

test("of many runs only the first are shown until someone ticks more", () => {
  const runs = Array.from({ length: 30 }, (_, i) => ({ run: `run${i}`, tags: ["confused"] }));
  const many = state.withRuns(state.initialState(), runs);
  assert.equal(state.tickedRuns(many).length, 10);
  assert.ok(state.tickedRuns(state.tick(many, "run29", true)).includes("run29"));
});

test("all runs are ticked or none, also those that come later, and one alone", () => {
  const runs = Array.from({ length: 30 }, (_, i) => ({ run: `run${i}`, tags: ["confused"] }));
  const many = state.withRuns(state.initialState(), runs.slice(0, 20));
  const later = (from) => state.tickedRuns(state.withRuns(from, runs)).length;
  assert.equal(later(state.tickOthers(many, "all")), 30);
  assert.equal(later(state.tickOthers(many, "none")), 0);
  assert.deepEqual(state.tickedRuns(state.tick(state.tickOthers(many, "none"), "run7", true)), ["run7"]);
});

test("runs that do not match the filter are not offered, and the first that do are ticked", () => {
  const runs = Array.from({ length: 30 }, (_, i) => ({ run: `run${i}`, tags: ["confused"] }));
  const many = state.withRuns(state.initialState(), runs);
  const ticked = (runFilter) => state.tickedRuns({ ...many, runFilter });
  assert.deepEqual(ticked("RUN[12]5$"), ["run15", "run25"]);
  assert.deepEqual(ticked("(run1"), [], "no regular expression, and no run contains it");
  assert.equal(ticked("").length, 10);
});

test("another tag starts without indexes, and an answer about the old one is dropped", () => {
  const runs = [{ run: "a", tags: ["confused", "validation"] }];
  const old = indexOf("a", [sampleAt(0)]);
  const before = state.withIndex(state.withRuns(state.initialState(), runs), old);
  const after = state.chooseTag(before, "validation");
  assert.equal(state.tagInUse(after), "validation");
  assert.equal(after.indexes.size, 0);
  assert.equal(state.withIndex(after, old), after);
});

test("a run that is gone takes its samples along", () => {
  const both = stateWith(indexOf("a", [sampleAt(0)]), indexOf("b", [sampleAt(50)]));
  assert.deepEqual(keys(state.withRuns(both, [{ run: "b", tags: ["confused"] }])), ["50.0"]);
  assert.deepEqual(keys(state.withRuns(both, [])), []);
});

test("strengths are gathered over all samples", () => {
  const samples = [sampleAt(0), sampleAt(1, { strengths: [0, 0.75, 1.25] }), sampleAt(2, { strengths: [] })];
  const from = stateWith(indexOf("a", samples));
  assert.equal(state.largestStrength(from), 1.25);
  assert.deepEqual(state.recordedStrengths(from), [0, 0.5, 0.75, 1, 1.25]);
  assert.equal(state.largestStrength(state.initialState()), 0);
});

test("the strength of a link ends where the recorded ones end, if there are any", () => {
  const asked = { ...state.initialState(), strength: 5 };
  assert.equal(state.strengthInUse(asked), 5);
  const recorded = { ...stateWith(indexOf("a", [sampleAt(0)])), strength: 5 };
  assert.equal(state.strengthInUse(recorded), 1);
  assert.equal(state.strengthInUse(state.withStrength(recorded, 0.5)), 0.5);
  assert.equal(state.strengthInUse(state.withStrength(recorded, 0)), 0);
});

test("runs are coloured in TensorBoard's order, and again after seven", () => {
  const runOrder = Array.from({ length: 9 }, (_, i) => `run${i}`);
  const from = { ...state.initialState(), runOrder };
  assert.equal(state.runColour(from, "run1"), "#12b5cb");
  assert.equal(state.runColour(from, "run8"), "#12b5cb");
  assert.equal(state.runColour(from, "unknown"), "#425066");
});

test("a sample goes its own way until the slider moves", () => {
  const own = state.withOwnStrength(state.initialState(), "a", 0.25);
  assert.deepEqual([state.strengthOf(own, "a"), state.strengthOf(own, "b")], [0.25, 1]);
  assert.equal(state.strengthOf(state.withOwnStrength(own, "a", null), "a"), 1);
  assert.equal(state.strengthOf(state.withStrength(own, 0.5), "a"), 0.5);
});

test("a target of all leaves out the samples that were not asked to become it, and single cards' choices", () => {
  const samples = [8, 5].map((index, step) => sampleAt(step, { targets: [makeTarget({ index })] }));
  const all = state.withCardChoice(stateWith(indexOf("a", samples)), "0.0", "more");
  assert.deepEqual(state.targetsInUse(all), [[5, 1], [8, 1]]);
  const fives = state.withTarget(all, 5);
  assert.deepEqual(keys(fives), ["1.0"]);
  assert.deepEqual(state.targetsInUse(fives), [[5, 1], [8, 1]]);
  assert.equal(fives.cardChoices.size, 0);
});

test("a common scale is of all samples, whichever the filters leave", () => {
  const samples = [1, 2].map((gradient_norm, step) => sampleAt(step, { targets: [makeTarget({ gradient_norm })] }));
  const from = stateWith(indexOf("a", samples));
  assert.equal(state.scaleEnd(from), null);
  const common = { ...from, look: { ...from.look, scale: "common" } };
  assert.ok(state.scaleEnd(common) > 0);
  assert.equal(state.scaleEnd(state.withTarget(common, 99)), state.scaleEnd(common));
});

test("where the back end tells the same runs again, nothing is made anew", () => {
  const before = stateWith(indexOf("a", [sampleAt(0)]), indexOf("b", [sampleAt(1)]));
  const after = state.withRuns(before, structuredClone(before.runs));
  for (const part of [state.samplesInUse, state.shownSamples, state.tickedRuns]) {
    assert.equal(part(after), part(before));
  }
  const fewer = state.withRuns(before, before.runs.slice(1));
  assert.deepEqual(keys(fewer), ["1.0"]);
  assert.deepEqual([...fewer.indexes.keys()], ["b"]);
});
