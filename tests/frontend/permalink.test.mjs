import assert from "node:assert/strict";
import { test } from "node:test";
import { readHash, toLink, withLink, writeHash } from "../../frontend/permalink.js";
import { initialState, tick, withFilters, withRuns } from "../../frontend/state.js";

/** A state in which everything that a link can say differs from what it is by default. */
function chosen() {
  const opened = { selected: "a,b|s.0.1", compared: ["a,b", "c%2Cd"] };
  const state = withFilters(tick(tick(initialState(), "a,b%2C", false), "c", true), { show: "probes" });
  return { ...state, view: "follow", chosenTag: "scan", sort: "margin", chosenZoom: 3, strength: 0.385, ...opened };
}

test("what is chosen comes back from the address", () => {
  const link = readHash(writeHash("#gradascent", toLink(chosen())));
  assert.deepEqual(withLink(initialState(), link), chosen());
});

test("defaults are left out, and a link without a field says its default", () => {
  assert.deepEqual(toLink(initialState()), {});
  assert.deepEqual(withLink(chosen(), {}), initialState());
});

test("what is known stays when a link is followed", () => {
  const known = withRuns(initialState(), [{ run: "a", tags: ["confused"] }]);
  assert.equal(withLink(known, { sort: "margin" }).runs, known.runs);
});

for (const [name, text] of [
  ["view", "nothing"],
  ["sort", "constructor"],
  ["show", ""],
  ["zoom", "7"],
  ["strength", "-1"],
  ["strength", "1e9"],
  ["strength", ""],
  ["strength", "NaN"],
  ["runs", "neither,ticked"],
  ["selected", ""],
  ["compared", "one"],
  ["compared", "one,two,three"],
  ["toString", "x"],
]) {
  test(`${name}=${text} makes no sense and is ignored`, () => {
    assert.deepEqual(withLink(initialState(), { [name]: text }), initialState());
  });
}

test("what is TensorBoard's in the address stays as it is", () => {
  const hash = "#gradascent&regexInput=a%26b&p.gradascent.sort=margin&p.other.x=1";
  assert.deepEqual(readHash(hash), { sort: "margin" });
  assert.equal(
    writeHash(hash, { tag: "a b&c" }),
    "#gradascent&regexInput=a%26b&p.other.x=1&p.gradascent.tag=a%20b%26c",
  );
  assert.equal(writeHash("#gradascent", {}), "#gradascent");
});

test("an address that is no valid escape is read as it stands", () => {
  assert.deepEqual(readHash("#%E0%A4%A&p.gradascent.tag=%&="), { tag: "%" });
});
