import assert from "node:assert/strict";
import { test } from "node:test";
import { VIEWS, viewName } from "../../../frontend/views/registry.js";

test("a link to a view that does not exist shows the Overview", () => {
  for (const view of ["nothing", "toString", ""]) assert.equal(viewName(view), "overview");
  for (const view of Object.keys(VIEWS)) assert.equal(viewName(view), view);
});

test("every view has a tab, or is within a view that has one", () => {
  for (const { within } of Object.values(VIEWS)) {
    if (within !== undefined) assert.equal(VIEWS[within].within, undefined);
  }
});
