import assert from "node:assert/strict";
import { test } from "node:test";
import { readHash, readRunFilter, toLink, withLink, writeHash } from "../../../frontend/host/permalink.js";
import { initialState } from "../../../frontend/state/state.js";
import { tick, tickOthers, withFilters, withRuns } from "../../../frontend/state/transitions.js";

/** A state whose every field that a link can contain differs from its default. */
function chosen() {
  const opened = { selected: "a,b|s.0.1", compared: ["a,b", "c%2Cd"], change: "broke", historyOrder: "wrong", review: "ambiguous", frames: "morph", runFilter: "a|c", chosenAxes: "guesses" };
  const state = withFilters(tick(tick(tickOthers(initialState(), "all"), "a,b%2C", false), "c", true), {
    show: "probes",
    captures: "all",
    steps: { from: null, to: 500 },
    pair: [5, 0],
    prediction: 0,
    label: 8,
    outcome: "wrong",
    flip: { from: 0.25, to: null },
    rank: 0,
    id: "a=b&c 50%",
  });
  const gradientColors = { map: "PuOr", scale: "common", style: "overlay" };
  const concluded = { overviewSteps: { from: 5, to: null }, openPair: [4, 9], pairOrder: "wrong", pairSearch: "4, 9", examples: "change" };
  const seen = { ...concluded, view: "follow", chosenTag: "scan", sort: "margin", chosenZoom: 3, gradientColors, allTargets: true, target: 0, strength: 0.385, atFlip: true, chosenMorph: "visible" };
  const strengthOverrides = new Map([["a,b|s.0.1", 0.25], ["c|s@t.0.2", 0]]);
  const targetChoices = new Map([["a,b|s.0.1", "more"], ["c|s.0.2", 7]]);
  return { ...state, ...opened, ...seen, strengthOverrides, targetChoices };
}

test("the user's choices come back from the address", () => {
  const link = readHash(writeHash("#gradascent", toLink(chosen())));
  assert.deepEqual(withLink(initialState(), link), chosen());
});

test("every choice of the user and every filter is in the link", () => {
  // Which notices were dismissed, and the review, are not part of a link.
  const { runs, recordVersion, runOrder, indexes, dismissed, reviews, filters, ...own } = chosen();
  const initial = initialState();
  for (const field of Object.keys(own)) assert.notDeepEqual(own[field], initial[field], field);
  for (const name of Object.keys(filters)) assert.notDeepEqual(filters[name], initial.filters[name], name);
});

test("a step differs from a range of steps", () => {
  for (const steps of [{ at: 0 }, { at: 300 }, { at: -300 }, { at: 2 ** 63 }, { from: 0, to: 300 }, { from: 300, to: null }]) {
    const state = withFilters(initialState(), { steps });
    assert.deepEqual(withLink(initialState(), toLink(state)), state);
  }
});

test("a label can be any whole number of a record", () => {
  for (const label of [-1, 0, 255, 2 ** 63, -(2 ** 63)]) {
    const state = withFilters(initialState(), { label });
    assert.deepEqual(withLink(initialState(), toLink(state)), state);
  }
});

test("defaults are left out, and a missing field means its default", () => {
  assert.deepEqual(toLink(initialState()), {});
  assert.deepEqual(withLink(chosen(), {}), initialState());
});

test("loaded data stays when a link is followed", () => {
  const known = withRuns(initialState(), [{ run: "a", tags: ["confused"], empty_tags: [] }]);
  assert.equal(withLink(known, { sort: "margin" }).runs, known.runs);
});

for (const [name, text] of [
  ["view", "../samples"],
  ["view", ""],
  ["sort", "constructor"],
  ["show", ""],
  ["zoom", "7"],
  ["colours", "jet"],
  ["gradient", "constructor"],
  ["scale", ""],
  ["target", "-1"],
  ["target", "five"],
  ["strength", "-1"],
  ["strength", "1e9"],
  ["strength", ""],
  ["strength", "NaN"],
  ["runs", "neither,ticked"],
  ["selected", ""],
  ["frames", "all"],
  ["at", "once"],
  ["morph", ""],
  ["morph", "m".repeat(65)],
  ["compared", "one"],
  ["compared", "one,two,three"],
  ["steps", "-5.5"],
  ["steps", "12345678901234567890"],
  ["steps", ".."],
  ["steps", "a..b"],
  ["steps", "1..2..3"],
  ["pair", "5"],
  ["pair", "5-8-3"],
  ["pair", "5-x"],
  ["label", "5.5"],
  ["label", "--5"],
  ["label", "-"],
  ["prediction", "-1"],
  ["rank", "-1"],
  ["outcome", "toString"],
  ["flip", "Infinity.."],
  ["matrix", "valueOf"],
  ["range", "1..2..3"],
  ["between", "5-8-3"],
  ["pairs", "constructor"],
  ["examples", "gradient"],
  ["captures", "first"],
  ["histories", "valueOf"],
  ["change", "toString"],
  ["targets", "none"],
  ["own", "-1@a"],
  ["own", "0.5"],
  ["own", "@a"],
  ["cards", "five@a"],
  ["toString", "x"],
]) {
  test(`${name}=${text} is not valid and is ignored`, () => {
    assert.deepEqual(withLink(initialState(), { view: "overview", [name]: text }), {
      ...initialState(),
      ...(name === "view" && { view: "samples" }),
    });
  });
}

test("a link without a view, made before there was an Overview, opens Samples; a fresh address opens the Overview", () => {
  assert.equal(withLink(initialState(), { sort: "margin" }).view, "samples");
  assert.equal(withLink(initialState(), {}).view, "overview");
});

test("the link of the Overview names its view as soon as anything else is chosen", () => {
  const state = withFilters(initialState(), { id: "a" });
  assert.deepEqual(toLink(state), { view: "overview", id: "a" });
  assert.deepEqual(withLink(initialState(), toLink(state)), state);
});

test("TensorBoard's own fields in the address stay unchanged", () => {
  const hash = "#gradascent&regexInput=a%26b&p.gradascent.sort=margin&p.other.x=1";
  assert.deepEqual(readHash(hash), { sort: "margin" });
  assert.equal(
    writeHash(hash, { tag: "a b&c" }),
    "#gradascent&regexInput=a%26b&p.other.x=1&p.gradascent.tag=a%20b%26c",
  );
  assert.equal(writeHash("#gradascent", {}), "#gradascent");
});

test("the run filter is read from TensorBoard's field", () => {
  assert.equal(readRunFilter("#gradascent&regexInput=a%7Cb&p.gradascent.sort=margin"), "a|b");
  assert.equal(readRunFilter("#gradascent&p.gradascent.regexInput=a"), "");
  assert.equal(readRunFilter(""), "");
});

test("an address with an invalid escape is read literally", () => {
  assert.deepEqual(readHash("#%E0%A4%A&p.gradascent.tag=%&="), { tag: "%" });
});
