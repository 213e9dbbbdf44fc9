import assert from "node:assert/strict";
import { test } from "node:test";
import { hasTarget, chipsOf, rowsOf, targetCounts } from "../../../frontend/samples/target_choice.js";
import { makeSample, makeTarget } from "../samples.mjs";

function asked(...indices) {
  return makeSample({ classes: [5, 8, 3], targets: indices.map((index) => makeTarget({ index })) });
}

test("few targets are all shown, in the recorded order", () => {
  assert.deepEqual(rowsOf(asked(8, 5), "all"), [0, 1]);
  assert.deepEqual(rowsOf(asked(), "all"), []);
  assert.deepEqual(chipsOf(asked(8, 5)), { positions: [0, 1], others: 0 });
  assert.deepEqual(chipsOf(asked(8)), { positions: [], others: 0 });
});

const ALL = asked(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);

test("of many targets the most probable are shown first, and more on demand", () => {
  assert.deepEqual(rowsOf(ALL, "all"), [5, 8, 3]);
  assert.deepEqual(rowsOf(ALL, "all", "more"), [5, 8, 3, 0, 1, 2, 4, 6, 7, 9]);
  assert.deepEqual(chipsOf(ALL), { positions: [5, 8, 3, 0, 1], others: 5 });
  assert.deepEqual(chipsOf(ALL, "more").others, 0);
  const thousand = asked(...Array(1000).keys());
  assert.equal(rowsOf(thousand, "all", "more").length, 10);
  assert.equal(chipsOf(thousand, "more").positions.length, 1000);
});

test("only targets that change the answer are shown, unless none does", () => {
  assert.deepEqual(rowsOf(asked(5, 8), "changing"), [1]);
  assert.deepEqual(rowsOf(asked(5), "changing"), [0]);
  assert.deepEqual(rowsOf(asked(5, 8), "changing", 5), [0]);
  assert.deepEqual(rowsOf(asked(5, 8), "changing", "more"), [0, 1]);
});

test("a target that is chosen for all cards is shown alone, if the sample has it", () => {
  assert.deepEqual(rowsOf(ALL, 9), [9]);
  assert.deepEqual(rowsOf(asked(8, 5), 9), [0, 1]);
});

test("a card can show another target, which then has a chip", () => {
  assert.deepEqual(rowsOf(ALL, 9, 2), [2]);
  assert.deepEqual(rowsOf(ALL, 9, "more").length, 10);
  assert.deepEqual(chipsOf(ALL, 9), { positions: [5, 8, 3, 0, 9], others: 5 });
});

test("samples are counted by their targets", () => {
  const samples = [asked(8, 5), asked(8, 3), asked()];
  assert.deepEqual(targetCounts(samples), [[3, 1], [5, 1], [8, 2]]);
  assert.deepEqual(samples.map(hasTarget(8)), [true, true, false]);
  assert.deepEqual(samples.map(hasTarget(null)), [true, true, true]);
});
