/**
 * The pairs of classes that the network mixes up. A pair is the label and the prediction of an error, otherwise the two
 * most probable classes. Pure.
 */

import { FRAGILE_SHARE, isWrong } from "./captions.js";
import { pairCode } from "./filters.js";
import { distanceTo, medianOf } from "./flip_distances.js";
import { smallest } from "./morphs.js";
import { binOf, isWithin } from "./step_ranges.js";
import { isFlipped, verdictAt } from "./verdict.js";

/** @import {StepRange} from "./step_ranges.js" */
/** @import {Sample, Target} from "../types.js" */

/**
 * A sample of a pair.
 * @typedef {object} Member
 * @property {Sample} sample
 * @property {number} from the label of an error, otherwise the predicted class
 * @property {number} to the wrong prediction, otherwise the second most probable class
 * @property {boolean} wrong
 * @property {Target | null} target the class of the pair that the network does not predict, if a morph leads to it
 * @property {number | null} distance the flip distance to this target: Infinity if it is never reached, `null` without
 *   a morph
 */

/**
 * @typedef {object} Pair
 * @property {number} code see `pairCode`
 * @property {number} one the smaller class
 * @property {number} other
 * @property {Member[]} members at all steps
 */

/**
 * A share of a number of samples.
 * @typedef {{count: number, of: number}} Share
 */

/**
 * A pair within a range of steps.
 * @typedef {object} PairSummary
 * @property {Pair} pair
 * @property {Member[]} members the members within the range
 * @property {number} captures
 * @property {number} wrong
 * @property {number | null} distance the median flip distance, where a morph that never flips counts as Infinity
 * @property {number | null} distanceBefore the same in the range before
 * @property {number} capturesBefore
 * @property {Share} fragile morphs that hold in less than 5 of 8 small changes
 * @property {Share} confirmed morphs whose target is also predicted by all judges
 */

/**
 * The classes that a sample is between: `from` and `to` of `Member`. `null` if only one class is known.
 * @param {Sample} sample
 * @returns {[from: number, to: number] | null}
 */
export function classesBetween(sample) {
  const { label, classes } = sample;
  if (isWrong(sample)) return [/** @type {number} */ (label), classes[0]];
  return classes.length > 1 ? [classes[0], classes[1]] : null;
}

/**
 * All pairs of the captured samples. Probes do not count, because they were not captured for their confusion.
 * @param {Sample[]} samples
 * @returns {Pair[]}
 */
export function pairsOf(samples) {
  /** @type {Map<number, Pair>} */
  const pairs = new Map();
  for (const sample of samples) {
    if (sample.probe) continue;
    const between = classesBetween(sample);
    if (!between) continue;
    const code = pairCode(...between);
    let pair = pairs.get(code);
    if (!pair) {
      pair = { code, one: Math.min(...between), other: Math.max(...between), members: [] };
      pairs.set(code, pair);
    }
    pair.members.push(memberOf(sample, between));
  }
  return [...pairs.values()];
}

/**
 * @param {Sample} sample
 * @param {[from: number, to: number]} between
 * @returns {Member}
 */
function memberOf(sample, [from, to]) {
  const sought = sample.classes[0] === from ? to : from;
  const target = sample.targets.find(({ index, direction }) => index === sought && direction > 0) ?? null;
  const distance = target && distanceTo(sample, target);
  return { sample, from, to, wrong: isWrong(sample), target: distance === null ? null : target, distance };
}

/**
 * @param {Pair[]} pairs
 * @param {StepRange} range
 * @param {StepRange} before the range before it
 * @returns {PairSummary[]} the pairs with at least one capture within the range, the most frequent first
 */
export function summarizePairs(pairs, range, before) {
  return pairs.flatMap((pair) => summarized(pair, range, before) ?? []).sort(byCaptures);
}

/**
 * @param {Pair} pair
 * @param {StepRange} range
 * @param {StepRange} before
 * @returns {PairSummary | null}
 */
function summarized(pair, range, before) {
  const members = pair.members.filter(({ sample }) => isWithin(range, sample.step));
  if (!members.length) return null;
  const earlier = pair.members.filter(({ sample }) => isWithin(before, sample.step));
  return {
    pair,
    members,
    captures: members.length,
    wrong: members.reduce((sum, { wrong }) => sum + Number(wrong), 0),
    distance: medianDistance(members),
    distanceBefore: medianDistance(earlier),
    capturesBefore: earlier.length,
    fragile: shareOf(members, isFragile),
    confirmed: shareOf(members, isConfirmed),
  };
}

/**
 * @param {PairSummary} one
 * @param {PairSummary} other
 */
function byCaptures(one, other) {
  return other.captures - one.captures || other.wrong - one.wrong || one.pair.code - other.pair.code;
}

/**
 * The median flip distance of members that have a morph.
 * @param {Member[]} members
 */
function medianDistance(members) {
  return medianOf(members.flatMap(({ distance }) => distance ?? []));
}

/**
 * @param {Member[]} members
 * @param {(member: Member) => boolean | null} test `null`: the member does not count
 * @returns {Share}
 */
