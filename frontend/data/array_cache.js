/** Full arrays, fetched when somebody asks for them: the grid keeps copies for the screen only. */

import { DAMAGED, LEFT_OUT, NOT_YET, READY, REFUSED, fetchPayloads } from "./api.js";
import { decodePayload } from "./payload.js";

/** @import {Sample} from "../types.js" */

/** @typedef {Float32Array<ArrayBuffer>[]} Arrays image, then gradient and delta (where there is one) of each target */

const MOST_KEPT = 8;
const BATCH_SAMPLES = 64;
const BATCH_BYTES = 8 << 20;

/** @type {Record<number, string>} what is wrong with arrays that are not there */
export const PROBLEMS = {
  [NOT_YET]: "Its arrays are not there yet. Try again when TensorBoard has read on.",
  [DAMAGED]: "Its arrays are damaged: their checksum is not the recorded one.",
  [REFUSED]:
    'TensorBoard\'s fast loader reads no arrays of a run or tag whose name holds a quote ("), a backslash or a ' +
    "control character. Rename it, or start TensorBoard with --load_fast=false.",
};

/** The arrays of the few samples that were looked at last. */
export class ArrayCache {
  /** @type {Map<string, Promise<Arrays>>} the one used longest ago first */
  #kept = new Map();

  /**
   * @param {Sample} sample
   * @returns {Promise<Arrays>} rejected with what is wrong, in words; asked again, it is fetched again
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
  const [arrays] = await fetchBatch([sample], new AbortController().signal);
  if (!Array.isArray(arrays)) throw new Error(arrays);
  return arrays;
}

/**
 * The arrays of many samples, one batch after the other.
 * @param {Sample[]} samples
 * @param {AbortSignal} signal
 * @yields {{sample: Sample, arrays: Arrays | null}} `null` where they are damaged or not there, in the
 *   order of the samples
 */
export async function* fetchArrays(samples, signal) {
  for (let first = 0; first < samples.length; ) {
    const batch = batchFrom(samples, first);
    const answers = await fetchBatch(batch, signal);
    for (const [place, arrays] of answers.entries()) {
      yield { sample: batch[place], arrays: Array.isArray(arrays) ? arrays : null };
    }
    first += answers.length;
  }
}

/**
 * @param {Sample[]} samples
 * @param {number} first
 * @returns {Sample[]} of one run and tag, as many as make a good request
 */
function batchFrom(samples, first) {
  const { run, tag } = samples[first];
  let bytes = 0;
  let end = first;
  while (end < samples.length && end - first < BATCH_SAMPLES) {
    const { run: itsRun, tag: itsTag, payload } = samples[end];
    if (itsRun !== run || itsTag !== tag || (end > first && bytes + payload.bytes > BATCH_BYTES)) break;
    bytes += payload.bytes;
    end++;
  }
  return samples.slice(first, end);
}

/**
 * @param {Sample[]} samples of one run and tag
 * @param {AbortSignal} signal
 * @returns {Promise<(Arrays | string)[]>} arrays, or what is wrong with them; fewer than asked where the
 *   answer would have been too long
 */
async function fetchBatch(samples, signal) {
  const [{ run, tag }] = samples;
  const addresses = samples.map(({ address }) => address);
  const payloads = await fetchPayloads(run, tag, addresses, signal);
  const end = payloads.findIndex(({ status }) => status === LEFT_OUT);
  return Promise.all(
    payloads.slice(0, end < 0 ? undefined : end).map(async ({ status, bytes }, place) => {
      if (status !== READY) return PROBLEMS[status] ?? PROBLEMS[NOT_YET];
      try {
        return /** @type {Arrays} */ (await decodePayload(samples[place], bytes));
      } catch (error) {
        return `Its arrays are damaged: ${error instanceof Error ? error.message : error}.`;
      }
    }),
  );
}
