import assert from "node:assert/strict";
import test from "node:test";

import { Pacer } from "../../../frontend/data/yielding.js";

/** A pacer, and what works for so many milliseconds of its clock. */
function make() {
  let now = 0;
  return { pacer: new Pacer(() => now), work: (milliseconds) => (now += milliseconds) };
}

test("turns come in the order of the calls", async () => {
  const { pacer, work } = make();
  const seen = [];
  const piece = async (name) => {
    await pacer.turn();
    seen.push(name);
    work(4);
  };
  await Promise.all([..."abcdef"].map(piece));
  assert.deepEqual(seen, [..."abcdef"]);
});

test("other work runs between two pieces of long work", async () => {
  const { pacer, work } = make();
  const seen = [];
  const piece = async () => {
    await pacer.turn();
    seen.push("piece");
    setImmediate(() => seen.push("due"));
    work(20);
  };
  await Promise.all([piece(), piece(), piece()]);
  assert.deepEqual(seen.slice(0, 5), ["piece", "due", "piece", "due", "piece"]);
});

test("short pieces wait only for their turn", async () => {
  const { pacer, work } = make();
  await pacer.turn();
  let due = false;
  setImmediate(() => (due = true));
  work(2);
  await pacer.turn();
  work(2);
  await pacer.turn();
  assert.equal(due, false);
});
