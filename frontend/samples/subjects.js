/** Subjects: the captures with one id in one run are of one subject. A sample without an id is a subject of its own. */

import { memoize } from "./memoize.js";
import { byStep } from "./sort_orders.js";

/** @import {Sample} from "../types.js" */

/**
 * @typedef {object} Subjects
 * @property {Uint32Array} numbers the subject of each sample
 * @property {number} count how many subjects there are
 */

/**
 * The same samples are numbered only once.
 * @type {(samples: Sample[]) => Subjects}
 */
const subjectsOf = memoize(
  (samples) => [samples],
  (samples) => {
    const numbers = new Uint32Array(samples.length);
    /** @type {Map<string, Map<string, number>>} by run and id */
    const runs = new Map();
    let count = 0;
    for (let position = 0; position < samples.length; position++) {
      const { run, id } = samples[position];
      if (id === null) {
        numbers[position] = count++;
        continue;
      }
      let ids = runs.get(run);
      if (!ids) runs.set(run, (ids = new Map()));
      const known = ids.get(id);
      if (known === undefined) ids.set(id, count);
      numbers[position] = known ?? count++;
    }
    return { numbers, count };
  },
);

/**
 * Whether any subject was captured more than once.
 * @param {Sample[]} samples
 */
export function hasRepeatedIds(samples) {
  return subjectsOf(samples).count < samples.length;
}

/**
 * Marks the latest capture of each subject, among the captures that pass.
 * @param {Sample[]} samples
 * @param {(position: number) => boolean} passes
 * @returns {Uint8Array} 1 for each of these samples, 0 for the others
 */
export function latestCaptures(samples, passes) {
  const { numbers, count } = subjectsOf(samples);
  const latest = new Int32Array(count).fill(-1);
  for (let position = 0; position < samples.length; position++) {
    if (!passes(position)) continue;
    const known = latest[numbers[position]];
    if (known < 0 || byStep(samples[known], samples[position]) <= 0) latest[numbers[position]] = position;
  }
  const marks = new Uint8Array(samples.length);
  for (const position of latest) if (position >= 0) marks[position] = 1;
  return marks;
}
