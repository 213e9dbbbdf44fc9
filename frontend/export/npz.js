/**
 * Samples with their arrays as an `.npz` file, which `numpy.load` reads. Pure.
 *
 * For N samples that have M targets together, the file holds:
 *
 * ```
 *
 *     image                   (N, …) float32, in model units
 *     run, tag, id            (N,) text; "" if there is no id
 *     step, index, label, prediction   (N,) int64; -1 if there is no label
 *     wall_time, margin, entropy       (N,) float64
 *     probe, has_id           (N,) bool
 *     target_sample           (M,) int64: the position of the target's sample among the N
 *     target                  (M,) int64: the target's class
 *     gradient, delta         (M, …) float32; delta is NaN if no ascent was made
 *     strengths, target_probabilities, original_probabilities   (M, A) float64, padded with NaN
 *     predictions             (M, A) int64, padded with -1
 * ```
 *
 * If the samples have several shapes, there is one such group for each shape. The names then start with the shape,
 * for example `1x28x28/image`.
 */

import { elementsIn, splitArrays } from "../samples/sample_arrays.js";
import { boolNpy, float32Npy, float64Npy, int64Npy, textNpy } from "./npy.js";
import { zipOf } from "./zip.js";

/** @import {Npy} from "./npy.js" */
/** @import {Sample, Target} from "../types.js" */

/** @typedef {{sample: Sample, arrays: Float32Array<ArrayBuffer>[]}} Loaded arrays in the stored order */

/**
 * @param {Loaded[]} loaded
 * @returns {Uint8Array<ArrayBuffer>[]} the file, in pieces
 */
export function npzOf(loaded) {
  /** @type {Map<string, Loaded[]>} */
  const shapes = new Map();
  for (const one of loaded) {
    const shape = one.sample.shape.join("x");
    const same = shapes.get(shape);
    if (same) same.push(one);
    else shapes.set(shape, [one]);
  }
  const entries = [...shapes].flatMap(([shape, same]) =>
    Object.entries(groupOf(same)).map(([name, parts]) => ({
      name: `${shapes.size > 1 ? `${shape}/` : ""}${name}.npy`,
      parts,
    })),
  );
  return zipOf(entries);
}

/**
 * The size of a sample's arrays in the file, in bytes.
 * @param {Sample} sample
 */
export function bytesOf({ shape, targets }) {
  return 4 * elementsIn(shape) * (1 + 2 * targets.length);
}

/**
 * @param {Loaded[]} loaded samples of one shape
 * @returns {Record<string, Npy>}
 */
function groupOf(loaded) {
  const samples = loaded.map(({ sample }) => sample);
  const { shape } = samples[0];
  const targets = loaded.flatMap(targetsOf);
  const positions = new Map(samples.map((sample, position) => [sample, position]));
  const most = samples.reduce((longest, { strengths }) => Math.max(longest, strengths.length), 0);
  /** @param {(sample: Sample) => number} value */
  const integers = (value) => int64Npy([samples.length], samples.map(value));
  /** @param {(sample: Sample) => number} value */
  const floats = (value) => float64Npy([samples.length], samples.map(value));
  /** @param {(row: Row) => number[]} values @param {number} fill */
  const table = (values, fill) =>
    targets.flatMap((row) => {
      const known = row.target.delta_norm === null ? [] : values(row);
      return [...known, ...Array(most - known.length).fill(fill)];
    });
  const sides = [targets.length, most];
  return {
    image: float32Npy([loaded.length, ...shape], loaded.map(({ arrays }) => arrays[0])),
    run: textNpy(samples.map(({ run }) => run)),
    tag: textNpy(samples.map(({ tag }) => tag)),
    id: textNpy(samples.map(({ id }) => id ?? "")),
    has_id: boolNpy(samples.map(({ id }) => id !== null)),
    probe: boolNpy(samples.map(({ probe }) => probe)),
    step: integers(({ step }) => step),
    index: integers(({ index }) => index),
    label: integers(({ label }) => label ?? -1),
    prediction: integers(({ classes }) => classes[0] ?? -1),
    wall_time: floats(({ wall_time }) => wall_time),
    margin: floats(({ margin }) => margin),
    entropy: floats(({ entropy }) => entropy),
    target_sample: int64Npy([targets.length], targets.map(({ sample }) => positions.get(sample) ?? -1)),
    target: int64Npy([targets.length], targets.map(({ target }) => target.index)),
    gradient: float32Npy([targets.length, ...shape], targets.map(({ gradient }) => gradient)),
    delta: float32Npy([targets.length, ...shape], targets.map(({ delta }) => delta)),
    strengths: float64Npy(sides, table(({ sample }) => sample.strengths, NaN)),
    target_probabilities: float64Npy(sides, table(({ target }) => target.probabilities, NaN)),
    original_probabilities: float64Npy(sides, table(({ target }) => target.original_probabilities, NaN)),
    predictions: int64Npy(sides, table(({ target }) => target.predictions, -1)),
  };
}

/**
 * @typedef {object} Row
 * @property {Sample} sample
 * @property {Target} target
 * @property {Float32Array<ArrayBuffer>} gradient
 * @property {Float32Array<ArrayBuffer>} delta
 */

/**
 * @param {Loaded} loaded
 * @returns {Row[]}
 */
function targetsOf({ sample, arrays }) {
  return splitArrays(sample, arrays).targets.map(({ gradient, delta }, position) => ({
    sample,
    target: sample.targets[position],
    gradient,
    delta: delta ?? new Float32Array(gradient.length).fill(NaN),
  }));
}
