import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST_CLASSES, cellFilters, chosenCell, confusionMatrix, noCellFilters } from "../../../frontend/samples/confusion_matrix.js";
import { NO_FILTERS, failedFiltersOf } from "../../../frontend/samples/filters.js";
import { makeSample } from "../samples.mjs";

function samplesOf(...triples) {
  return triples.map(([label, ...classes]) => makeSample({ label, classes }));
}

function matrixOf(samples, axes, filters = {}, most = MOST_CLASSES) {
  return confusionMatrix(samples, failedFiltersOf(samples, { ...NO_FILTERS, ...filters }), axes, most);
}

/** What a cell counts, by the classes of its row and column. */
function countAt({ classes, counts }, row, column) {
  return counts[classes.indexOf(row) * classes.length + classes.indexOf(column)];
}

const FIVES = samplesOf([5, 5, 8], [5, 8, 5], [5, 8, 3], [3, 3, 5], [null, 8, 5], [5, 8]);

test("rows are labels and columns are predictions; a sample without a label is not counted", () => {
  const matrix = matrixOf(FIVES, "labels");
  assert.deepEqual(matrix.classes, [3, 5, 8]);
  assert.deepEqual([...matrix.counts], [1, 0, 0, 0, 1, 3, 0, 0, 0]);
  assert.deepEqual([matrix.largest, matrix.allClasses], [3, 3]);
});

test("rows are most probable classes and columns the second; a sample without a second class is not counted", () => {
  const matrix = matrixOf(FIVES, "guesses");
  assert.deepEqual(matrix.classes, [3, 5, 8]);
  assert.deepEqual([...matrix.counts], [0, 1, 0, 0, 0, 1, 1, 2, 0]);
});

test("the matrix ignores its own filters, but no other", () => {
  const whole = matrixOf(FIVES, "labels");
  assert.deepEqual(matrixOf(FIVES, "labels", cellFilters("labels", 5, 8)), whole);
  assert.equal(countAt(matrixOf(FIVES, "labels", { pair: [3, 8] }), 5, 8), 1);
  assert.deepEqual(matrixOf(FIVES, "guesses", cellFilters("guesses", 8, 5)), matrixOf(FIVES, "guesses"));
  assert.equal(countAt(matrixOf(FIVES, "guesses", { label: 5 }), 8, 5), 1);
});

test("the classes stay while the steps change", () => {
  const samples = [makeSample({ step: 1, label: 5, classes: [8] }), makeSample({ step: 2, label: 3, classes: [3] })];
  const at = (steps) => matrixOf(samples, "labels", { steps });
  assert.deepEqual(at(null).classes, [3, 5, 8]);
  assert.deepEqual(at({ at: 2 }).classes, [3, 5, 8]);
  assert.equal(countAt(at({ at: 2 }), 5, 8), 0);
  assert.equal(countAt(at({ at: 2 }), 3, 3), 1);
});

test("a probe that was captured at many steps is counted once, as it was last", () => {
  const probe = (step, said, run = "a") => makeSample({ step, run, id: "p", label: 5, classes: [said, 3] });
  const matrix = matrixOf([probe(1, 8), probe(3, 5), probe(2, 8), probe(1, 8, "b")], "labels");
  assert.equal(countAt(matrix, 5, 5), 1);
  assert.equal(countAt(matrix, 5, 8), 1);
});

test("the filters of a cell select as many samples as it counts", () => {
  for (const axes of ["labels", "guesses"]) {
    const matrix = matrixOf(FIVES, axes);
    for (const row of matrix.classes) {
      for (const column of matrix.classes) {
        if (axes === "guesses" && row === column) continue;
        const filters = { ...NO_FILTERS, ...cellFilters(axes, row, column) };
        const left = failedFiltersOf(FIVES, filters).filter((missed) => missed === 0).length;
        assert.equal(left, countAt(matrix, row, column), `${axes} ${row} ${column}`);
        assert.deepEqual(chosenCell(axes, filters), { row, column });
        assert.deepEqual({ ...filters, ...noCellFilters(axes) }, NO_FILTERS);
      }
    }
  }
});

test("filters that are not those of a cell choose none", () => {
  assert.equal(chosenCell("labels", { ...NO_FILTERS, label: 5 }), null);
  assert.equal(chosenCell("labels", { ...NO_FILTERS, prediction: 5 }), null);
  assert.equal(chosenCell("guesses", { ...NO_FILTERS, pair: [5, 8] }), null);
  assert.equal(chosenCell("guesses", { ...NO_FILTERS, prediction: 3, pair: [5, 8] }), null);
});

test("of a thousand classes the most confused ones are kept, in their order", () => {
  const right = Array.from({ length: 1000 }, (_, index) => [index, index, (index + 1) % 1000]);
  const wrong = [[900, 7, 900], [900, 7, 900], [42, 900, 7], [3, 500, 3]];
  const matrix = matrixOf(samplesOf(...right, ...wrong), "labels", {}, 4);
  // 900: 3, 7: 2, 42: 1, and of 3 and 500, 1 each, the lower.
  assert.deepEqual(matrix.classes, [3, 7, 42, 900]);
  assert.equal(matrix.allClasses, 1000);
  assert.equal(countAt(matrix, 900, 7), 2);
  assert.equal(countAt(matrix, 42, 900), 1);
  assert.equal(countAt(matrix, 900, 900), 1);
});

for (const classes of [2, 10, 100]) {
  test(`with ${classes} classes all samples are counted, up to the limit`, () => {
    const samples = samplesOf(...Array.from({ length: classes }, (_, index) => [index, (index + 1) % classes, index]));
    const matrix = matrixOf(samples, "labels");
    const listed = Math.min(classes, MOST_CLASSES);
    assert.equal(matrix.classes.length, listed);
    assert.equal(matrix.allClasses, classes);
    const inside = samples.filter(({ label, classes: [first] }) => label < listed && first < listed).length;
    assert.equal(matrix.counts.reduce((sum, count) => sum + count), inside);
  });
}

test("a label that is not a class has its own row", () => {
  const matrix = matrixOf(samplesOf([-1, 3, 5], [-(2 ** 63), 3, 5], [2 ** 40 + 1, 8, 5], [2 ** 63, 8, 5]), "labels");
  assert.deepEqual(matrix.classes, [-(2 ** 63), -1, 3, 8, 2 ** 40 + 1, 2 ** 63]);
  assert.equal(countAt(matrix, -1, 3), 1);
  assert.equal(countAt(matrix, 2 ** 40 + 1, 8), 1);
  assert.equal(countAt(matrix, 2 ** 63, 8), 1);
});

test("without samples the matrix is empty", () => {
  const matrix = matrixOf([], "labels");
  assert.deepEqual([matrix.classes, matrix.counts.length, matrix.largest], [[], 0, 0]);
});
