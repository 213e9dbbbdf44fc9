/** The same sample through training: what was recorded of one id in one run, step by step. Pure. */

import { byStep } from "./orders.js";

/** @import {Sample} from "../types.js" */

/** Of a long training there are thousands, and few are looked at: these are put in order. */
export class History {
  #samples;
  #isSorted = false;

  /** @param {Sample[]} samples two or more, of one id and run; they are sorted in place */
  constructor(samples) {
    this.#samples = samples;
  }

  get count() {
    return this.#samples.length;
  }

  /** From the earliest step to the latest. */
  get samples() {
    if (!this.#isSorted) this.#samples.sort(byStep);
    this.#isSorted = true;
    return this.#samples;
  }

  get run() {
    return this.#samples[0].run;
  }

  get id() {
    return /** @type {string} */ (this.#samples[0].id);
  }

  /** Unique among the histories of a selection. */
  get key() {
    return JSON.stringify([this.run, this.id]);
  }
}

/**
 * The ids that occur at two steps or more of one run, in the order in which their first sample
 * stands among the samples given: so the order of the page is that of the rows too.
 * @param {Sample[]} samples filtered and sorted
 * @returns {History[]}
 */
export function historiesOf(samples) {
  const { groups, sizes } = grouped(samples);
  /** @type {Sample[][]} those of one sample alone stay empty: most ids of a long training are */
  const several = sizes.map(() => NONE);
  samples.forEach((sample, place) => {
    const group = groups[place];
    if (group < 0 || sizes[group] < 2) return;
    if (several[group] === NONE) several[group] = [sample];
    else several[group].push(sample);
  });
  return several.filter((same) => same.some(({ step }) => step !== same[0].step)).map((same) => new History(same));
}

/** @type {Sample[]} */
const NONE = [];

/**
 * @param {Sample[]} samples
 * @returns {{groups: Int32Array, sizes: number[]}} of each sample the number of its run and id, which
 *   count up as they first occur, -1 without an id; and how many samples have that number
 */
function grouped(samples) {
  const groups = new Int32Array(samples.length).fill(-1);
  /** @type {number[]} */
  const sizes = [];
  /** @type {Map<string, Map<string, number>>} */
  const runs = new Map();
  samples.forEach(({ run, id }, place) => {
    if (id === null) return;
    let ids = runs.get(run);
    if (!ids) runs.set(run, (ids = new Map()));
    let group = ids.get(id);
    if (group === undefined) {
      group = sizes.push(0) - 1;
      ids.set(id, group);
    }
    groups[place] = group;
    sizes[group]++;
  });
  return { groups, sizes };
}
