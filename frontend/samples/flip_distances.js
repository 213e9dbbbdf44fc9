/** How far samples are from another prediction: distances of single samples, and medians. Pure. */

import { memoize } from "./memoize.js";
import { isPredicted, smallest } from "./morphs.js";
import { flipDistanceOf } from "./verdict.js";

/** @import {Sample, Target} from "../types.js" */

/**
 * The size of the smallest morph that makes the network predict a target. Infinity if it never does; `null` if no morph
 * was made.
 * @param {Sample} sample
 * @param {Target} target
 */
export function distanceTo({ strengths }, target) {
  const morph = smallest(target);
  if (!morph || !strengths.length) return null;
  return flipDistanceOf(morph, strengths) ?? Infinity;
}

/**
 * The smallest of the distances to all targets that the network does not predict. It is Infinity if none of them is
 * reached, and `null` if no morph was made.
 * @param {Sample} sample
 * @returns {number | null}
 */
export function distanceToChange(sample) {
  /** @type {number | null} */
  let least = null;
  for (const target of sample.targets) {
    if (isPredicted(sample, target) || target.direction < 0) continue;
    const distance = distanceTo(sample, target);
    if (distance !== null && (least === null || distance < least)) least = distance;
  }
  return least;
}

/**
 * The smallest flip distance of the smallest morphs of all targets. A target that the network already predicts for
 * the original does not count. `null` if there is no other finite flip distance.
 * @param {Sample} sample
 */
export function smallestFlipDistance({ targets, strengths }) {
  let least = Infinity;
  for (const target of targets) {
    const distance = flipDistanceOf(smallest(target), strengths);
    if (distance && distance < least) least = distance;
  }
  return least === Infinity ? null : least;
}

/**
 * `smallestFlipDistance` of each sample, NaN for `null`. The same samples are read only once.
 * @type {(samples: Sample[]) => Float64Array}
 */
export const smallestFlipDistances = memoize(
  (samples) => [samples],
  (samples) => {
    const distances = new Float64Array(samples.length);
    for (let at = 0; at < distances.length; at++) distances[at] = smallestFlipDistance(samples[at]) ?? NaN;
    return distances;
  },
);

/**
 * The middle value; of two middle values the lower one, so that the result is one of the values.
 * @param {number[]} values in any order; Infinity is allowed
 * @returns {number | null} `null` without values
 */
export function medianOf(values) {
  if (!values.length) return null;
  const sorted = Float64Array.from(values).sort();
  return sorted[(sorted.length - 1) >> 1];
}
