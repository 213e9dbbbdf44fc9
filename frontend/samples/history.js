/** The history of a sample: everything that one run recorded for one id, step by step. Pure. */

import { isWrong } from "./captions.js";
import { signedMargin } from "./signed_margin.js";
import { byStep } from "./sort_orders.js";

/** @import {Sample} from "../types.js" */

/** A long training has thousands of histories, and few of them are shown. So each is sorted at its first use. */
export class History {
  #samples;
  #isSorted = false;

  /** @param {Sample[]} samples two or more samples of one id and run; this array is sorted in the process */
  constructor(samples) {
    this.#samples = samples;
  }

  get count() {
    return this.#samples.length;
  }

  /** The samples from the earliest step to the latest. */
  get samples() {
    if (!this.#isSorted) this.#samples.sort(byStep);
    this.#isSorted = true;
    return this.#samples;
  }

  /** The steps of its samples, in no order. */
  get steps() {
    return this.#samples.map(({ step }) => step);
  }

  /** How often the prediction differs from the one before. */
  get changesOfMind() {
    return this.samples.reduce(
      (count, { classes }, at) => count + (at > 0 && classes[0] !== this.samples[at - 1].classes[0] ? 1 : 0),
      0,
    );
  }

  get run() {
    return this.#samples[0].run;
  }

  get id() {
    return /** @type {string} */ (this.#samples[0].id);
  }

  /** Unique within one tag. */
  get key() {
    return JSON.stringify([this.run, this.id]);
  }
}

/**
 * The histories with at least two different steps. A history comes where its first sample is in the given order.
 * @param {Sample[]} samples filtered and sorted
 * @returns {History[]}
 */
export function historiesOf(samples) {
  const { groups, sizes } = grouped(samples);
  /** @type {Sample[][]} empty for an id with one sample only, like most ids of a long training */
  const several = sizes.map(() => NONE);
  samples.forEach((sample, position) => {
    const group = groups[position];
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
 * @returns {{groups: Int32Array, sizes: number[]}} `groups`: for each sample the number of its run and id, counted
 *   in the order of appearance; -1 without an id. `sizes`: how many samples each number has
 */
function grouped(samples) {
  const groups = new Int32Array(samples.length).fill(-1);
  /** @type {number[]} */
  const sizes = [];
  /** @type {Map<string, Map<string, number>>} */
  const runs = new Map();
  samples.forEach(({ run, id }, position) => {
    if (id === null) return;
    let ids = runs.get(run);
    if (!ids) runs.set(run, (ids = new Map()));
    let group = ids.get(id);
    if (group === undefined) {
      group = sizes.push(0) - 1;
      ids.set(id, group);
    }
    groups[position] = group;
    sizes[group]++;
  });
  return { groups, sizes };
}

/** @typedef {"changes" | "wrong" | "samples"} HistoryOrder */

/** @type {Record<HistoryOrder, string>} */
export const HISTORY_ORDERS = {
  changes: "changed its mind most",
  wrong: "still wrong",
  samples: "as in Samples",
};

/**
 * @param {History[]} histories in the order of the samples
 * @param {HistoryOrder} order
 * @returns {History[]}
 */
export function sortedHistories(histories, order) {
  if (order === "samples") return histories;
  const keys = new Map(histories.map((history) => [history, order === "changes" ? -history.changesOfMind : lastMargin(history)]));
  return [...histories].sort((one, other) => (keys.get(one) ?? 0) - (keys.get(other) ?? 0));
}

/**
 * The signed margin of the last capture. All wrong ones come before all right ones.
 * @param {History} history
 */
function lastMargin({ samples }) {
  const last = samples[samples.length - 1];
  const margin = signedMargin(last);
  return (isWrong(last) ? -2 : 0) + (Number.isFinite(margin) ? margin : 1);
}

/**
 * The shared axis: all steps of the histories, ascending, each once.
 * @param {History[]} histories
 */
export function sharedSteps(histories) {
  return [...new Set(histories.flatMap(({ steps }) => steps))].sort((one, other) => one - other);
}
