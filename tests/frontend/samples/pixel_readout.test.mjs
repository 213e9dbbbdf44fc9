import assert from "node:assert/strict";
import { test } from "node:test";

import { readoutAt } from "../../../frontend/samples/pixel_readout.js";
import { DIGITS, makeMorph, makeSample, makeTarget } from "../samples.mjs";

const UNBOUNDED = { ...DIGITS, bounds: null };

/** The first morph of each target, at one strength. */
const at = (strength, ...morphs) => (morphs.length ? morphs : [0]).map((morph) => ({ morph, strength }));

const image = Float32Array.of(1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60);
const gradient = image.map((value) => value / 4);
const delta = image.map((value) => value / 2);

test("the readout has the values of a pixel, channel by channel, in both units", () => {
  const session = { ...UNBOUNDED, mean: [1, 2], std: [0.5, 0.25] };
  const sample = makeSample({ shape: [2, 2, 3], session });
  const { image: values, targets } = readoutAt(sample, [image, gradient, delta], 1, 1, at(0.5));
  assert.deepEqual(values, { model: [5, 50], display: [3.5, 14.5] });
  assert.deepEqual(targets, [
    {
      target: 8,
      gradient: { model: [1.25, 12.5], display: [2.5, 50] },
      delta: { model: [2.5, 25], display: [1.25, 6.25] },
      morph: { model: [6.25, 62.5], display: [4.125, 17.625] },
    },
  ]);
});

test("without mean and std there are only model units", () => {
  const sample = makeSample({ shape: [2, 2, 3], session: UNBOUNDED });
  const { image: values, targets } = readoutAt(sample, [image, gradient, delta], 0, 0, at(1));
  assert.deepEqual(values, { model: [1, 10], display: null });
  assert.deepEqual(targets[0].morph, { model: [1.5, 15], display: null });
});

test("a target without a morph has only one array", () => {
  const targets = [makeTarget({ index: 3, morphs: [] }), makeTarget()];
  const sample = makeSample({ shape: [1, 2, 3], session: UNBOUNDED, targets });
  const arrays = [image.subarray(0, 6), Float32Array.of(0, 0, 0, 0, 0, 7), gradient.subarray(0, 6), delta.subarray(0, 6)];
  const [first, second] = readoutAt(sample, arrays, 2, 1, at(1, -1, 0)).targets;
  assert.deepEqual([first.gradient.model, first.delta, first.morph], [[7], null, null]);
  assert.deepEqual([second.gradient.model, second.delta?.model, second.morph?.model], [[1.5], [3], [9]]);
});

test("a signal has one row", () => {
  const sample = makeSample({ shape: [2, 6] });
  assert.deepEqual(readoutAt(sample, [image, gradient, delta], 3, 0, at(0)).image.model, [4, 40]);
});

test("the readout is about the morph that is shown", () => {
  const morphs = [makeMorph(), makeMorph({ name: "visible" })];
  const sample = makeSample({ shape: [2, 2, 3], targets: [makeTarget({ morphs })] });
  const arrays = [image, gradient, delta, image];
  const [first, second] = [0, 1].map((morph) => readoutAt(sample, arrays, 0, 0, at(1, morph)).targets[0]);
  assert.deepEqual([first.delta?.model, second.delta?.model], [[0.5, 5], [1, 10]]);
});

test("the morph is clipped to the sample's bounds, as it was when the network was asked", () => {
  const session = { ...UNBOUNDED, mean: [1, 2], std: [0.5, 0.25] };
  const morphOf = (fields, strength) =>
    readoutAt(makeSample({ shape: [2, 2, 3], ...fields }), [image, gradient, delta], 1, 1, at(strength)).targets[0].morph;
  const bounds = [[0, 0], [7, 80]];
  assert.deepEqual(morphOf({ bounds, session }, 1), { model: [7, 75], display: [4.5, 20.75] });
  assert.deepEqual(morphOf({ bounds, session }, 1.25)?.model, [7, 80]);
  assert.deepEqual(morphOf({ session: { ...session, bounds } }, 1.25)?.model, [7, 80]);
});
