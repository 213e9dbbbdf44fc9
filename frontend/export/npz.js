/**
 * Samples with their arrays as an `.npz` file, which `numpy.load` reads. Pure.
 *
 * For N samples that have M targets and K morphs together, the file holds:
 *
 * ```
 *
 *     image                   (N, …) float32, in model units
 *     bounds                  (N, 2, channels) float64: the lowest and highest values that its morphs keep to, or infinity
 *     run, tag, id            (N,) text; "" if there is no id
 *     step, index, label, prediction   (N,) int64; -1 if there is no label
 *     wall_time, margin, entropy       (N,) float64
 *     probe, has_id           (N,) bool
 *     target_sample           (M,) int64: the position of the target's sample among the N
 *     target                  (M,) int64: the target's class
 *     gradient, delta         (M, …) float32; delta is the smallest morph's, NaN if no ascent was made
 *     strengths, target_probabilities, original_probabilities   (M, A) float64, padded with NaN
 *     predictions             (M, A) int64, padded with -1; like the three before, of the smallest morph
 *     morph_target            (K,) int64: the position of the morph's target among the M
 *     morph                   (K,) text: its name
 *     morph_delta             (K, …) float32
 *     morph_target_probabilities, morph_original_probabilities  (K, A) float64, padded with NaN
 *     morph_predictions       (K, A) int64, padded with -1
 *     morph_survived          (K, B) int64: 1 or 0 for each small change of the finished morph, padded with -1
 *     judge_morph             (L,) int64: the position of the judge's morph among the K
 *     judge                   (L,) text: its name
 *     judge_target_probabilities, judge_original_probabilities  (L, A) float64, padded with NaN
 *     judge_predictions       (L, A) int64, padded with -1
 * ```
 *
 * At strength s the network was asked about image + s · delta, clipped to the bounds.
 *
 * If the samples have several shapes, there is one such group for each shape. The names then start with the shape,
 * for example `1x28x28/image`.
 */

import { legalValues } from "../samples/legal_values.js";
import { elementsIn, splitArrays } from "../samples/sample_arrays.js";
import { smallest } from "../samples/morphs.js";
import { boolNpy, float32Npy, float64Npy, int64Npy, textNpy } from "./npy.js";
import { zipOf } from "./zip.js";

/** @import {Npy} from "./npy.js" */
/** @import {Response, Sample, Target} from "../types.js" */

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
  return 4 * elementsIn(shape) * targets.reduce((arrays, { morphs }) => arrays + 2 + morphs.length, 1);
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
  const morphs = targets.flatMap(({ sample, target, deltas }, position) =>
    target.morphs.map((morph, at) => ({ sample, position, morph, delta: deltas[at] })),
  );
  const judged = morphs.flatMap(({ morph }, position) => morph.judges.map((judge) => ({ position, judge })));
  /** @param {number[][]} rows @param {number} width @param {number} fill */
  const padded = (rows, width, fill) => rows.flatMap((row) => [...row, ...Array(width - row.length).fill(fill)]);
  /** @param {(Response | null)[]} responses @param {"probabilities" | "original_probabilities"} name */
  const chances = (responses, name) => {
    const rows = responses.map((response) => response?.[name] ?? []);
    return float64Npy([rows.length, most], padded(rows, most, NaN));
  };
  /** @param {(Response | null)[]} responses */
  const predictions = (responses) => {
    const rows = responses.map((response) => response?.predictions ?? []);
    return int64Npy([rows.length, most], padded(rows, most, -1));
  };
  const ofTargets = targets.map(({ target }) => smallest(target));
  const ofMorphs = morphs.map(({ morph }) => morph);
  const ofJudges = judged.map(({ judge }) => judge);
  const strengths = targets.map(({ sample, target }) => (target.morphs.length ? sample.strengths : []));
  const checks = ofMorphs.reduce((longest, { survived }) => Math.max(longest, survived.length), 0);
  return {
    image: float32Npy([loaded.length, ...shape], loaded.map(({ arrays }) => arrays[0])),
    bounds: float64Npy([samples.length, 2, shape[0]], samples.flatMap(boundsOf)),
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
    delta: float32Npy([targets.length, ...shape], targets.map(smallestDelta)),
    strengths: float64Npy([targets.length, most], padded(strengths, most, NaN)),
    target_probabilities: chances(ofTargets, "probabilities"),
    original_probabilities: chances(ofTargets, "original_probabilities"),
    predictions: predictions(ofTargets),
    morph_target: int64Npy([morphs.length], morphs.map(({ position }) => position)),
    morph: textNpy(ofMorphs.map(({ name }) => name)),
    morph_delta: float32Npy([morphs.length, ...shape], morphs.map(({ delta }) => delta)),
    morph_target_probabilities: chances(ofMorphs, "probabilities"),
    morph_original_probabilities: chances(ofMorphs, "original_probabilities"),
    morph_predictions: predictions(ofMorphs),
    morph_survived: int64Npy(
      [morphs.length, checks],
      padded(ofMorphs.map(({ survived }) => survived.map(Number)), checks, -1),
    ),
    judge_morph: int64Npy([judged.length], judged.map(({ position }) => position)),
    judge: textNpy(ofJudges.map(({ name }) => name)),
    judge_target_probabilities: chances(ofJudges, "probabilities"),
    judge_original_probabilities: chances(ofJudges, "original_probabilities"),
    judge_predictions: predictions(ofJudges),
  };
}

/**
 * The lowest value of each channel, and then the highest.
 * @param {Sample} sample
 */
function boundsOf(sample) {
  const legal = legalValues(sample);
  return [...legal.map(([low]) => low), ...legal.map(([, high]) => high)];
}

/**
 * The delta of the smallest morph; NaN if no ascent was made.
 * @param {Row} row
 */
function smallestDelta({ target, gradient, deltas }) {
  const morph = smallest(target);
  return morph ? deltas[target.morphs.indexOf(morph)] : new Float32Array(gradient.length).fill(NaN);
}

/**
 * @typedef {object} Row
 * @property {Sample} sample
 * @property {Target} target
 * @property {Float32Array<ArrayBuffer>} gradient
 * @property {Float32Array<ArrayBuffer>[]} deltas
 */

/**
 * @param {Loaded} loaded
 * @returns {Row[]}
 */
function targetsOf({ sample, arrays }) {
  return splitArrays(sample, arrays).targets.map(({ gradient, deltas }, position) => ({
    sample,
    target: sample.targets[position],
    gradient,
    deltas,
  }));
}
