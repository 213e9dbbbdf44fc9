import assert from "node:assert/strict";
import { test } from "node:test";
import {
  countsOf,
  facetsInUse,
  filtersInUse,
  largestStrength,
  matrixInUse,
  noticesInUse,
  offeredCaptures,
  recordedStrengths,
  runColour,
  scaleEnd,
  strengthInUse,
  tagInUse,
  targetsInUse,
  tickedRuns,
} from "../../../frontend/state/selectors.js";
import { initialState } from "../../../frontend/state/state.js";
import { tick, withFilters, withRuns, withStrength, withTarget, withoutNotice } from "../../../frontend/state/transitions.js";
import { makeTarget } from "../samples.mjs";
import { indexOf, keys, sampleAt, stateWith } from "../states.mjs";
import { makeNotice, makeRunSession } from "../statuses.mjs";

test("the newest sample comes first on demand, and the order within a capture is kept", () => {
  const one = indexOf("a", [sampleAt(0), sampleAt(100), sampleAt(100, { index: 1 })]);
  const both = { ...stateWith(one, indexOf("b", [sampleAt(50)])), sort: "newest" };
  assert.deepEqual(keys(both), ["100.0", "100.1", "50.0", "0.0"]);
  assert.deepEqual(keys({ ...both, sort: "oldest" }), ["0.0", "50.0", "100.0", "100.1"]);
});

test("the smallest margin comes first, and NaN last", () => {
  const samples = [0.5, NaN, 0.1].map((margin, step) => sampleAt(step, { margin }));
  assert.deepEqual(keys({ ...stateWith(indexOf("a", samples)), sort: "margin" }), ["2.0", "0.0", "1.0"]);
});

test("the filter for probes applies only if there are probes", () => {
  const mixed = stateWith(indexOf("a", [sampleAt(1, { probe: true }), sampleAt(2)]));
  assert.deepEqual(keys(withFilters(mixed, { show: "probes" })), ["1.0"]);
  assert.deepEqual(keys(withFilters(mixed, { show: "confused" })), ["2.0"]);
  const plain = withFilters(stateWith(indexOf("a", [sampleAt(2)])), { show: "probes" });
  assert.equal(filtersInUse(plain).show, "all");
  assert.deepEqual(keys(plain), ["2.0"]);
});

test("an unticked run is neither shown nor counted", () => {
  const one = indexOf("a", [sampleAt(0)], { unreadable: 2, superseded: 1, dropped: 0 });
  const both = stateWith(one, indexOf("b", [sampleAt(50)]));
  assert.deepEqual(countsOf(both), { samples: 2, unreadable: 2, superseded: 1, dropped: 0 });
  const ticked = tick(both, "a", false);
  assert.deepEqual(keys(ticked), ["50.0"]);
  assert.deepEqual(countsOf(ticked), { samples: 1, unreadable: 0, superseded: 0, dropped: 0 });
});

test("only the first ten runs are shown until the user ticks more", () => {
  const runs = Array.from({ length: 30 }, (_, i) => ({ run: `run${i}`, tags: ["confused"], empty_tags: [] }));
  const many = withRuns(initialState(), runs);
  assert.equal(tickedRuns(many).length, 10);
  assert.ok(tickedRuns(tick(many, "run29", true)).includes("run29"));
});

test("runs that do not match the filter are not listed, and the first ten others are ticked", () => {
  const runs = Array.from({ length: 30 }, (_, i) => ({ run: `run${i}`, tags: ["confused"], empty_tags: [] }));
  const many = withRuns(initialState(), runs);
  const ticked = (runFilter) => tickedRuns({ ...many, runFilter });
  assert.deepEqual(ticked("RUN[12]5$"), ["run15", "run25"]);
  assert.deepEqual(ticked("(run1"), [], "an invalid expression, and no run contains this text");
  assert.equal(ticked("").length, 10);
});

test("the recorded strengths are those of all samples", () => {
  const samples = [sampleAt(0), sampleAt(1, { strengths: [0, 0.75, 1.25] }), sampleAt(2, { strengths: [] })];
  const from = stateWith(indexOf("a", samples));
  assert.equal(largestStrength(from), 1.25);
  assert.deepEqual(recordedStrengths(from), [0, 0.5, 0.75, 1, 1.25]);
  assert.equal(largestStrength(initialState()), 0);
});

test("the strength of a link is limited to the largest recorded strength", () => {
  const asked = { ...initialState(), strength: 5 };
  assert.equal(strengthInUse(asked), 5);
  const recorded = { ...stateWith(indexOf("a", [sampleAt(0)])), strength: 5 };
  assert.equal(strengthInUse(recorded), 1);
  assert.equal(strengthInUse(withStrength(recorded, 0.5)), 0.5);
  assert.equal(strengthInUse(withStrength(recorded, 0)), 0);
});

test("run colours follow TensorBoard's order, and fourteen runs have different ones", () => {
  const runOrder = Array.from({ length: 16 }, (_, i) => `run${i}`);
  const from = { ...initialState(), runOrder };
  assert.equal(runColour(from, "run1"), "var(--run-1)");
  assert.equal(runColour(from, "run15"), "var(--run-1)");
  assert.equal(runColour(from, "unknown"), "var(--run-0)");
  const alone = { ...initialState(), runs: [{ run: "a", tags: [] }, { run: "b", tags: [] }] };
  assert.equal(runColour(alone, "b"), "var(--run-1)", "there is no TensorBoard around a report");
  assert.equal(new Set(runOrder.map((run) => runColour(from, run))).size, 14);
});

