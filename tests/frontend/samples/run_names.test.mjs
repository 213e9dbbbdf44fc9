import assert from "node:assert/strict";
import { test } from "node:test";
import { inTwo, sharedStart } from "../../../frontend/samples/run_names.js";

test("the shared start of names ends at a separator, and leaves something of each name", () => {
  assert.equal(sharedStart(["exp/2026/baseline", "exp/2026/noise"]), "exp/2026/");
  assert.equal(sharedStart(["mnist_cnn-1", "mnist_cnn-2"]), "mnist_cnn-");
  assert.equal(sharedStart(["base", "baseline"]), "");
  assert.equal(sharedStart(["run/", "run/a"]), "");
  assert.equal(sharedStart(["exp/alone"]), "");
  assert.equal(sharedStart([]), "");
});

test("a long name has two pieces, which together are the name", () => {
  for (const name of ["", "short", "a-name-of-more-than-sixteen-letters", "🙂".repeat(20)]) {
    assert.equal(inTwo(name).join(""), name);
  }
  assert.deepEqual(inTwo("short"), ["short", ""]);
  assert.equal([...inTwo("a-name-of-more-than-sixteen-letters")[1]].length, 8);
});
