/** Ranges of steps: the latest third of a training, the range before it, and equal bins. Pure. */

/** @import {Range} from "./filters.js" */

/**
 * From and to, both included.
 * @typedef {{from: number, to: number}} StepRange
 */

/**
 * The latest third of the recorded steps.
 * @param {StepRange} span the first and the last recorded step
 * @returns {StepRange}
 */
export function latestThird({ from, to }) {
  return { from: Math.floor(to - (to - from) / 3), to };
}

/** @type {Range} */
export const ALL_STEPS = { from: null, to: null };

/**
 * A chosen range with its missing ends filled in; without a choice, the latest third.
 * @param {Range | null} chosen
 * @param {StepRange} span the first and the last recorded step
 * @returns {StepRange}
 */
export function rangeOf(chosen, span) {
  if (!chosen) return latestThird(span);
  return { from: chosen.from ?? span.from, to: chosen.to ?? span.to };
}

/**
 * The range of the same length that ends just before another one.
 * @param {StepRange} range
 * @returns {StepRange}
 */
export function rangeBefore({ from, to }) {
  return { from: from - (to - from) - 1, to: from - 1 };
}

/**
 * @param {StepRange} range
 * @param {number} step
 */
export function isWithin({ from, to }, step) {
  return step >= from && step <= to;
}

/**
 * Which of several equal bins a step is in.
 * @param {StepRange} span
 * @param {number} bins
 * @param {number} step
 */
export function binOf({ from, to }, bins, step) {
  if (to <= from) return 0;
  return Math.min(Math.max(Math.floor((bins * (step - from)) / (to - from)), 0), bins - 1);
}

/**
 * "step 780" or "steps 520 to 780"
 * @param {StepRange} range
 */
export function rangeCaption({ from, to }) {
  const [first, last] = [from, to].map((step) => step.toLocaleString("en"));
  return from === to ? `step ${first}` : `steps ${first} to ${last}`;
}
