import assert from "node:assert/strict";
import { test } from "node:test";
import { filterCaption } from "../../../frontend/samples/filter_captions.js";
import * as filters from "../../../frontend/samples/filters.js";
import { smallestFlipDistance } from "../../../frontend/samples/flip_distances.js";
import { hasRepeatedIds } from "../../../frontend/samples/subjects.js";
import { DIGITS, makeSample, makeTarget } from "../samples.mjs";

const { NO_FILTERS, failedFiltersOf } = filters;

/** The positions of the samples that pass. */
function passing(samples, chosen) {
  const failedFilters = failedFiltersOf(samples, { ...NO_FILTERS, ...chosen });
  return samples.map((_, position) => position).filter((position) => failedFilters[position] === 0);
}

function check(fields, chosen, expected) {
  assert.deepEqual(passing(fields.map(makeSample), chosen), expected);
}

test("without filters everything passes", () => {
  check([{}, { label: null, id: null, classes: [] }], {}, [0, 1]);
});

test("the order of a pair does not matter", () => {
  const samples = [{ classes: [5, 8], label: 8 }, { classes: [8, 5], label: 5 }, { classes: [5, 3], label: null }];
  check(samples, { pair: [8, 5] }, [0, 1]);
  check(samples, { pair: [5, 8] }, [0, 1]);
  check(samples, { prediction: 5 }, [0, 2]);
  check(samples, { label: 5 }, [1]);
  check([{ classes: [5] }, { classes: [] }], { pair: [5, 8] }, []);
});

test("class 0 is not the same as no class", () => {
  check([{ classes: [0, 1], label: 0 }, { classes: [1, 0], label: 1 }], { prediction: 0 }, [0]);
  check([{ label: 0 }, { label: null }, { label: 1 }], { label: 0 }, [0]);
});

test("a prediction is right or wrong only if there is a label", () => {
  const samples = [{ classes: [5], label: 5 }, { classes: [5], label: 8 }, { classes: [5], label: null }];
  check(samples, { outcome: "right" }, [0]);
  check(samples, { outcome: "wrong" }, [1]);
  check(samples, { outcome: "unlabelled" }, [2]);
});

test("a range contains both ends, and an end may be missing", () => {
  const samples = [0, 100, 200, 300].map((step) => ({ step }));
  check(samples, { steps: { from: 100, to: 200 } }, [1, 2]);
  check(samples, { steps: { from: 100, to: null } }, [1, 2, 3]);
  check(samples, { steps: { from: null, to: 199 } }, [0, 1]);
});

test("each run shows what it recorded at the step, or last before it", () => {
  const samples = [
    { run: "a", step: 100 },
    { run: "a", step: 200 },
    { run: "b", step: 150 },
    { run: "b", step: 150 },
    { run: "b", step: 201 },
    { run: "c", step: 500 },
  ];
  check(samples, { steps: { at: 200 } }, [1, 2, 3]);
  check(samples, { steps: { at: 99 } }, []);
  check(samples, { steps: { at: 1000 } }, [1, 4, 5]);
});

test("the flip distance is the smallest of those that are not 0", () => {
  const target = (delta_norm, predictions, index = 8) => makeTarget({ index, delta_norm, predictions });
  const already = target(1, [8, 8, 8]);
  const samples = [
    { targets: [already, target(4, [5, 8, 8])] }, // 2
    { targets: [target(4, [5, 5, 8]), target(3, [5, 5, 8])] }, // 3
    { targets: [already] },
    { targets: [target(4, [5, 5, 5])] },
    { targets: [target(null, [])], strengths: [] },
  ];
  assert.deepEqual(samples.map(makeSample).map(smallestFlipDistance), [2, 3, null, null, null]);
  check(samples, { flip: { from: null, to: 2 } }, [0]);
  check(samples, { flip: { from: 2.5, to: null } }, [1]);
  check(samples, { flip: { from: 0, to: null } }, [0, 1]);
});

test("a text is found anywhere in an id, in upper and lower case", () => {
  const samples = [{ id: "Train/12" }, { id: "val/12" }, { id: null }];
  check(samples, { id: "train" }, [0]);
  check(samples, { id: "12" }, [0, 1]);
  check(samples, { id: ".*" }, []);
});

test("the latest capture of each id and run passes, among the steps that pass", () => {
  const samples = [
    { run: "a", id: "x", step: 100 },
    { run: "a", id: "x", step: 300 },
    { run: "a", id: "y", step: 200 },
    { run: "b", id: "x", step: 100 },
    { run: "a", id: null, step: 50 },
    { run: "a", id: "y", step: 200, wall_time: 1 },
  ];
  check(samples, { captures: "latest" }, [1, 3, 4, 5]);
  check(samples, { captures: "latest", steps: { from: null, to: 200 } }, [0, 3, 4, 5]);
  check(samples, { captures: "latest", id: "x" }, [1, 3]);
  assert.equal(hasRepeatedIds(samples.map(makeSample)), true);
});

