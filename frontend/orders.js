/** The orders in which samples can be shown. Pure. */

import { smallestFlipDistance } from "./filters.js";

/** @import {Sample} from "./types.js" */

/** @typedef {"newest" | "oldest" | "margin" | "loss" | "entropy" | "gradient" | "flip"} Sort */

/**
 * In words, and what is sorted by: the smallest first, and what is `null` or no number last.
 * @type {Record<Sort, {words: string, keyOf: (sample: Sample) => number | null}>}
 */
export const ORDERS = {
  newest: { words: "newest step first", keyOf: ({ step }) => -step },
  oldest: { words: "oldest step first", keyOf: ({ step }) => step },
  margin: { words: "smallest margin first", keyOf: ({ margin }) => margin },
  loss: { words: "largest loss first", keyOf: ({ loss }) => loss && -loss },
  entropy: { words: "highest entropy first", keyOf: ({ entropy }) => -entropy },
  gradient: { words: "largest gradient first", keyOf: (sample) => -largestGradientNorm(sample) },
  flip: { words: "smallest flip distance first", keyOf: smallestFlipDistance },
};

/** @param {Sample} sample */
function largestGradientNorm({ targets }) {
  const norms = targets.map(({ gradient_norm }) => gradient_norm).filter((norm) => !Number.isNaN(norm));
  return norms.length ? Math.max(...norms) : NaN;
}

/**
 * The samples in an order. Those that tie come newest first, except in the oldest order; then as they
 * were.
 * @param {Sample[]} samples
 * @param {Sort} sort
 */
export function sorted(samples, sort) {
  const { keyOf } = ORDERS[sort];
  const sense = sort === "oldest" ? 1 : -1;
  const keys = Float64Array.from(samples, (sample) => comparable(keyOf(sample)));
  const steps = Float64Array.from(samples, ({ step }) => step);
  const times = Float64Array.from(samples, ({ wall_time }) => wall_time);
  const places = Uint32Array.from(samples, (_, place) => place);
  places.sort(
    (one, other) =>
      keys[one] - keys[other] ||
      sense * (steps[one] - steps[other]) ||
      sense * (times[one] - times[other]) ||
      one - other,
  );
  return Array.from(places, (place) => samples[place]);
}

/** @param {number | null} key */
function comparable(key) {
  if (key === null || Number.isNaN(key)) return Number.MAX_VALUE;
  return Math.max(-Number.MAX_VALUE, Math.min(key, Number.MAX_VALUE / 2));
}
