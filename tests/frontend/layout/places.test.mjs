import assert from "node:assert/strict";
import { test } from "node:test";

import { equalRows, rowsFrom } from "../../../frontend/layout/places.js";

const KINDS = { "rows of one height": equalRows(5, 20, 300), "rows of any heights": rowsFrom([0, 20, 40, 60, 80, 100], 300) };

for (const [kind, places] of Object.entries(KINDS)) {
  test(`${kind}: those between two heights overlap with them`, () => {
    assert.deepEqual(places.between(20, 60), { first: 1, end: 3 });
    assert.deepEqual(places.between(19, 61), { first: 0, end: 4 });
    assert.deepEqual(places.between(-500, 1e9), { first: 0, end: 5 });
    assert.deepEqual(places.between(1e9, 2e9), { first: 5, end: 5 });
    assert.deepEqual(places.between(-50, -10), { first: 0, end: 0 });
  });

  test(`${kind}: each begins where the one before ends, and the last one ends the list`, () => {
    for (let row = 0; row < 5; row++) assert.deepEqual(places.boxOf(row), { top: 20 * row, height: 20 });
    assert.deepEqual(places.size, { width: 300, height: 100 });
  });
}

test("rows can have different heights, and an empty list has none", () => {
  const places = rowsFrom([0, 10, 200], 300);
  assert.deepEqual(places.boxOf(1), { top: 10, height: 190 });
  assert.deepEqual(places.between(100, 150), { first: 1, end: 2 });
  assert.deepEqual(rowsFrom([0], 300).between(0, 50), { first: 0, end: 0 });
  assert.deepEqual(equalRows(0, 20).between(0, 50), { first: 0, end: 0 });
});
