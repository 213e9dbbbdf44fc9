/** Keeps the page in step with the back end: it fetches the runs, and the samples of the ticked runs. */

import { tagInUse, tickedRuns } from "../state/selectors.js";
import { fetchRuns } from "./api.js";
import { errorMessage } from "./error_message.js";
import { RunIndexReader } from "./run_index_reader.js";

/** @import {State} from "../state/state.js" */
/** @import {RunIndex, RunTags} from "../types.js" */

/**
 * @typedef {object} SyncListener
 * @property {() => State} state the present state
 * @property {() => boolean} isHidden whether the page is hidden: then nothing is fetched
 * @property {(runs: RunTags[], recordVersion: number) => void} onRuns
 * @property {(index: RunIndex) => void} onIndex is called several times while a large run is read
 * @property {(busy: boolean) => void} onBusy
 * @property {(problems: string[]) => void} onEnd is called at the end of each round that was not given up
 */

export class Sync {
  #listener;
  /** @type {Map<string, RunIndexReader>} by run and tag */
  #readers = new Map();
  #round = new AbortController();
  #isBusy = false;
  #isStale = true;

  /** @param {SyncListener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** Whether everything has to be fetched again: at the start, and from a reload to the end of its round. */
  get isStale() {
    return this.#isStale;
  }

  /** Fetches the runs, and everything that is new in the ticked runs. */
  reload() {
    this.#isStale = true;
    return this.update();
  }

  /** Starts a round that did not happen because the page was hidden. */
  resume() {
    if (this.#isStale && !this.#isBusy) this.update();
  }

  /** Fetches everything that the present state needs and that is not loaded yet. An earlier round is given up. */
  async update() {
    this.#round.abort();
    if (this.#listener.isHidden()) {
      this.#setBusy(false);
      return;
    }
    this.#round = new AbortController();
    const { signal } = this.#round;
    this.#setBusy(true);
    const problems = await this.#fetchAll(signal);
    if (signal.aborted) return;
    this.#isStale = false;
    this.#setBusy(false);
    this.#listener.onEnd(problems);
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<string[]>} what failed
   */
  async #fetchAll(signal) {
    const { state, onRuns } = this.#listener;
    try {
      if (this.#isStale || !state().runs) {
        const { runs, recordVersion } = await fetchRuns(signal);
        onRuns(runs, recordVersion);
      }
    } catch (error) {
      return [`The list of runs could not be loaded. ${errorMessage(error)}`];
    }
    const tag = tagInUse(state());
    if (tag === null) return [];
    const problems = await Promise.all(tickedRuns(state()).map((run) => this.#fetchIndex(run, tag, signal)));
    return problems.filter((problem) => problem !== null);
  }

  /**
   * @param {string} run
   * @param {string} tag
   * @param {AbortSignal} signal
   * @returns {Promise<string | null>} what failed
   */
  async #fetchIndex(run, tag, signal) {
    const reader = this.#reader(run, tag);
    if (!this.#isStale && this.#listener.state().indexes.has(run) && reader.isWhole) return null;
    try {
      await reader.update(signal, (index) => {
        if (!signal.aborted) this.#listener.onIndex(index);
      });
      return null;
    } catch (error) {
      return `The samples of ${run} could not be loaded. ${errorMessage(error)}`;
    }
  }

  /**
   * @param {string} run
   * @param {string} tag
   */
  #reader(run, tag) {
    const key = JSON.stringify([run, tag]);
    const reader = this.#readers.get(key) ?? new RunIndexReader(run, tag);
    this.#readers.set(key, reader);
    return reader;
  }

  /** @param {boolean} busy */
  #setBusy(busy) {
    this.#isBusy = busy;
    this.#listener.onBusy(busy);
  }
}
