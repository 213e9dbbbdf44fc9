import assert from "node:assert/strict";
import { test } from "node:test";
import { bothStay } from "../../../frontend/layout/scroll_anchor.js";

test("the stricter mode of two changes decides", () => {
  assert.equal(bothStay("always", "always"), "always");
  assert.equal(bothStay("visible", "always"), "visible");
  assert.equal(bothStay("visible", "never"), "never");
  assert.equal(bothStay("never", "always"), "never");
});
