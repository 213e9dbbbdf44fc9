/** Filters: which samples pass, and how many would pass with another choice. Pure. */

import { smallestFlipDistances } from "./flip_distances.js";
import { memoize } from "./memoize.js";
import { latestThird } from "./step_ranges.js";
import { latestCaptures } from "./subjects.js";

/** @import {StepRange} from "./step_ranges.js" */
/** @import {Sample} from "../types.js" */

/**
 * "auto" is resolved by the state: "confused" in the grid of samples, "all" in the other views.
 * @typedef {"auto" | "all" | "confused" | "probes"} Show
 */
/**
 * Which captures of a sample: the latest one of each id and run, or all. "recent" is the latest one within the latest
 * third of the run's steps. Early answers say nothing about a trained network.
 * @typedef {"recent" | "latest" | "all"} Captures
 */
/** @typedef {"right" | "wrong" | "unlabelled"} Outcome */

/**
 * From and to, both included; `null`: no limit.
 * @typedef {{from: number | null, to: number | null}} Range
 */

/**
 * A range of steps; or, for each run, the last recorded step that is not after `at`.
 * @typedef {Range | {at: number}} Steps
 */

/**
 * A sample is shown if it passes all filters. `null` switches a filter off.
 * @typedef {object} Filters
 * @property {Show} show
 * @property {Captures} captures
 * @property {Steps | null} steps
 * @property {readonly [number, number] | null} pair the two most probable classes, in either order
 * @property {number | null} prediction
 * @property {number | null} label
 * @property {Outcome | null} outcome
 * @property {Range | null} flip the flip distance
 * @property {number | null} rank
 * @property {string} id a text that the id contains; upper and lower case are the same
 */

/** @type {Filters} */
export const NO_FILTERS = {
  show: "all",
  captures: "all",
  steps: null,
  pair: null,
  prediction: null,
  label: null,
  outcome: null,
  flip: null,
  rank: null,
  id: "",
};

/**
 * The filters until the user chooses others.
 * @type {Filters}
 */
export const USUAL_FILTERS = { ...NO_FILTERS, show: "auto", captures: "recent" };

/** @type {readonly ("all" | "confused" | "probes")[]} */
export const SHOWS = ["all", "confused", "probes"];
/** @type {readonly Captures[]} */
export const CAPTURES = ["recent", "latest", "all"];
/** @type {readonly Outcome[]} */
export const OUTCOMES = ["right", "wrong", "unlabelled"];

const NAMES = /** @type {(keyof Filters)[]} */ (Object.keys(NO_FILTERS));

/** The bit of each filter in the result of `failedFiltersOf`. */
export const BITS = /** @type {Record<keyof Filters, number>} */ (
  Object.fromEntries(NAMES.map((name, position) => [name, 1 << position]))
);

/** The bit of the samples without the target that the user chose for all cards. */
export const TARGET_BIT = 1 << NAMES.length;

/** The bit of the samples that were not reviewed as the user asks. */
export const REVIEW_BIT = TARGET_BIT << 1;

/**
 * The filters that are switched on.
 * @param {Filters} filters
 */
export function activeFilters(filters) {
  return NAMES.filter((name) => filters[name] !== NO_FILTERS[name]);
}

/** @typedef {(sample: Sample, position: number) => boolean} Test whether a sample passes a filter */

/**
 * For each sample the bits of the filters that it fails; 0 for the samples that are shown.
 * @param {Sample[]} samples
 * @param {Filters} filters
 */
export function failedFiltersOf(samples, filters) {
  const failedFilters = new Uint16Array(samples.length);
  for (const name of activeFilters(filters)) {
    const failed = FAILED[name]({ samples, filters });
    for (let position = 0; position < failed.length; position++) failedFilters[position] |= failed[position];
  }
  return failedFilters;
}

/**
 * For each filter a function that gives its bit for each sample that fails it. A filter that stays the same is not
 * tried again.
 */
const FAILED = /** @type {Record<keyof Filters, (asked: {samples: Sample[], filters: Filters}) => Uint16Array>} */ (
  Object.fromEntries(
    NAMES.map((name) => [
      name,
      memoize(
        ({ samples, filters }) => [samples, filters[name], name === "captures" ? filters.steps : null],
        ({ samples, filters }) => {
          const passes = testOf(name, filters, samples);
          const failed = new Uint16Array(samples.length);
          for (let position = 0; position < failed.length; position++) {
            if (!passes(samples[position], position)) failed[position] = BITS[name];
          }
          return failed;
        },
      ),
    ]),
  )
);

/**
 * @param {keyof Filters} name
 * @param {Filters} filters
 * @param {Sample[]} samples
 * @returns {Test}
 */
