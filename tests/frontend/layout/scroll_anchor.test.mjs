import assert from "node:assert/strict";
import { test } from "node:test";
import { stricterMode } from "../../../frontend/layout/scroll_anchor.js";

test("the stricter mode of two changes decides", () => {
  assert.equal(stricterMode("always", "always"), "always");
  assert.equal(stricterMode("visible", "always"), "visible");
  assert.equal(stricterMode("visible", "never"), "never");
  assert.equal(stricterMode("never", "always"), "never");
});
