import assert from "node:assert/strict";
import { test } from "node:test";
import { readRecords } from "../../../frontend/data/api.js";
import { readRows } from "../../../frontend/data/record_rows.js";
import { recordsAnswer } from "../rows.mjs";
import { DIGITS, makeJudge, makeMorph, makeSample, makeTarget } from "../samples.mjs";

const SOURCE = { run: "run", tag: "confused", session: DIGITS };

/** Packs samples and reads them back. */
function readBack(...samples) {
  const [{ buffer, start, length }] = readRecords(recordsAnswer([[0, 1, 0, samples]]), 1);
  return readRows(buffer, start, start + length, SOURCE);
}

const NESTED = ["targets", "morphs", "judges"];

/** @returns the fields of `like`, read from `sample` */
function fieldsOf(sample, like) {
  return Object.fromEntries(
    Object.keys(like).map((name) => [
      name,
      NESTED.includes(name) ? sample[name].map((one, position) => fieldsOf(one, like[name][position])) : sample[name],
    ]),
  );
}

test("every field of a sample is read as it was packed", () => {
  const visible = makeMorph({
    name: "visible",
    largest_change: null,
    mean_change: null,
    predictions: [5, 5, 5],
    survived: [true, false, true, true, false, false, false, true],
    judges: [makeJudge(), makeJudge({ name: "größer", probabilities: [0, 0.5, NaN], predictions: [1, 2, 3] })],
  });
  const both = [makeMorph({ judges: [makeJudge()] }), visible];
  const random = [makeMorph(), makeMorph({ name: "visible", stopped: "chance", spread: [0.68, 0.84] })];
  const unpromising = makeTarget({ index: 5, direction: -1, gradient_p99: null, morphs: [] });
  const samples = [
    makeSample(),
    makeSample({ index: 1, id: "Größe/☃", label: null, loss: null, probe: true, step: -3, wall_time: 1.5 }),
    makeSample({ index: 2, id: "", label: 0, loss: 0, targets: [], classes: [], probabilities: [] }),
    makeSample({ index: 3, shape: [12, 300], targets: [makeTarget(), makeTarget({ index: 5, stopped: "stalled" })] }),
    makeSample({ index: 4, strengths: [], targets: [makeTarget({ morphs: [] })] }),
    makeSample({ index: 6, id: "x", targets: [unpromising, makeTarget({ morphs: both }), makeTarget({ index: 3 })] }),
    makeSample({ index: 7, shape: [2, 2, 2], bounds: [[-1, -2], [1, 2]], targets: [makeTarget({ morphs: both })] }),
    makeSample({ index: 8, shape: [2, 300], bounds: [[0, 0], [1, 0.5]], id: "after" }),
    makeSample({ index: 9, targets: [makeTarget({ morphs: [makeMorph({ survived: Array(16).fill(true) })] })] }),
    makeSample({ index: 10, targets: [makeTarget(), makeTarget({ morphs: random }), makeTarget({ index: 3 })] }),
    makeSample({ index: 5, margin: NaN, loss: Infinity, probabilities: [NaN, -Infinity, 0], every: 400 }),
  ];
  const { samples: read, dropped } = readBack(...samples);
  assert.deepEqual(read.map((sample, position) => fieldsOf(sample, samples[position])), samples);
  assert.equal(dropped, 0);
});

test("a field that is read twice is the same object, and equal strengths are shared", () => {
  const { samples } = readBack(makeSample(), makeSample({ index: 1 }));
  const [one, other] = samples;
  assert.equal(one.targets, one.targets);
  assert.equal(one.targets[0].probabilities, one.targets[0].probabilities);
  assert.equal(one.strengths, other.strengths);
  assert.equal(one.session, DIGITS);
});

test("the largest count of dropped samples is returned", () => {
  assert.equal(readBack(makeSample(), makeSample({ dropped: 3 }), makeSample({ dropped: 2 })).dropped, 3);
  assert.deepEqual(readBack(), { samples: [], dropped: 0 });
});
