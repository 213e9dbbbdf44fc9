/** Fetches the stored arrays of samples, many samples with one request. */

import { DAMAGED, LEFT_OUT, NOT_YET, READY, REFUSED, fetchPayloads } from "./api.js";
import { errorMessage } from "./error_message.js";
import { decodePayload, NOT_STORED } from "./payload.js";

/** @import {Arrays} from "../samples/sample_arrays.js" */
/** @import {Sample} from "../types.js" */

const BATCH_SAMPLES = 64;
const BATCH_BYTES = 8 << 20;

/**
 * The result for one sample.
 * - "ready": the arrays.
 * - "failed": a problem that waiting does not solve.
 * - "pending": TensorBoard has not read the arrays yet.
 * - "omitted": the answer would have been too long. The sample has to be requested again.
 *
 * @typedef {{kind: "ready", arrays: Arrays} | {kind: "failed", problem: string} | {kind: "pending"}
 *   | {kind: "omitted"}} Outcome
 */

const CHECKSUM = "This sample's arrays are damaged: their checksum is wrong.";
const NO_ARRAYS = "The images of this run are not stored: its hook was made with images=False.";
const REFUSED_NAME =
  "TensorBoard's fast loader cannot read arrays if the run or the tag has a quote (\"), a backslash or a control " +
  "character in its name. Rename it, or start TensorBoard with --load_fast=false.";

/**
 * As many samples as one request should ask for. All have the tag of the first one.
 * @param {Iterable<Sample>} samples
 */
export function firstBatch(samples) {
  /** @type {Sample[]} */
  const batch = [];
  let bytes = 0;
  for (const sample of samples) {
    const { tag, payload } = sample;
    if (batch.length && tag !== batch[0].tag) continue;
    if (batch.length && bytes + payload.bytes > BATCH_BYTES) break;
    batch.push(sample);
    bytes += payload.bytes;
    if (batch.length === BATCH_SAMPLES) break;
  }
  return batch;
}

/**
 * @param {Sample[]} samples of one tag
 * @param {AbortSignal} signal
 * @returns {Promise<Promise<Outcome>[]>} one outcome for each sample, in their order
 */
export async function fetchBatch(samples, signal) {
  const payloads = await fetchPayloads(samples[0].tag, samples, signal);
  return payloads.map((payload, position) => outcomeOf(samples[position], payload));
}

/**
 * @param {Sample} sample
 * @param {{status: number, bytes: Uint8Array<ArrayBuffer>}} payload
 * @returns {Promise<Outcome>}
 */
async function outcomeOf(sample, { status, bytes }) {
  switch (status) {
    case READY:
      if (sample.payload.codecs[0] === NOT_STORED) return { kind: "failed", problem: NO_ARRAYS };
      try {
        return { kind: "ready", arrays: await decodePayload(sample, bytes) };
      } catch (error) {
        return { kind: "failed", problem: damagedBecause(error) };
      }
    case DAMAGED:
      return { kind: "failed", problem: CHECKSUM };
    case REFUSED:
      return { kind: "failed", problem: REFUSED_NAME };
    case LEFT_OUT:
      return { kind: "omitted" };
    case NOT_YET:
      return { kind: "pending" };
    default:
      throw new Error(`TensorBoard's answer has the status ${status}, which this page does not know.`);
  }
}

/** @param {unknown} error */
export function damagedBecause(error) {
  return `This sample's arrays are damaged: ${errorMessage(error).replace(/\.$/, "")}.`;
}

/**
 * The arrays of many samples, one batch after the other.
 * @param {Sample[]} samples
 * @param {AbortSignal} signal
 * @yields {{sample: Sample, arrays: Arrays | null}} in the order of the samples; `null` if the arrays are
 *   damaged or missing
 */
export async function* fetchArrays(samples, signal) {
  for (let first = 0; first < samples.length; ) {
    const batch = firstBatch(ofOneTag(samples, first));
    const outcomes = await Promise.all(await fetchBatch(batch, signal));
    for (const outcome of outcomes) {
      if (outcome.kind === "omitted") break;
      yield { sample: samples[first++], arrays: outcome.kind === "ready" ? outcome.arrays : null };
    }
  }
}

/**
 * The samples from a position on, up to the first one of another tag.
 * @param {Sample[]} samples
 * @param {number} first
 */
function* ofOneTag(samples, first) {
  const { tag } = samples[first];
  for (let position = first; position < samples.length && samples[position].tag === tag; position++) {
    yield samples[position];
  }
}
