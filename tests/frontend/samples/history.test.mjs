import assert from "node:assert/strict";
import { test } from "node:test";

import { historiesOf } from "../../../frontend/samples/history.js";
import { makeSample } from "../samples.mjs";

const at = (run, id, step, fields = {}) => makeSample({ run, id, step, key: `${run}|${id}|${step}`, ...fields });

test("an id at several steps of one run is one history, earliest step first", () => {
  const samples = [at("a", "x", 200), at("a", "y", 200), at("a", "x", 0), at("a", "x", 100)];
  const [history, ...others] = historiesOf(samples);
  assert.deepEqual(others, []);
  assert.equal(history.id, "x");
  assert.deepEqual(history.samples.map(({ step }) => step), [0, 100, 200]);
});

test("another run's sample of the same name is another history", () => {
  const samples = ["a", "b"].flatMap((run) => [at(run, "x", 0), at(run, "x", 1)]);
  assert.deepEqual(historiesOf(samples).map(({ run }) => run), ["a", "b"]);
});

test("no id is no name: such samples are never joined", () => {
  assert.deepEqual(historiesOf([at("a", null, 0), at("a", null, 1)]), []);
});

test("twice at one step is not yet a history", () => {
  assert.deepEqual(historiesOf([at("a", "x", 5), at("a", "x", 5, { index: 1 })]), []);
});

test("the order of the page is that of the histories", () => {
  const samples = [at("a", "late", 9), at("a", "early", 9), at("a", "early", 0), at("a", "late", 0)];
  assert.deepEqual(historiesOf(samples).map(({ id }) => id), ["late", "early"]);
});

test("names that look like an object's own are names", () => {
  const samples = ["__proto__", "constructor"].flatMap((id) => [at("a", id, 0), at("a", id, 1)]);
  assert.deepEqual(historiesOf(samples).map(({ id }) => id), ["__proto__", "constructor"]);
});
