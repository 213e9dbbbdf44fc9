/** Two runs on the same samples: which pairs there are, and in what they differ. Pure. */

import { flipDistanceOf } from "./verdict.js";

/** @import {Sample} from "./types.js" */

/**
 * @typedef {object} Pair two samples with the same id, one of each run
 * @property {Sample} first
 * @property {Sample} second
 */

/**
 * @typedef {object} Comparison
 * @property {Pair[]} pairs in the order of the first run's samples
 * @property {number} unmatchedFirst samples of the first run that have no partner
 * @property {number} unmatchedSecond
 */

/**
 * Pairs the samples of one id at the nearest steps. Both have to be the nearest to each other, the
 * earlier where two are as near, so that no sample is in two pairs.
 * @param {Sample[]} first of one run, filtered and sorted
 * @param {Sample[]} second of the other
 * @returns {Comparison}
 */
export function compare(first, second) {
  const firstById = byId(first);
  const secondById = byId(second);
  /** @type {Map<Sample, Sample>} */
  const partners = new Map();
  for (const [id, some] of firstById) {
    const others = secondById.get(id) ?? [];
    for (const sample of some) {
      const partner = nearest(others, sample.step);
      if (partner && nearest(some, partner.step) === sample) partners.set(sample, partner);
    }
  }
  const pairs = first.flatMap((sample) => {
    const partner = partners.get(sample);
    return partner ? [{ first: sample, second: partner }] : [];
  });
  return {
    pairs,
    unmatchedFirst: first.length - pairs.length,
    unmatchedSecond: second.length - pairs.length,
  };
}

/**
 * @param {Sample[]} samples
 * @returns {Map<string, Sample[]>} each by step
 */
function byId(samples) {
  /** @type {Map<string, Sample[]>} */
  const ids = new Map();
  for (const sample of samples) {
    if (sample.id === null) continue;
    const same = ids.get(sample.id);
    if (same) same.push(sample);
    else ids.set(sample.id, [sample]);
  }
  for (const same of ids.values()) {
    same.sort((one, other) => one.step - other.step || one.wall_time - other.wall_time);
  }
  return ids;
}

/**
 * @param {Sample[]} samples by step
 * @param {number} step
 * @returns {Sample | undefined}
 */
function nearest(samples, step) {
  let low = 0;
  let high = samples.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (samples[middle].step < step) low = middle + 1;
    else high = middle;
  }
  const after = samples[low];
  if (low === 0 || after?.step === step) return after;
  // Of several at the step before, the first: as of several at the step itself.
  let before = low - 1;
  while (before > 0 && samples[before - 1].step === samples[before].step) before--;
  return after && after.step - step < step - samples[before].step ? after : samples[before];
}

/**
 * What a reader wants to see first of a pair. Differences are the second minus the first; `null`
 * where one of both is not known.
 * @param {Pair} pair
 */
export function differencesOf({ first, second }) {
  return {
    prediction: first.classes[0] !== second.classes[0],
    steps: second.step - first.step,
    margin: difference(first.margin, second.margin),
    flipDistances: first.targets.flatMap((target) => {
      const other = second.targets.find(({ index }) => index === target.index);
      if (!other) return [];
      const distances = [flipDistanceOf(target, first.strengths), flipDistanceOf(other, second.strengths)];
      return [{ target: target.index, first: distances[0], second: distances[1] }];
    }),
  };
}

/**
 * @param {number} first
 * @param {number} second
 */
function difference(first, second) {
  const value = second - first;
  return Number.isFinite(value) ? value : null;
}

/**
 * The pairs of which either sample passes the filters, in the order of the page.
 * @param {Pair[]} pairs
 * @param {Sample[]} shown filtered and sorted
 */
export function pairsShown(pairs, shown) {
  const places = new Map(shown.map((sample, place) => [sample, place]));
  const placeOf = (/** @type {Pair} */ { first, second }) =>
    Math.min(places.get(first) ?? Infinity, places.get(second) ?? Infinity);
  return pairs.filter((pair) => placeOf(pair) < Infinity).sort((one, other) => placeOf(one) - placeOf(other));
}
