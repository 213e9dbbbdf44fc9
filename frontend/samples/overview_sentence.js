/** The sentence of the Overview, computed from what the samples support. Pure. */

import { formatCount, formatCounted, formatDistance } from "./captions.js";
import { LEAST, compareProbes } from "./run_summaries.js";
import { rangeCaption } from "./step_ranges.js";

/** @import {Pair, PairSummary} from "./pairs.js" */
/** @import {RunSummary} from "./run_summaries.js" */
/** @import {StepRange} from "./step_ranges.js" */

/**
 * A part of the sentence: plain text, or text that stands out. A part about a pair or a run leads to it.
 * @typedef {string | {strong: string, pair?: Pair}} Part
 */

/**
 * @param {object} facts
 * @param {PairSummary[]} facts.pairs within the range, the most frequent first
 * @param {Pair[]} facts.allPairs of the whole training
 * @param {RunSummary[]} facts.runs
 * @param {StepRange} facts.range
 * @param {StepRange} facts.before the range that it is compared with
 * @param {(index: number) => string} facts.nameOf
 * @returns {Part[]}
 */
export function overviewSentence({ pairs, allPairs, runs, range, before, nameOf }) {
  const isEnough = pairs.length > 0 && pairs[0].captures >= LEAST;
  const instead = isEnough ? [] : wholeTraining(allPairs, runs, nameOf);
  return [...pairSentence(pairs, runs, range, before, nameOf), ...instead, ...runSentence(runs)];
}

/**
 * What is mixed up most at any step, if that is one pair.
 * @param {Pair[]} pairs
 * @param {RunSummary[]} runs
 * @param {(index: number) => string} nameOf
 * @returns {Part[]}
 */
function wholeTraining(pairs, runs, nameOf) {
  const [first, second] = [...pairs].sort((one, other) => other.members.length - one.members.length);
  const captures = first?.members.length ?? 0;
  if (captures < LEAST || captures === second?.members.length) return [];
  const who = runs.length > 1 ? "the networks" : "the network";
  return [
    ` Over the whole training ${who} hesitated most between `,
    { strong: `${nameOf(first.one)} and ${nameOf(first.other)}`, pair: first },
    `: ${formatCounted(captures, "capture")}.`,
  ];
}

/**
 * @param {PairSummary[]} pairs
 * @param {RunSummary[]} runs
 * @param {StepRange} range
 * @param {StepRange} before
 * @param {(index: number) => string} nameOf
 * @returns {Part[]}
 */
function pairSentence(pairs, runs, range, before, nameOf) {
  const when = rangeCaption(range);
  const captures = pairs.reduce((sum, pair) => sum + pair.captures, 0);
  if (!captures) return [`No confused samples were captured at ${when}.`];
  const [first] = pairs;
  if (first.captures < LEAST) {
    const most = pairs.length === 1 ? "" : `, at most ${first.captures} of one pair of classes`;
    return [
      { strong: "Too little yet to say what is mixed up most" },
      `: ${formatCounted(captures, "capture")} at ${when}${most}.`,
    ];
  }
  const equal = pairs.filter((pair) => pair.captures === first.captures);
  const who = runs.length > 1 ? "the networks hesitate" : "the network hesitates";
  const name = (/** @type {PairSummary} */ { pair }) => `${nameOf(pair.one)} and ${nameOf(pair.other)}`;
  /** @type {Part[]} */
  const parts = [`At ${when} ${who} most between `, { strong: name(first), pair: first.pair }];
  if (equal.length === 2) parts.push(", and as often between ", { strong: name(equal[1]), pair: equal[1].pair });
  parts.push(`: ${formatCounted(first.captures, "capture")}`);
  if (first.wrong) parts.push(`, ${formatCount(first.wrong)} of them wrong`);
  parts.push(...distanceParts(first, before));
  if (equal.length > 2) parts.push(` ${equal.length - 1} other pairs have as many.`);
  return parts;
}

/**
 * @param {PairSummary} pair
 * @param {StepRange} before
 * @returns {Part[]}
 */
function distanceParts({ members, distance, distanceBefore, capturesBefore }, before) {
  const known = members.filter((member) => member.distance !== null).length;
  if (distance === null || known < LEAST) return ["."];
  if (distance === Infinity) return ["; most of them never flip."];
  const now = `; half of them flip within a distance of ${formatDistance(distance)}`;
  if (distanceBefore === null || capturesBefore < LEAST) return [`${now}.`];
  const was = distanceBefore === Infinity ? "most never flipped" : `it was ${formatDistance(distanceBefore)}`;
  return [`${now} (${was} at ${rangeCaption(before)}).`];
}

/**
 * @param {RunSummary[]} runs
 * @returns {Part[]}
 */
function runSentence(runs) {
  const comparison = compareProbes(runs);
  if (!comparison) return [];
  const { harder, easier, shared, harderDistance, easierDistance, clear } = comparison;
  const numbers = `${formatDistance(harderDistance)} against ${formatDistance(easierDistance)}`;
  const start = ` On the ${formatCount(shared)} shared probes `;
  if (!clear) {
    return [start, { strong: harder.run }, " and ", { strong: easier.run }, ` do not differ clearly: ${numbers}.`];
  }
  return [start, { strong: harder.run }, " is harder to flip than ", { strong: easier.run }, `: ${numbers}.`];
}
