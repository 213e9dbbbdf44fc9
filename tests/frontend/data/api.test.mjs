import assert from "node:assert/strict";
import { test } from "node:test";
import { DAMAGED, READY, readPayloads, readRecords } from "../../../frontend/data/api.js";

test("each payload is found in the answer, and an incomplete answer is an error", () => {
  const answer = Uint8Array.of(0, 0, 0, 0, 2, 0, 0, 0, 7, 9, 2, 0, 0, 0, 0, 0, 0, 0).buffer;
  const [ready, damaged] = readPayloads(answer, 2);
  assert.deepEqual([ready.status, [...ready.bytes]], [READY, [7, 9]]);
  assert.deepEqual([damaged.status, damaged.bytes.length], [DAMAGED, 0]);
  assert.throws(() => readPayloads(answer.slice(0, 9), 1), /incomplete/);
  assert.throws(() => readPayloads(answer, 3), /incomplete/);
});

test("the rows of each range are found in the answer, and an incomplete answer is an error", () => {
  const answer = new Uint8Array([...heads([3, 5, 1, 8]), ...new Uint8Array(8), ...heads([0, 0, 0, 0])]).buffer;
  const [one, other] = readRecords(answer, 2);
  assert.deepEqual(one, { first: 3, end: 5, unreadable: 1, buffer: answer, start: 16, length: 8 });
  assert.deepEqual(other, { first: 0, end: 0, unreadable: 0, buffer: answer, start: 40, length: 0 });
  assert.throws(() => readRecords(answer.slice(0, 20), 1), /incomplete/);
  assert.throws(() => readRecords(answer, 3), /incomplete/);
});

/** @param {number[]} integers */
function heads(integers) {
  return new Uint8Array(Uint32Array.from(integers).buffer);
}
