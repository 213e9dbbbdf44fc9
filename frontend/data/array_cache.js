/** The full arrays of the samples that were opened last. The grid keeps only pictures at screen size. */

import { fetchBatch } from "./payload_batches.js";

/** @import {Arrays} from "../samples/sample_arrays.js" */
/** @import {Sample} from "../types.js" */

const MOST_KEPT = 8;
const PENDING = "This sample's arrays are not available yet. Try again after TensorBoard has read more of the log.";

export class ArrayCache {
  /** @type {Map<string, Promise<Arrays>>} by the sample's key, the least recently used first */
  #kept = new Map();

  /**
   * @param {Sample} sample
   * @returns {Promise<Arrays>} is rejected with the problem in words; the next call then fetches again
   */
  get(sample) {
    const { key } = sample;
    const arrays = this.#kept.get(key) ?? fetchOne(sample);
    this.#kept.delete(key);
    this.#kept.set(key, arrays);
    if (this.#kept.size > MOST_KEPT) {
      const [oldest] = this.#kept.keys();
      this.#kept.delete(oldest);
    }
    arrays.catch(() => this.#kept.delete(key));
    return arrays;
  }
}

/** @param {Sample} sample */
async function fetchOne(sample) {
  const [answer] = await fetchBatch([sample], new AbortController().signal);
  const outcome = await answer;
  if (outcome.kind === "ready") return outcome.arrays;
  throw new Error(outcome.kind === "failed" ? outcome.problem : PENDING);
}