test("by default the grid shows no probes and the latest third of the steps, wrong ones first", () => {
  const of = (step, id, fields) => sampleAt(step, { id, ...fields });
  const samples = [
    of(1, "x", { label: 3, margin: 0.1 }),
    of(2, "x", { label: 5, margin: 0.5 }),
    of(3, "y", { label: 8, margin: 0.9 }),
    of(4, "p", { probe: true }),
    of(5, "z", { label: 5, margin: 0.2 }),
  ];
  const from = { ...stateWith(indexOf("a", samples)), view: "samples" };
  assert.deepEqual(keys(from), ["3.0", "5.0"]);
  assert.deepEqual(keys(withFilters(from, { captures: "latest" })), ["3.0", "5.0", "2.0"]);
  assert.equal(filtersInUse({ ...from, view: "compare" }).captures, "latest", "there each id counts at its latest step");
  assert.deepEqual(keys({ ...from, view: "follow" }).length, 5, "all captures are followed");
  assert.deepEqual(keys(withFilters({ ...from, view: "follow" }, { show: "confused" })).length, 4);
  assert.deepEqual(keys({ ...from, view: "compare" }).length, 4, "the latest are compared, also probes");
  assert.deepEqual(keys(withFilters(from, { captures: "all" })).length, 4);
  assert.deepEqual(keys(withFilters(from, { show: "probes" })), ["4.0"]);
});

test("the counts agree with a target that is chosen for all cards", () => {
  const eight = sampleAt(1, { id: "a" });
  const three = sampleAt(2, { id: "b", targets: [makeTarget({ index: 3 })] });
  const from = withTarget(stateWith(indexOf("a", [eight, three])), 8);
  assert.deepEqual(keys(from), ["1.0"]);
  assert.equal(facetsInUse(from).prediction.get(5), 1);
  assert.equal(matrixInUse(from).counts[0], 1);
  assert.deepEqual(targetsInUse(from), [[3, 1], [8, 1]], "another target is one click away");
});

test("probes are shown if there is nothing else", () => {
  const probes = stateWith(indexOf("a", [sampleAt(1, { probe: true, id: "p" })]));
  assert.deepEqual(keys(probes), ["1.0"]);
});

test("the common colour scale follows from all samples, before any filter", () => {
  const samples = [1, 2].map((gradient_norm, step) => sampleAt(step, { targets: [makeTarget({ gradient_norm })] }));
  const from = stateWith(indexOf("a", samples));
  assert.equal(scaleEnd(from), null);
  const common = { ...from, gradientColors: { ...from.gradientColors, scale: "common" } };
  assert.ok(scaleEnd(common) > 0);
  assert.equal(scaleEnd(withTarget(common, 99)), scaleEnd(common));
});

test("a tag without captures is not the first choice", () => {
  const runs = [{ run: "a", tags: ["confused", "scan"], empty_tags: ["confused"] }];
  assert.equal(tagInUse(withRuns(initialState(), runs)), "scan");
  assert.equal(tagInUse({ ...withRuns(initialState(), runs), chosenTag: "confused" }), "confused");
  const both = [...runs, { run: "b", tags: ["confused"], empty_tags: [] }];
  assert.equal(tagInUse(withRuns(initialState(), both)), "confused");
  const none = [{ run: "a", tags: ["confused"], empty_tags: ["confused"] }];
  assert.equal(tagInUse(withRuns(initialState(), none)), "confused");
});

test("the notices of the ticked runs are shown until they are dismissed", () => {
  const notices = [makeNotice(), makeNotice({ message: "Other." })];
  const index = (run) => indexOf(run, [], {}, [makeRunSession({ notices })]);
  const both = stateWith(index("a"), index("b"));
  assert.deepEqual(noticesInUse(both).map(({ run, message }) => `${run} ${message}`), [
    "a Softmax.",
    "a Other.",
    "b Softmax.",
    "b Other.",
  ]);
  const fewer = withoutNotice(tick(both, "b", false), noticesInUse(both)[0].key);
  assert.deepEqual(noticesInUse(fewer).map(({ message }) => message), ["Other."]);
});

test("who seeks steps or an id is not limited to the latest third, and the form says so", () => {
  const samples = [0, 700, 900].map((step) => sampleAt(step, { id: "x" }));
  const found = (filters, of = samples) => {
    const state = { ...withFilters(stateWith(indexOf("a", of)), filters ?? {}), view: "samples" };
    return [filtersInUse(state).captures, offeredCaptures(state), keys(state)];
  };
  const early = { steps: { from: 0, to: 100 } };
  assert.deepEqual(found(), ["recent", ["recent", "latest", "all"], ["900.0"]]);
  assert.deepEqual(found({ id: "x" }), ["latest", ["latest", "all"], ["900.0"]]);
  assert.deepEqual(found(early), ["latest", ["latest", "all"], ["0.0"]]);
  const different = samples.map((sample) => ({ ...sample, id: null }));
  assert.deepEqual(found(early, different), ["all", ["all"], ["0.0"]]);
});
