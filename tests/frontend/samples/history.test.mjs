import assert from "node:assert/strict";
import { test } from "node:test";

import { historiesOf, sharedSteps, sortedHistories } from "../../../frontend/samples/history.js";
import { makeSample } from "../samples.mjs";

const at = (run, id, step, fields = {}) => makeSample({ run, id, step, key: `${run}|${id}|${step}`, ...fields });

test("the samples of one id and run are one history, the earliest step first", () => {
  const samples = [at("a", "x", 200), at("a", "y", 200), at("a", "x", 0), at("a", "x", 100)];
  const [history, ...others] = historiesOf(samples);
  assert.deepEqual(others, []);
  assert.equal(history.id, "x");
  assert.deepEqual(history.samples.map(({ step }) => step), [0, 100, 200]);
});

test("the same id in another run is another history", () => {
  const samples = ["a", "b"].flatMap((run) => [at(run, "x", 0), at(run, "x", 1)]);
  assert.deepEqual(historiesOf(samples).map(({ run }) => run), ["a", "b"]);
});

test("samples without an id are never joined", () => {
  assert.deepEqual(historiesOf([at("a", null, 0), at("a", null, 1)]), []);
});

test("two samples at one step are not a history", () => {
  assert.deepEqual(historiesOf([at("a", "x", 5), at("a", "x", 5, { index: 1 })]), []);
});

test("histories are in the order of the samples", () => {
  const samples = [at("a", "late", 9), at("a", "early", 9), at("a", "early", 0), at("a", "late", 0)];
  assert.deepEqual(historiesOf(samples).map(({ id }) => id), ["late", "early"]);
});

test("ids such as __proto__ are ordinary ids", () => {
  const samples = ["__proto__", "constructor"].flatMap((id) => [at("a", id, 0), at("a", id, 1)]);
  assert.deepEqual(historiesOf(samples).map(({ id }) => id), ["__proto__", "constructor"]);
});

test("histories are sorted by changes of mind, or those that are still wrong come first", () => {
  const of = (id, ...predictions) => predictions.map((said, step) => at("a", id, step, { classes: [said, 3], label: 5 }));
  const histories = historiesOf([...of("steady", 5, 5, 5), ...of("late", 8, 8, 5), ...of("restless", 8, 5, 8)]);
  assert.deepEqual(histories.map(({ changesOfMind }) => changesOfMind), [0, 1, 2]);
  const ids = (order) => sortedHistories(histories, order).map(({ id }) => id);
  assert.deepEqual(ids("changes"), ["restless", "late", "steady"]);
  assert.deepEqual(ids("wrong")[0], "restless");
  assert.deepEqual(ids("samples"), ["steady", "late", "restless"]);
});

test("histories share one axis of steps", () => {
  const samples = [at("a", "x", 0), at("a", "x", 20), at("b", "x", 10), at("b", "x", 20)];
  assert.deepEqual(sharedSteps(historiesOf(samples)), [0, 10, 20]);
});
