/** The same sample through training: what was recorded of one id in one run, step by step. Pure. */

/** @import {Sample} from "./types.js" */

/**
 * @typedef {object} History
 * @property {string} key unique among the histories of a selection
 * @property {string} run
 * @property {string} id
 * @property {Sample[]} samples two or more, from the earliest step to the latest
 */

/**
 * The ids that occur at two steps or more of one run, in the order in which their first sample
 * stands among the samples given: so the order of the page is that of the rows too.
 * @param {Sample[]} samples filtered and sorted
 * @returns {History[]}
 */
export function historiesOf(samples) {
  /** @type {Map<string, Map<string, Sample[]>>} */
  const runs = new Map();
  /** @type {Sample[][]} */
  const all = [];
  for (const sample of samples) {
    if (sample.id === null) continue;
    let ids = runs.get(sample.run);
    if (!ids) runs.set(sample.run, (ids = new Map()));
    const same = ids.get(sample.id);
    if (same) {
      same.push(sample);
    } else {
      const first = [sample];
      ids.set(sample.id, first);
      all.push(first);
    }
  }
  return all.filter((same) => same.some(({ step }) => step !== same[0].step)).map(historyOf);
}

/**
 * @param {Sample[]} samples
 * @returns {History}
 */
function historyOf(samples) {
  const { run, id } = samples[0];
  const sorted = [...samples].sort((one, other) => one.step - other.step || one.wall_time - other.wall_time);
  return { key: JSON.stringify([run, id]), run, id: /** @type {string} */ (id), samples: sorted };
}
