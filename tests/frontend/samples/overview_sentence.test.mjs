import assert from "node:assert/strict";
import { test } from "node:test";
import { overviewSentence } from "../../../frontend/samples/overview_sentence.js";
import { pairsOf, summarizePairs } from "../../../frontend/samples/pairs.js";
import { summarizeRun } from "../../../frontend/samples/run_summaries.js";
import { makeSample, makeTarget } from "../samples.mjs";
import { indexOf } from "../states.mjs";

const RANGE = { from: 520, to: 780 };
const BEFORE = { from: 259, to: 519 };

function near(classes, delta_norm, step = 600, fields = {}) {
  const [first, second] = classes;
  const target = makeTarget({ index: second, predictions: [first, second, second], delta_norm });
  return makeSample({ step, classes, label: first, targets: [target], ...fields });
}

function times(count, make) {
  return Array.from({ length: count }, (_, at) => make(at));
}

function sentence(...runs) {
  const samples = runs.flat();
  const span = { from: 0, to: 780 };
  return overviewSentence({
    pairs: summarizePairs(pairsOf(samples), RANGE, BEFORE),
    allPairs: pairsOf(samples),
    runs: runs.map((own, at) => summarizeRun(indexOf(at ? "noise" : "baseline", own), RANGE, span, 4)),
    range: RANGE,
    before: BEFORE,
    nameOf: String,
  })
    .map((part) => (typeof part === "string" ? part : part.strong))
    .join("");
}

test("the most frequent pair, how many are wrong, and how easily they flip", () => {
  const samples = [...times(6, (at) => near([7, 9], 1.08 + at)), near([7, 9], 5, 600, { label: 9 }), near([3, 5], 1)];
  assert.equal(
    sentence(samples),
    "At steps 520 to 780 the network hesitates most between 7 and 9: 7 captures, 1 of them wrong; half of them flip " +
      "within a distance of 2.",
  );
});

test("if the range has too little, the whole training says what was mixed up most", () => {
  const early = (count, classes) => times(count, () => near(classes, 1, 100));
  assert.equal(
    sentence([near([7, 9], 1), ...early(5, [9, 4]), ...early(4, [1, 2])]),
    "Too little yet to say what is mixed up most: 1 capture at steps 520 to 780. Over the whole training the network " +
      "hesitated most between 4 and 9: 5 captures.",
  );
  assert.ok(sentence([near([7, 9], 1), ...early(5, [9, 4]), ...early(5, [1, 2])]).endsWith("steps 520 to 780."));
});

test("the distance is compared with the range before, if that has at least five captures", () => {
  const now = times(5, () => near([7, 9], 2));
  const words = (count) => sentence([...now, ...times(count, () => near([7, 9], 1, 300))]);
  assert.ok(words(5).endsWith("flip within a distance of 1 (it was 0.5 at steps 259 to 519)."));
  assert.ok(words(4).endsWith("flip within a distance of 1."));
});

test("fewer than five captures of a pair are too little", () => {
  const samples = [...times(4, () => near([7, 9], 1)), ...times(3, () => near([1, 2], 1))];
  assert.equal(
    sentence(samples),
    "Too little yet to say what is mixed up most: 7 captures at steps 520 to 780, at most 4 of one pair of classes.",
  );
  assert.equal(sentence([near([7, 9], 1)]), "Too little yet to say what is mixed up most: 1 capture at steps 520 to 780.");
  assert.equal(sentence([]), "No confused samples were captured at steps 520 to 780.");
});

test("pairs that are as frequent are named too", () => {
  const tie = (...pairs) => sentence(pairs.flatMap((classes) => times(5, () => near(classes, 1))));
  assert.match(tie([1, 2], [3, 4]), /between 1 and 2, and as often between 3 and 4: 5 captures;/);
  assert.match(tie([1, 2], [3, 4], [5, 6]), / 2 other pairs have as many\.$/);
});

test("samples without a morph, or that never flip, get no distance", () => {
  const without = times(5, () => near([7, 9], 1, 600, { targets: [] }));
  assert.match(sentence(without), /: 5 captures\.$/);
  const target = makeTarget({ index: 9, predictions: [7, 7, 7], flip_position: -1 });
  const never = times(5, () => near([7, 9], 1, 600, { targets: [target] }));
  assert.match(sentence(never), /5 captures; most of them never flip\.$/);
});

test("runs are compared on shared probes only, and only a clear difference is called one", () => {
  const probes = (sizeOf, start = 0) => times(8, (at) => near([5, 8], sizeOf(at), 600, { probe: true, id: `p${start + at}` }));
  assert.match(
    sentence(probes(() => 12), probes(() => 16.4)),
    / On the 8 shared probes noise is harder to flip than baseline: 8\.2 against 6\.$/,
  );
  assert.match(sentence(probes(() => 12), probes((at) => (at < 5 ? 16 : 1))), /noise and baseline do not differ clearly: 8 against 6\.$/);
  assert.doesNotMatch(sentence(probes(() => 12), probes(() => 16, 4)), /probes/);
});
