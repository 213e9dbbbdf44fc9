/** Keeps the page in step with the back end: it fetches the runs, and the samples of the ticked runs. */

import { FIRST_RECORDS } from "../state/opening.js";
import { tagInUse, tickedRuns } from "../state/selectors.js";
import { fetchNewest, fetchRuns } from "./api.js";
import { errorMessage } from "./error_message.js";
import { RunIndexReader } from "./run_index_reader.js";

/** @import {State} from "../state/state.js" */
/** @import {RunIndex, RunTags} from "../types.js" */

/** After the page has shown news, it waits for this many times as long as that took. */
const REST = 4;
/** While the user scrolls, news waits for at most this many milliseconds. It is checked this often. */
const LONGEST_WAIT_MS = 5_000;
const SCROLL_CHECK_MS = 50;

/**
 * @typedef {object} SyncListener
 * @property {() => State} state the present state
 * @property {() => boolean} isScrolling whether the user scrolls. To show news then would make the page jerk
 * @property {() => boolean} isHidden whether the page is hidden: then nothing is fetched
 * @property {(runs: RunTags[], recordVersion: number) => void} onRuns
 * @property {(indexes: RunIndex[]) => void} onIndexes is called several times while much is read. Its time is measured,
 *   so that showing takes a small part of the time, however many runs there are
 * @property {() => Promise<void>} whenPainted waits until the samples that were read so far are painted
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
  /** @type {Map<string, RunIndex>} what was read and not shown yet, by run */
  #unshown = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} runs while nothing is shown */
  #rest;

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
    this.#showNow();
    this.#round.abort();
    if (this.#listener.isHidden()) {
      this.#setBusy(false);
      return;
    }
    this.#round = new AbortController();
    const { signal } = this.#round;
    this.#setBusy(true);
    const problems = await this.#fetchAll(signal);
    await this.#whenStill(signal);
    if (signal.aborted) return;
    this.#showNow();
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
    const { indexes } = state();
    const readers = tickedRuns(state()).map((run) => this.#reader(run, tag));
    const wanted = readers.filter(({ run, isWhole }) => this.#isStale || !indexes.has(run) || !isWhole);
    const problems = await Promise.all([
      this.#fetchRuns(wanted.filter(({ isKnown }) => !isKnown), tag, FIRST_RECORDS, signal),
      this.#fetchRuns(wanted.filter(({ isKnown }) => isKnown), tag, 0, signal),
    ]);
    return problems.flat();
  }

  /**
   * @param {RunIndexReader[]} readers
   * @param {string} tag
   * @param {number} records how many of the newest records the first answer should hold
   * @param {AbortSignal} signal
   * @returns {Promise<string[]>} what failed
   */
  async #fetchRuns(readers, tag, records, signal) {
    if (!readers.length) return [];
    /** @type {Map<string, string>} */
    const problems = new Map();
    const left = new Map(readers.map((reader) => [reader.run, reader]));
    const onIndexes = (/** @type {RunIndex[]} */ indexes) => {
      if (!signal.aborted) this.#showSoon(indexes);
    };
    /** @type {RunIndexReader[]} */
    const begun = [];
    try {
      for await (const answers of fetchNewest([...left.keys()], tag, records, signal)) {
        /** @type {RunIndex[]} */
        const indexes = [];
        for (const answer of answers) {
          const reader = left.get(answer.run);
          left.delete(answer.run);
          if ("error" in answer) problems.set(answer.run, answer.error);
          else if (reader) {
            indexes.push(reader.begin(answer));
            begun.push(reader);
          }
        }
        onIndexes(indexes);
      }
    } catch (error) {
      for (const run of left.keys()) problems.set(run, errorMessage(error));
    }
    const unfinished = begun.filter((reader) => !reader.isWhole);
    if (unfinished.length && !signal.aborted) {
      this.#showNow();
      await this.#listener.whenPainted();
    }
    await Promise.all(
      unfinished.map(async (reader) => {
        try {
          await reader.finish(signal, (index) => onIndexes([index]));
        } catch (error) {
          problems.set(reader.run, errorMessage(error));
        }
      }),
    );
    return readers.flatMap(({ run }) => {
      const problem = problems.get(run);
      return problem === undefined ? [] : [`The samples of ${run} could not be loaded. ${problem}`];
    });
  }

  /**
   * Shows these indexes now. If the page showed news a moment ago, they wait for the next time.
   * @param {RunIndex[]} indexes
   */
  #showSoon(indexes) {
    for (const index of indexes) this.#unshown.set(index.run, index);
    if (this.#rest === undefined) this.#showWhenStill();
  }

  async #showWhenStill() {
    const { signal } = this.#round;
    await this.#whenStill(signal);
    // A later round shows what was read so far.
    if (!signal.aborted && this.#rest === undefined) this.#showNow();
  }

  /**
   * Waits while the user scrolls.
   * @param {AbortSignal} signal ends the wait
   */
  async #whenStill(signal) {
    const end = performance.now() + LONGEST_WAIT_MS;
    while (this.#listener.isScrolling() && performance.now() < end && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, SCROLL_CHECK_MS));
    }
  }

  #showNow() {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    if (!this.#unshown.size) return;
    const indexes = [...this.#unshown.values()];
    this.#unshown.clear();
    const start = performance.now();
    this.#listener.onIndexes(indexes);
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.#showWhenStill();
    }, REST * (performance.now() - start));
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
