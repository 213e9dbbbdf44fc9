/** Fetches and decodes the arrays of the samples that are wanted now, and keeps the latest. */

import { DAMAGED, NOT_YET, READY, REFUSED, fetchPayloads } from "./api.js";
import { PROBLEMS } from "./array_cache.js";
import { Pacer } from "./yielding.js";
import { decodePayload } from "./payload.js";
import { makePicture, serves } from "../drawing/picture.js";

/** @import {Picture, Raster, Sample} from "../types.js" */

const CACHE_BYTES = 128 << 20;
const BATCH_SAMPLES = 64;
const BATCH_BYTES = 8 << 20;
const REQUESTS_AT_ONCE = 2;
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;

/**
 * @typedef {object} Listener
 * @property {(sample: Sample) => Raster | undefined} rasterOf the size at which it is shown, if it is
 * @property {(sample: Sample, picture: Picture) => void} onPicture
 * @property {(sample: Sample, problem: string) => void} onProblem what is wrong with one sample
 * @property {(problem: string | null) => void} onFailure no samples can be fetched, or can again
 */

export class Loader {
  /** @type {Map<string, Picture>} the one used longest ago first */
  #pictures = new Map();
  #bytes = 0;
  /** @type {Sample[]} */
  #wanted = [];
  /** @type {Map<string, Sample>} */
  #wantedByKey = new Map();
  /** @type {Set<{controller: AbortController, samples: Sample[]}>} */
  #requests = new Set();
  /** @type {Map<string, {at: number, wait: number}>} when to ask again */
  #later = new Map();
  /** @type {Map<string, string>} what will not get better by waiting */
  #damaged = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #failed = false;
  #pacer = new Pacer();

  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
  }

  /**
   * Replaces what was wanted before. Requests that nobody waits for any more are given up.
   * @param {Sample[]} samples the most urgent first
   */
  want(samples) {
    this.#wanted = samples;
    this.#wantedByKey = new Map(samples.map((sample) => [sample.key, sample]));
    for (const request of this.#requests) {
      if (!request.samples.some(({ key }) => this.#wantedByKey.has(key))) request.controller.abort();
    }
    this.#pump();
  }

  /**
   * @param {Sample} sample
   * @returns {Picture | undefined} of the size at which it is shown now
   */
  picture(sample) {
    const { key } = sample;
    const picture = this.#pictures.get(key);
    const raster = this.listener.rasterOf(sample);
    if (!picture || !raster || !serves(picture, raster)) return undefined;
    this.#pictures.delete(key);
    this.#pictures.set(key, picture);
    return picture;
  }

  /** @param {Sample} sample */
  problem({ key }) {
    return this.#damaged.get(key) ?? (this.#later.has(key) ? NOT_THERE_YET : undefined);
  }

  /** Asks again for all that is missing. */
  retry() {
    if (this.#failed) this.listener.onFailure(null);
    this.#failed = false;
    this.#later.clear();
    this.#damaged.clear();
    this.#pump();
  }

  #pump() {
    clearTimeout(this.#timer);
    while (!this.#failed && this.#requests.size < REQUESTS_AT_ONCE) {
      const batch = this.#nextBatch();
      if (!batch.length) break;
      this.#request(batch);
    }
    this.#wakeUp();
  }

  /** Samples of one run, as many as make a good request. */
  #nextBatch() {
    const now = performance.now();
    const asked = new Set([...this.#requests].flatMap(({ samples }) => samples.map(({ key }) => key)));
    /** @type {Sample[]} */
    const batch = [];
    let bytes = 0;
    for (const sample of this.#wanted) {
      const { key, run, tag, payload } = sample;
      // Nothing that is fetched would do. Whoever shows it later says anew what is wanted.
      if (!this.listener.rasterOf(sample)) continue;
      if (this.#damaged.has(key) || asked.has(key) || this.picture(sample)) continue;
      if ((this.#later.get(key)?.at ?? 0) > now) continue;
      if (batch.length && (run !== batch[0].run || tag !== batch[0].tag)) continue;
      if (batch.length && bytes + payload.bytes > BATCH_BYTES) break;
      batch.push(sample);
      bytes += payload.bytes;
      if (batch.length === BATCH_SAMPLES) break;
    }
    return batch;
  }

  /** @param {Sample[]} samples of one run and tag */
  async #request(samples) {
    const controller = new AbortController();
    const request = { controller, samples };
    this.#requests.add(request);
    const { run, tag } = samples[0];
    try {
      const addresses = samples.map(({ address }) => address);
      const payloads = await fetchPayloads(run, tag, addresses, controller.signal);
      await Promise.all(payloads.map((payload, place) => this.#receive(samples[place], payload)));
      this.listener.onFailure(null);
    } catch (error) {
      if (!controller.signal.aborted) {
        this.#failed = true;
        this.listener.onFailure(error instanceof Error ? error.message : String(error));
      }
    }
    this.#requests.delete(request);
    this.#pump();
  }

  /**
   * @param {Sample} sample
   * @param {{status: number, bytes: Uint8Array<ArrayBuffer>}} payload
   */
  async #receive(sample, { status, bytes }) {
    if (status === READY) {
      try {
        const arrays = await decodePayload(sample, bytes);
        await this.#pacer.turn();
        this.#keep(sample, makePicture(sample, arrays, this.listener.rasterOf(sample)));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#giveUp(sample, `Its arrays are damaged: ${reason.replace(/\.$/, "")}.`);
      }
    } else if (status === DAMAGED || status === REFUSED) {
      this.#giveUp(sample, PROBLEMS[status]);
    } else {
      const wait = Math.min(2 * (this.#later.get(sample.key)?.wait ?? FIRST_WAIT / 2), LONGEST_WAIT);
      this.#later.set(sample.key, { at: performance.now() + wait, wait });
      if (status === NOT_YET) this.listener.onProblem(sample, NOT_THERE_YET);
    }
  }

  /**
   * @param {Sample} sample
   * @param {Picture} picture
   */
  #keep(sample, picture) {
    this.#later.delete(sample.key);
    this.#bytes += picture.bytes - (this.#pictures.get(sample.key)?.bytes ?? 0);
    this.#pictures.set(sample.key, picture);
    for (const [key, { bytes }] of this.#pictures) {
      if (this.#bytes <= CACHE_BYTES) break;
      if (this.#wantedByKey.has(key)) continue;
      this.#pictures.delete(key);
      this.#bytes -= bytes;
    }
    this.listener.onPicture(sample, picture);
  }

  /**
   * @param {Sample} sample
   * @param {string} problem
   */
  #giveUp(sample, problem) {
    this.#damaged.set(sample.key, problem);
    this.listener.onProblem(sample, problem);
  }

  /** Comes back when the first of the waiting samples is due. */
  #wakeUp() {
    const due = this.#wanted.map(({ key }) => this.#later.get(key)?.at ?? Infinity);
    const wait = Math.min(...due, Infinity) - performance.now();
    if (wait < Infinity && !this.#failed) this.#timer = setTimeout(() => this.#pump(), Math.max(wait, 50));
  }
}

const NOT_THERE_YET = "Its arrays are not there yet. They are asked for again.";