function shareOf(members, test) {
  let count = 0;
  let of = 0;
  for (const member of members) {
    const answer = test(member);
    if (answer === null) continue;
    of++;
    count += Number(answer);
  }
  return { count, of };
}

/**
 * Whether the smallest morph holds in less than 5 of 8 small changes; `null` if that was not tried, or it never flips.
 * @param {Member} member
 */
function isFragile({ target, distance }) {
  const morph = target && distance !== Infinity ? smallest(target) : null;
  if (!morph?.survived.length) return null;
  const held = morph.survived.reduce((sum, survived) => sum + Number(survived), 0);
  return held < FRAGILE_SHARE * morph.survived.length;
}

/**
 * Whether all judges predict the target for the finished morph; `null` without judges, or if it never flips.
 * @param {Member} member
 */
function isConfirmed({ sample, target, distance }) {
  const morph = target && distance !== Infinity ? smallest(target) : null;
  if (!target || !morph?.judges.length) return null;
  return morph.judges.every((judge) => isFlipped(verdictAt(judge, sample.strengths, 1), target));
}

/**
 * The captures and the median flip distance of a pair through the training.
 * @param {Pair} pair
 * @param {StepRange} span the first and the last recorded step
 * @param {number} bins
 * @returns {{captures: number[], distances: (number | null)[]}} one for each bin
 */
export function trendOf({ members }, span, bins) {
  const inBins = Array.from({ length: bins }, () => /** @type {Member[]} */ ([]));
  for (const member of members) inBins[binOf(span, bins, member.sample.step)].push(member);
  return { captures: inBins.map(({ length }) => length), distances: inBins.map(medianDistance) };
}

/**
 * Examples of a pair: errors first, then those that flip most easily. Each id occurs once.
 * @param {Member[]} members
 * @param {number} count
 */
export function examplesOf(members, count) {
  /** @type {Set<string>} */
  const ids = new Set();
  /** @type {Member[]} */
  const examples = [];
  for (const member of members.toSorted(byWorth)) {
    const { id, key } = member.sample;
    if (ids.has(id ?? key)) continue;
    ids.add(id ?? key);
    if (examples.push(member) === count) break;
  }
  return examples;
}

/**
 * @param {Member} one
 * @param {Member} other
 */
function byWorth(one, other) {
  return Number(other.wrong) - Number(one.wrong) || byDistance(one, other);
}

/**
 * Compares two members by flip distance; those without a morph come last. Of equal ones the newer comes first.
 * @param {Member} one
 * @param {Member} other
 */
export function byDistance(one, other) {
  const [first, second] = [one.distance ?? Number.MAX_VALUE, other.distance ?? Number.MAX_VALUE];
  const [least, most] = [first, second].map((distance) => Math.min(distance, Number.MAX_VALUE / 2));
  const missing = Number(one.distance === null) - Number(other.distance === null);
  return missing || least - most || other.sample.step - one.sample.step;
}

/** @typedef {"captures" | "wrong" | "distance" | "fragile"} PairOrder */

/** @type {Record<PairOrder, (summary: PairSummary) => number>} the largest key comes first */
const KEYS = {
  captures: ({ captures }) => captures,
  wrong: ({ wrong }) => wrong,
  distance: ({ distance }) => (distance === null ? -Infinity : distance === Infinity ? -Number.MAX_VALUE : -distance),
  fragile: ({ fragile: { count, of } }) => (of ? count / of : -1),
};

export const PAIR_ORDERS = /** @type {PairOrder[]} */ (Object.keys(KEYS));

/**
 * @param {PairSummary[]} summaries
 * @param {PairOrder} order
 */
export function sortedPairs(summaries, order) {
  const key = KEYS[order];
  return summaries.toSorted((one, other) => {
    const [first, second] = [key(one), key(other)];
    return first === second ? byCaptures(one, other) : second - first;
  });
}

/**
 * The pairs whose class names contain all words of a text. A word that is a whole name excludes longer names: "1" does
 * not find "10".
 * @param {PairSummary[]} summaries
 * @param {string} text
 * @param {(index: number) => string} nameOf
 */
export function foundPairs(summaries, text, nameOf) {
  const words = text.toLowerCase().split(/[\s,↔→]+/).filter(Boolean);
  if (!words.length) return summaries;
  /** @type {Map<number, string>} */
  const names = new Map();
  const lowerName = (/** @type {number} */ index) => {
    const name = names.get(index) ?? nameOf(index).toLowerCase();
    names.set(index, name);
    return name;
  };
  for (const { pair } of summaries) [lowerName(pair.one), lowerName(pair.other)];
  const whole = new Set(names.values());
  const matches = words.map(
    (word) => (/** @type {string} */ name) => (whole.has(word) ? name === word : name.includes(word)),
  );
  return summaries.filter(({ pair }) => {
    const both = [lowerName(pair.one), lowerName(pair.other)];
    return matches.every((isMatch) => both.some(isMatch));
  });
}
