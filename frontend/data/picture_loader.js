/** Loads the pictures of the samples that the page shows now, and keeps the latest ones. */

import { makePicture, fitsRaster } from "../drawing/picture.js";
import { errorMessage } from "./error_message.js";
import { damagedBecause, fetchBatch, firstBatch } from "./payload_batches.js";
import { Yielder } from "./yielding.js";

/** @import {Picture, Raster, Sample} from "../types.js" */
/** @import {Outcome} from "./payload_batches.js" */

const CACHE_BYTES = 128 << 20;
const REQUESTS_AT_ONCE = 2;
/** A sample that is not available yet is requested again after this time, then after twice this time, and so on. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const SHORTEST_TIMER_MS = 50;
/** The first pictures come with few pauses. The user cannot scroll yet, and each pause costs another paint of the page. */
const FIRST_PICTURES = 32;
const FIRST_SLICE_MS = 40;
const PENDING = "This sample's arrays are not available yet. The page requests them again.";

/**
 * @typedef {object} Listener
 * @property {(sample: Sample) => Raster | undefined} rasterOf the size of the sample's picture; `undefined` if
 *   the page does not show it
 * @property {(sample: Sample, picture: Picture) => void} onPicture
 * @property {(sample: Sample, problem: string) => void} onProblem one sample cannot be shown
 * @property {(problem: string | null) => void} onFailure requests fail; `null`: they succeed again
 */

export class PictureLoader {
  /** @type {Map<string, Picture>} by the sample's key, the least recently used first */
  #pictures = new Map();
  #bytes = 0;
  /** @type {Sample[]} */
  #wanted = [];
  /** @type {Map<string, Sample>} */
  #wantedByKey = new Map();
  /** @type {Set<{controller: AbortController, samples: Sample[]}>} */
  #requests = new Set();
  /** @type {Map<string, {at: number, wait: number}>} when to request a sample again, in milliseconds */
  #later = new Map();
  /** @type {Map<string, string>} problems that waiting does not solve */
  #failed = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isBroken = false;
  /** @type {(() => void)[]} */
  #whenSettled = [];
  #yielder = new Yielder();

  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
  }

  /**
   * Says which samples the page shows now, instead of those before. Requests for none of them are given up.
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
   * @returns {Picture | undefined} the picture at the size at which it is shown now, if it is loaded
   */
  picture(sample) {
    const { key } = sample;
    const picture = this.#pictures.get(key);
    const raster = this.listener.rasterOf(sample);
    if (!picture || !raster || !fitsRaster(picture, raster)) return undefined;
    this.#pictures.delete(key);
    this.#pictures.set(key, picture);
    return picture;
  }

  /** @param {Sample} sample */
  problem({ key }) {
    return this.#failed.get(key) ?? (this.#later.has(key) ? PENDING : undefined);
  }

  /** Requests everything again that is missing. */
  retry() {
    if (this.#isBroken) this.listener.onFailure(null);
    this.#isBroken = false;
    this.#later.clear();
    this.#failed.clear();
    this.#pump();
  }

  /** Waits until no picture is requested that could come at once. */
  settled() {
    if (!this.#requests.size) return Promise.resolve();
    return new Promise((/** @type {(value: void) => void} */ resolve) => this.#whenSettled.push(resolve));
  }

  #pump() {
    clearTimeout(this.#timer);
    while (!this.#isBroken && this.#requests.size < REQUESTS_AT_ONCE) {
      const batch = firstBatch(this.#missing());
      if (!batch.length) break;
      this.#request(batch);
    }
    this.#wakeUp();
  }

  /** The samples to request now, the most urgent first. */
  *#missing() {
    const now = performance.now();
    const requested = new Set([...this.#requests].flatMap(({ samples }) => samples.map(({ key }) => key)));
    for (const sample of this.#wanted) {
      const { key } = sample;
      // A picture without a size cannot be made. A view that shows the sample later calls `want` again.
      if (!this.listener.rasterOf(sample)) continue;
      if (this.#failed.has(key) || requested.has(key) || this.picture(sample)) continue;
      if ((this.#later.get(key)?.at ?? 0) > now) continue;
      yield sample;
    }
  }

  /** @param {Sample[]} samples of one tag */
  async #request(samples) {
    const controller = new AbortController();
    const request = { controller, samples };
    this.#requests.add(request);
    try {
      const outcomes = await fetchBatch(samples, controller.signal);
      await Promise.all(outcomes.map(async (outcome, position) => this.#receive(samples[position], await outcome)));
      this.listener.onFailure(null);
    } catch (error) {
      if (!controller.signal.aborted) {
        this.#isBroken = true;
        this.listener.onFailure(errorMessage(error));
      }
    }
    this.#requests.delete(request);
    this.#pump();
    if (!this.#requests.size) for (const settle of this.#whenSettled.splice(0)) settle();
  }

  /**
   * @param {Sample} sample
   * @param {Outcome} outcome
   */
  async #receive(sample, outcome) {
    if (outcome.kind === "ready") {
      await this.#yielder.turn(this.#pictures.size < FIRST_PICTURES ? FIRST_SLICE_MS : undefined);
      try {
        this.#keep(sample, makePicture(sample, outcome.arrays, this.listener.rasterOf(sample)));
      } catch (error) {
        this.#giveUp(sample, damagedBecause(error));
      }
    } else if (outcome.kind === "failed") {
      this.#giveUp(sample, outcome.problem);
    } else {
      const wait = Math.min(2 * (this.#later.get(sample.key)?.wait ?? FIRST_WAIT_MS / 2), LONGEST_WAIT_MS);
      this.#later.set(sample.key, { at: performance.now() + wait, wait });
      if (outcome.kind === "pending") this.listener.onProblem(sample, PENDING);
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
    this.#failed.set(sample.key, problem);
    this.listener.onProblem(sample, problem);
  }

  /** Sets a timer for the first sample that has to be requested again. */
  #wakeUp() {
    const due = this.#wanted.map(({ key }) => this.#later.get(key)?.at ?? Infinity);
    const wait = Math.min(...due, Infinity) - performance.now();
    if (wait === Infinity || this.#isBroken) return;
    this.#timer = setTimeout(() => this.#pump(), Math.max(wait, SHORTEST_TIMER_MS));
  }
}
