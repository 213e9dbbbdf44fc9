/** Compares two runs on the same samples: it pairs the samples and finds their differences. Pure. */

import { outcomeOf } from "./filters.js";
import { memoize } from "./memoize.js";
import { smallest } from "./morphs.js";
import { signedMargin } from "./signed_margin.js";
import { byStep } from "./sort_orders.js";
import { flipDistanceOf } from "./verdict.js";

/** @import {Sample} from "../types.js" */

/**
 * @typedef {object} Pair two samples with the same id, one from each run
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
 * Pairs samples that have the same id. Each sample of a pair is the one whose step is nearest to the other's; of
 * two at the same distance, the earlier one counts as nearer. So no sample is in two pairs.
 * @param {Sample[]} first the samples of one run, filtered and sorted
 * @param {Sample[]} second the samples of the other run
 * @returns {Comparison}
 */
export function compare(first, second) {
  const ofFirst = inBoth(first, second);
  /** @type {Pair[]} */
  const pairs = [];
  first.forEach((sample, position) => {
    const { some, others } = ofFirst[position];
    const partner = nearest(others, sample.step);
    if (partner && nearest(some, partner.step) === sample) pairs.push({ first: sample, second: partner });
  });
  return {
    pairs,
    unmatchedFirst: first.length - pairs.length,
    unmatchedSecond: second.length - pairs.length,
  };
}

/** @typedef {{some: Sample[], others: Sample[]}} Same the samples of one id in both runs, sorted by step */

/** @type {Sample[]} */
const NONE = [];
/** @type {Same} */
const NAMELESS = { some: NONE, others: NONE };

/**
 * @param {Sample[]} first
 * @param {Sample[]} second
 * @returns {Same[]} one for each sample of the first run
 */
function inBoth(first, second) {
  /** @type {Map<string, Same>} */
  const ids = new Map();
  const ofFirst = first.map((sample) => {
    if (sample.id === null) return NAMELESS;
    const known = ids.get(sample.id);
    if (known) {
      known.some.push(sample);
      return known;
    }
    const same = { some: [sample], others: NONE };
    ids.set(sample.id, same);
    return same;
  });
  for (const sample of second) {
    const same = sample.id === null ? undefined : ids.get(sample.id);
    if (same?.others.length) same.others.push(sample);
    else if (same) same.others = [sample];
  }
  for (const { some, others } of ids.values()) {
    if (!others.length) continue;
    some.sort(byStep);
    others.sort(byStep);
  }
  return ofFirst;
}

/**
 * @param {Sample[]} samples sorted by step
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
  // Several samples can have the same step. The first of them counts.
  let before = low - 1;
  while (before > 0 && samples[before - 1].step === samples[before].step) before--;
  return after && after.step - step < step - samples[before].step ? after : samples[before];
}

/**
 * What the second run changed: a wrong prediction into a right one, or the reverse; or both runs agree.
 * @typedef {"fixed" | "broke" | "bothWrong" | "bothRight"} Change
 */

/** @type {readonly Change[]} */
export const CHANGES = ["fixed", "broke", "bothWrong", "bothRight"];

/**
 * @param {Pair} pair
 * @returns {Change | null} `null` if a label is missing
 */
export function changeOf({ first, second }) {
  const [before, after] = [outcomeOf(first), outcomeOf(second)];
  if (before === "unlabelled" || after === "unlabelled") return null;
  if (before === after) return before === "right" ? "bothRight" : "bothWrong";
  return after === "right" ? "fixed" : "broke";
}

/** @param {Pair[]} pairs */
export function changesOf(pairs) {
  const counts = { fixed: 0, broke: 0, bothWrong: 0, bothRight: 0 };
  for (const pair of pairs) {
    const change = changeOf(pair);
    if (change) counts[change]++;
  }
  return counts;
}

/**
 * The pairs with the largest difference of the signed margin first. A pair whose difference is unknown comes last.
 * @param {Pair[]} pairs
 */
export function byDifference(pairs) {
  const differences = new Map(
    pairs.map((pair) => [pair, Math.abs(signedMargin(pair.second) - signedMargin(pair.first))]),
  );
  const of = (/** @type {Pair} */ pair) => {
    const size = differences.get(pair) ?? NaN;
    return Number.isFinite(size) ? size : -1;
  };
  return [...pairs].sort((one, other) => of(other) - of(one));
}

/**
 * A sample in several runs.
 * @typedef {{id: string, samples: (Sample | null)[]}} RunRow `samples`: its latest capture in each run; `null` if a run
 *   has none
 */

/**
 * The samples that at least two runs have, those first that the runs disagree most on.
 * @param {Sample[]} samples filtered
 * @param {string[]} runs
 * @returns {RunRow[]}
 */
export function runRows(samples, runs) {
  const columns = new Map(runs.map((run, column) => [run, column]));
  /** @type {Map<string, RunRow>} */
  const rows = new Map();
  for (const sample of samples) {
    const column = columns.get(sample.run);
    if (sample.id === null || column === undefined) continue;
    let row = rows.get(sample.id);
    if (!row) rows.set(sample.id, (row = { id: sample.id, samples: runs.map(() => null) }));
    const known = row.samples[column];
    if (!known || byStep(known, sample) <= 0) row.samples[column] = sample;
  }
  const shared = [...rows.values()].filter((row) => row.samples.filter(Boolean).length > 1);
  const spreads = new Map(shared.map((row) => [row, spreadOf(row)]));
  return shared.sort((one, other) => (spreads.get(other) ?? 0) - (spreads.get(one) ?? 0));
}

/** @param {RunRow} row */
function spreadOf({ samples }) {
  const margins = samples.flatMap((sample) => (sample ? [signedMargin(sample)] : [])).filter(Number.isFinite);
  return margins.length ? Math.max(...margins) - Math.min(...margins) : 0;
}

/**
 * The differences within a pair: second minus first; `null` if one of both is unknown.
 * @param {Pair} pair
 */
export function differencesOf({ first, second }) {
  return {
    prediction: first.classes[0] !== second.classes[0],
    steps: second.step - first.step,
    margin: difference(signedMargin(first), signedMargin(second)),
    flipDistances: first.targets.flatMap((target) => {
      const other = second.targets.find(({ index }) => index === target.index);
      if (!other) return [];
      const distances = [
        flipDistanceOf(smallest(target), first.strengths),
        flipDistanceOf(smallest(other), second.strengths),
      ];
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
 * The pairs with at least one sample that passes the filters, in the order of the page.
 * @param {Comparison} comparison
 * @param {Sample[]} shown filtered and sorted
 */
export function pairsShown(comparison, shown) {
  const pairOf = pairBySample(comparison);
  /** @type {Set<Pair>} */
  const pairs = new Set();
  for (const sample of shown) {
    const pair = pairOf.get(sample);
    if (pair) pairs.add(pair);
  }
  return [...pairs];
}

const pairBySample = memoize(
  (/** @type {Comparison} */ { pairs }) => [pairs],
  ({ pairs }) => {
    /** @type {Map<Sample, Pair>} */
    const pairOf = new Map();
    for (const pair of pairs) pairOf.set(pair.first, pair).set(pair.second, pair);
    return pairOf;
  },
);