test("filters are tried again when their value, the steps or the samples change", () => {
  const samples = [
    { id: "x", step: 1, label: 3 },
    { id: "x", step: 2, label: 4 },
    { id: "y", step: 3, label: 3 },
  ];
  for (let round = 0; round < 2; round++) {
    check(samples, { label: 3 }, [0, 2]);
    check(samples, { label: 4 }, [1]);
    check(samples, { captures: "latest" }, [1, 2]);
    check(samples, { captures: "latest", steps: { from: null, to: 1 } }, [0]);
    check(samples.slice(1), { label: 3 }, [1]);
  }
  const same = samples.map(makeSample);
  const passing = (chosen) => [...failedFiltersOf(same, { ...NO_FILTERS, ...chosen })].map((failed) => failed === 0);
  assert.deepEqual(passing({ label: 3, captures: "latest" }), [false, false, true]);
  assert.deepEqual(passing({ label: 4, captures: "latest" }), [false, true, false]);
  assert.deepEqual(passing({ label: 4, captures: "latest", steps: { from: 1, to: 1 } }), [false, false, false]);
  assert.deepEqual(passing({}), [true, true, true]);
});

test("at first only the latest third of each run's steps counts", () => {
  const samples = [
    { run: "a", id: "x", step: 0 },
    { run: "a", id: "y", step: 700 },
    { run: "a", id: "y", step: 900 },
    { run: "a", id: null, step: 100 },
    { run: "a", id: null, step: 800 },
    { run: "b", id: "x", step: 0 },
    { run: "b", id: "x", step: 30 },
  ];
  check(samples, { captures: "recent" }, [2, 4, 6]);
  check(samples, { captures: "latest", steps: { from: 0, to: 100 } }, [0, 3, 6]);
  assert.equal(filters.USUAL_FILTERS.captures, "recent");
  assert.equal(hasRepeatedIds(samples.slice(2, 5).map(makeSample)), false);
});

test("rank 0 is not the same as no rank", () => {
  const samples = [0, 1, null].map((rank) => ({ session: { ...DIGITS, rank } }));
  check(samples, { rank: 0 }, [0]);
});

test("the facets count what each choice then leaves, with any other filters", () => {
  const random = generator(7);
  const pick = (count) => Math.floor(random() * count);
  const samples = Array.from({ length: 300 }, () =>
    makeSample({
      step: pick(4) * 100,
      classes: [pick(3), 3 + pick(2)],
      label: [null, 0, 1, 3][pick(4)],
      probe: random() < 0.3,
      id: random() < 0.5 ? "odd" : "even",
      session: { ...DIGITS, rank: pick(2) },
    }),
  );
  const chosen = { show: "confused", prediction: 1, label: 3, outcome: "wrong", id: "odd", rank: 1, pair: [1, 4] };
  const left = (changes) => passing(samples, { ...chosen, ...changes }).length;
  const facets = filters.facetsOf(samples, failedFiltersOf(samples, { ...NO_FILTERS, ...chosen }));
  for (const prediction of [0, 1, 2]) assert.equal(facets.prediction.get(prediction) ?? 0, left({ prediction }));
  for (const label of [0, 1, 3]) assert.equal(facets.label.get(label) ?? 0, left({ label }));
  for (const outcome of filters.OUTCOMES) assert.equal(facets.outcome.get(outcome) ?? 0, left({ outcome }));
  for (const rank of [0, 1]) assert.equal(facets.rank.get(rank) ?? 0, left({ rank }));
  for (const one of [0, 1, 2]) {
    for (const other of [3, 4]) {
      const code = filters.pairCode(other, one);
      assert.deepEqual(filters.pairOfCode(code), [one, other]);
      assert.equal(facets.pair.get(code) ?? 0, left({ pair: [one, other] }));
    }
  }
  assert.equal(facets.probe.get(true) ?? 0, left({ show: "probes" }));
  assert.equal(facets.probe.get(false) ?? 0, left({ show: "confused" }));
  assert.ok(left({ prediction: 1, label: 3 }) > 0, "the test would see nothing otherwise");
});

test("every active filter has a caption", () => {
  const chosen = {
    show: "probes",
    captures: "latest",
    steps: { from: 1000, to: null },
    pair: [5, 8],
    prediction: 5,
    label: 8,
    outcome: "unlabelled",
    flip: { from: 0.5, to: 2 },
    rank: 1,
    id: "train",
  };
  assert.deepEqual(filters.activeFilters(NO_FILTERS), []);
  const nameOf = (index) => `№${index}`;
  assert.deepEqual(
    filters.activeFilters(chosen).map((name) => filterCaption(name, chosen, nameOf)),
    [
      "probes",
      "latest of each id",
      "steps from 1,000",
      "top two classes №5 and №8",
      "prediction №5",
      "label №8",
      "no label",
      "flip distance 0.5 to 2",
      "rank 1",
      "id contains “train”",
    ],
  );
  assert.equal(filterCaption("steps", { ...chosen, steps: { at: 1000 } }, nameOf), "step 1,000");
  assert.equal(filterCaption("steps", { ...chosen, steps: { from: null, to: 5 } }, nameOf), "steps up to 5");
});

/** Mulberry32: the same numbers in every run. */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
