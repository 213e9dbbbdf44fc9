import assert from "node:assert/strict";
import test from "node:test";

import { Yielder } from "../../../frontend/data/yielding.js";

/** A yielder, and what works for so many milliseconds of its clock. */
function make() {
  let now = 0;
  return { yielder: new Yielder(() => now), work: (milliseconds) => (now += milliseconds) };
}

test("turns come in the order of the calls", async () => {
  const { yielder, work } = make();
  const seen = [];
  const piece = async (name) => {
    await yielder.turn();
    seen.push(name);
    work(4);
  };
  await Promise.all([..."abcdef"].map(piece));
  assert.deepEqual(seen, [..."abcdef"]);
});

test("other work runs between two pieces of long work", async () => {
  const { yielder, work } = make();
  const seen = [];
  const piece = async () => {
    await yielder.turn();
    seen.push("piece");
    setImmediate(() => seen.push("due"));
    work(20);
  };
  await Promise.all([piece(), piece(), piece()]);
  assert.deepEqual(seen.slice(0, 5), ["piece", "due", "piece", "due", "piece"]);
});

test("short pieces wait only for their turn", async () => {
  const { yielder, work } = make();
  await yielder.turn();
  let due = false;
  setImmediate(() => (due = true));
  work(2);
  await yielder.turn();
  work(2);
  await yielder.turn();
  assert.equal(due, false);
});

test("a caller can ask for a longer slice", async () => {
  const { yielder, work } = make();
  const seen = [];
  const piece = async (slice) => {
    await yielder.turn(slice);
    seen.push("piece");
    setImmediate(() => seen.push("due"));
    work(20);
  };
  await Promise.all([piece(40), piece(40), piece(40), piece()]);
  assert.deepEqual(seen.slice(0, 4), ["piece", "piece", "due", "due"]);
});