function testOf(name, filters, samples) {
  const { show, captures, steps, pair, prediction, label, outcome, flip, rank, id } = filters;
  switch (name) {
    case "show":
      return ({ probe }) => probe === (show === "probes");
    case "captures":
      if (captures === "recent") return recentTest(samples);
      return latestTest(steps ? stepTest(steps, samples) : () => true, samples);
    case "steps":
      return stepTest(/** @type {Steps} */ (steps), samples);
    case "pair": {
      const sought = pairCode(...(pair ?? [0, 0]));
      return (sample) => pairOf(sample) === sought;
    }
    case "prediction":
      return ({ classes }) => classes[0] === prediction;
    case "label":
      return (sample) => sample.label === label;
    case "outcome":
      return (sample) => outcomeOf(sample) === outcome;
    case "flip": {
      const { from, to } = /** @type {Range} */ (flip);
      const distances = smallestFlipDistances(samples);
      return (_, position) => !Number.isNaN(distances[position]) && within(distances[position], from, to);
    }
    case "rank":
      return (sample) => rankOf(sample) === rank;
    case "id": {
      const sought = id.toLowerCase();
      return (sample) => sample.id !== null && sample.id.toLowerCase().includes(sought);
    }
  }
}

/**
 * @param {Steps} steps
 * @param {Sample[]} samples
 * @returns {(sample: Sample) => boolean}
 */
function stepTest(steps, samples) {
  if (!("at" in steps)) return ({ step }) => within(step, steps.from, steps.to);
  /** @type {Map<string, number>} */
  const last = new Map();
  for (const { run, step } of samples) {
    if (step <= steps.at && step > (last.get(run) ?? -Infinity)) last.set(run, step);
  }
  return ({ run, step }) => last.get(run) === step;
}

/**
 * Whether a sample is the latest capture of its id within the latest third of its run's steps. A sample without an id
 * passes if it is within them.
 * @param {Sample[]} samples
 * @returns {Test}
 */
function recentTest(samples) {
  /** @type {Map<string, StepRange>} */
  const spans = new Map();
  for (const { run, step } of samples) {
    const span = spans.get(run);
    if (!span) spans.set(run, { from: step, to: step });
    else if (step < span.from) span.from = step;
    else if (step > span.to) span.to = step;
  }
  const firsts = new Map([...spans].map(([run, span]) => [run, latestThird(span).from]));
  const isLate = (/** @type {Sample} */ { run, step }) => step >= (firsts.get(run) ?? step);
  const isLatest = latestTest(isLate, samples);
  return (sample, position) => isLate(sample) && isLatest(sample, position);
}

/**
 * Whether a sample is the latest capture of its id in its run, among the samples that pass. A sample without an id is.
 * @param {(sample: Sample) => boolean} isWithin
 * @param {Sample[]} samples
 * @returns {Test}
 */
function latestTest(isWithin, samples) {
  const latest = latestCaptures(samples, (position) => isWithin(samples[position]));
  return ({ id }, position) => id === null || latest[position] === 1;
}

/**
 * @param {number | null} value
 * @param {number | null} from
 * @param {number | null} to
 */
function within(value, from, to) {
  return value !== null && (from === null || value >= from) && (to === null || value <= to);
}

/**
 * @param {Sample} sample
 * @returns {Outcome}
 */
export function outcomeOf({ label, classes }) {
  return label === null ? "unlabelled" : label === classes[0] ? "right" : "wrong";
}

/** @param {Sample} sample */
export function rankOf({ session }) {
  return session.rank;
}

/** Larger than any number of classes, so that one number can stand for a pair of classes. */
const MANY = 1 << 20;

/**
 * Two classes as one number, the same number for both orders.
 * @param {number} one
 * @param {number} other
 */
export function pairCode(one, other) {
  return Math.min(one, other) * MANY + Math.max(one, other);
}

/**
 * @param {number} code
 * @returns {readonly [number, number]}
 */
export function pairOfCode(code) {
  return [Math.floor(code / MANY), code % MANY];
}

/** @param {Sample} sample */
function pairOf({ classes }) {
  return classes.length < 2 ? -1 : pairCode(classes[0], classes[1]);
}

/**
 * How many samples would pass if a filter had another value and all other filters stayed the same.
 * @typedef {object} Facets
 * @property {Map<boolean, number>} probe
 * @property {Map<number, number>} pair by `pairCode`
 * @property {Map<number, number>} prediction
 * @property {Map<number, number>} label
 * @property {Map<Outcome, number>} outcome
 * @property {Map<number, number>} rank
 */

/**
 * @param {Sample[]} samples
 * @param {Uint16Array} failedFilters
 * @returns {Facets}
 */
export function facetsOf(samples, failedFilters) {
  /** @type {Facets} */
  const facets = {
    probe: new Map(),
    pair: new Map(),
    prediction: new Map(),
    label: new Map(),
    outcome: new Map(),
    rank: new Map(),
  };
  for (let position = 0; position < samples.length; position++) {
    const failed = failedFilters[position];
    const sample = samples[position];
    if (!(failed & ~BITS.show)) count(facets.probe, sample.probe);
    if (!(failed & ~BITS.pair) && sample.classes.length > 1) count(facets.pair, pairOf(sample));
    if (!(failed & ~BITS.prediction) && sample.classes.length) count(facets.prediction, sample.classes[0]);
    if (!(failed & ~BITS.label) && sample.label !== null) count(facets.label, sample.label);
    if (!(failed & ~BITS.outcome)) count(facets.outcome, outcomeOf(sample));
    const rank = rankOf(sample);
    if (!(failed & ~BITS.rank) && rank !== null) count(facets.rank, rank);
  }
  return facets;
}

/**
 * @template Key
 * @param {Map<Key, number>} counts
 * @param {Key} key
 */
function count(counts, key) {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
