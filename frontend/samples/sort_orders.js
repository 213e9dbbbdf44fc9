/** The orders of the samples. Pure. */

import { isWrong } from "./captions.js";
import { smallestFlipDistance } from "./flip_distances.js";
import { memoize } from "./memoize.js";
import { sortedByKey } from "./number_order.js";

/** @import {Sample} from "../types.js" */

/** @typedef {"border" | "newest" | "oldest" | "margin" | "loss" | "entropy" | "gradient" | "flip"} Sort */

/**
 * The caption of each order and its sort key. The smallest key comes first; `null` and NaN come last.
 * @type {Record<Sort, {words: string, keyOf: (sample: Sample) => number | null}>}
 */
export const ORDERS = {
  // A margin is at most 1.
  border: { words: "wrong and near the border first", keyOf: (sample) => sample.margin + (isWrong(sample) ? 0 : 2) },
  newest: { words: "newest step first", keyOf: ({ step }) => -step },
  oldest: { words: "oldest step first", keyOf: ({ step }) => step },
  margin: { words: "smallest margin first", keyOf: ({ margin }) => margin },
  loss: { words: "largest loss first", keyOf: ({ loss }) => loss && -loss },
  entropy: { words: "highest entropy first", keyOf: ({ entropy }) => -entropy },
  gradient: { words: "largest gradient first", keyOf: (sample) => -largestGradientNorm(sample) },
  flip: { words: "smallest flip distance first", keyOf: smallestFlipDistance },
};

/**
 * Compares two samples by step and time, for `sort`.
 * @param {Sample} one
 * @param {Sample} other
 */
export function byStep(one, other) {
  return one.step - other.step || one.wall_time - other.wall_time;
}

/** @param {Sample} sample */
function largestGradientNorm({ targets }) {
  let largest = NaN;
  for (const { gradient_norm: norm } of targets) {
    if (!Number.isNaN(norm) && !(norm <= largest)) largest = norm;
  }
  return largest;
}

/**
 * The positions of the samples, sorted. Among equal keys the newest sample comes first, or the oldest if the order
 * is "oldest"; then the given order decides.
 * @param {Sample[]} samples
 * @param {Sort} sort
 */
export function sortedPositions(samples, sort) {
  const inTime = sort === "oldest" ? oldestFirst(samples) : newestFirst(samples);
  if (sort === "newest" || sort === "oldest") return inTime;
  return sortedByKey(inTime, KEYS[sort](samples));
}

/** The keys of each order, which are read from the samples only once. */
const KEYS = /** @type {Record<Sort, (samples: Sample[]) => Float64Array>} */ (
  Object.fromEntries(
    Object.entries(ORDERS).map(([sort, { keyOf }]) => [
      sort,
      memoize(
        (/** @type {Sample[]} */ samples) => [samples],
        (samples) => keysOf(samples, (sample) => comparable(keyOf(sample))),
      ),
    ]),
  )
);

/** @param {Sample[]} samples */
function oldestFirst(samples) {
  return areInTime(samples) ? given(samples) : sortedByTime(samples, 1);
}

/** @param {Sample[]} samples */
function newestFirst(samples) {
  return areInTime(samples) ? reversedCaptures(samples) : sortedByTime(samples, -1);
}

/**
 * @param {Sample[]} samples
 * @param {1 | -1} sense
 */
function sortedByTime(samples, sense) {
  const byWallTime = sortedByKey(
    given(samples),
    keysOf(samples, ({ wall_time }) => sense * wall_time),
  );
  return sortedByKey(
    byWallTime,
    keysOf(samples, ({ step }) => sense * step),
  );
}

/** @param {Sample[]} samples */
function given(samples) {
  const positions = new Uint32Array(samples.length);
  for (let position = 0; position < positions.length; position++) positions[position] = position;
  return positions;
}

/**
 * `Float64Array.from` would take ten times as long.
 * @param {Sample[]} samples
 * @param {(sample: Sample) => number} keyOf
 */
function keysOf(samples, keyOf) {
  const keys = new Float64Array(samples.length);
  for (let position = 0; position < keys.length; position++) keys[position] = keyOf(samples[position]);
  return keys;
}

/**
 * Whether samples are sorted by step and time, as those of one run are.
 * @param {Sample[]} samples
 */
function areInTime(samples) {
  for (let position = 1; position < samples.length; position++) {
    const [before, after] = [samples[position - 1], samples[position]];
    const isInTime = before.step < after.step || (before.step === after.step && before.wall_time <= after.wall_time);
    if (!isInTime) return false;
  }
  return true;
}

/**
 * The same result as sorting, but faster: it reverses the captures and keeps the order within each.
 * @param {Sample[]} samples sorted by step and time
 */
function reversedCaptures(samples) {
  const positions = new Uint32Array(samples.length);
  let filled = 0;
  for (let end = samples.length; end > 0; ) {
    const { step, wall_time } = samples[end - 1];
    let start = end - 1;
    while (start > 0 && samples[start - 1].step === step && samples[start - 1].wall_time === wall_time) start--;
    for (let position = start; position < end; position++) positions[filled++] = position;
    end = start;
  }
  return positions;
}

/** @param {number | null} key */
function comparable(key) {
  if (key === null || Number.isNaN(key)) return Number.MAX_VALUE;
  return Math.max(-Number.MAX_VALUE, Math.min(key, Number.MAX_VALUE / 2));
}
