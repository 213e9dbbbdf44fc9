/**
 * Reads the samples of one tag of one run, from the newest capture backwards. Later rounds read only new captures. So
 * the first samples of a large run appear quickly.
 */

import { fetchRecords } from "./api.js";
import { byStep } from "../samples/sort_orders.js";
import { readRows } from "./record_rows.js";

/** @import {RunIndex, RunSession, Sample, Session, Status} from "../types.js" */
/** @import {ListedSession, CaptureRange, CaptureRecords, RunAnswer} from "./api.js" */

const MOST_RANGES = 256;

/**
 * A range of a session's captures that has been read.
 * @typedef {{first: number, end: number, samples: Sample[], unreadable: number, dropped: number}} Chunk
 */

/**
 * @typedef {object} KnownSession a session, and what has been read of it
 * @property {Session} session
 * @property {number} captures the number after that of its last capture
 * @property {boolean} damaged
 * @property {number} supersededFrom
 * @property {Status | null} status
 * @property {Chunk[]} chunks sorted, without overlap
 */

export class RunIndexReader {
  /** @type {Map<string, KnownSession>} by their names, sorted by their start */
  #sessions = new Map();
  /** @type {RunIndex | null} */
  #index = null;
  #changed = true;
  /** Whether the last round read everything. A round that is given up does not. */
  isWhole = false;

  /**
   * @param {string} run
   * @param {string} tag
   */
  constructor(run, tag) {
    this.run = run;
    this.tag = tag;
  }

  /** Whether anything was read. Then an update needs only the list of sessions. */
  get isKnown() {
    return this.#index !== null;
  }

  /**
   * Takes the answer that lists the sessions and holds the newest records.
   * @param {Extract<RunAnswer, {sessions: ListedSession[]}>} answer
   * @returns {RunIndex} what has been read; the same object as before if nothing changed
   */
  begin({ sessions, ranges, records }) {
    this.list(sessions);
    this.add(ranges, records);
    this.isWhole = !this.missing().length;
    return this.index();
  }

  /**
   * Fetches the captures that have not been read yet.
   * @param {AbortSignal} signal
   * @param {(index: RunIndex) => void} onIndex is called whenever the number of samples has doubled, and at the end
   */
  async finish(signal, onIndex) {
    let wanted = this.missing();
    while (wanted.length) {
      const answers = await fetchRecords(this.run, this.tag, wanted, signal);
      signal.throwIfAborted();
      if (!this.add(wanted, answers)) break;
      wanted = this.missing();
      if (wanted.length && this.count() >= 2 * (this.#index?.samples.length ?? 0)) onIndex(this.index());
    }
    this.isWhole = true;
    // What could not be read is not waited for.
    this.#changed ||= wanted.length > 0;
    onIndex(this.index());
  }

  /** @param {ListedSession[]} listed */
  list(listed) {
    /** @type {Map<string, KnownSession>} */
    const sessions = new Map();
    for (const { captures, damaged, superseded_from, status, ...session } of listed) {
      const before = this.#sessions.get(session.session);
      const supersededFrom = superseded_from ?? Infinity;
      this.#changed ||= !before || before.supersededFrom !== supersededFrom || before.damaged !== damaged;
      this.#changed ||= JSON.stringify(before?.status) !== JSON.stringify(status);
      sessions.set(session.session, {
        // The constants of a session without captures lack the class names.
        session: before?.captures ? before.session : session,
        captures,
        damaged,
        supersededFrom,
        status,
        chunks: before?.chunks ?? [],
      });
    }
    this.#changed ||= sessions.size !== this.#sessions.size;
    this.#sessions = sessions;
  }

  /**
   * The captures that have not been read yet, the newest first.
   * @returns {CaptureRange[]}
   */
  missing() {
    /** @type {CaptureRange[]} */
    const ranges = [];
    for (const { session, captures, chunks } of [...this.#sessions.values()].reverse()) {
      let end = captures;
      for (const chunk of [...chunks.toReversed(), { first: -1, end: 0 }]) {
        if (chunk.end < end && ranges.length < MOST_RANGES) {
          ranges.push({ session: session.session, first: chunk.end, end });
        }
        end = Math.min(end, chunk.first);
      }
    }
    return ranges;
  }

  /**
   * @param {CaptureRange[]} ranges the requested ranges
   * @param {CaptureRecords[]} answers one for each range
   * @returns {boolean} whether they contain new captures
   */
  add(ranges, answers) {
    let progress = false;
    answers.forEach(({ first, end, unreadable, buffer, start, length }, position) => {
      const known = this.#sessions.get(ranges[position].session);
      if (!known || first >= end) return;
      const source = { run: this.run, tag: this.tag, session: known.session };
      const { samples, dropped } = readRows(buffer, start, start + length, source);
      known.chunks.push({ first, end, samples, unreadable, dropped });
      known.chunks.sort((one, other) => one.first - other.first);
      progress = true;
    });
    this.#changed ||= progress;
    return progress;
  }

  /** How many samples have been read, with the superseded ones. */
  count() {
    let count = 0;
    for (const { chunks } of this.#sessions.values()) {
      for (const { samples } of chunks) count += samples.length;
    }
    return count;
  }

  /**
   * Everything that has been read. It is the same object until something changes.
   * @returns {RunIndex}
   */
  index() {
    if (!this.#index || this.#changed) {
      this.#changed = false;
      const { run, tag } = this;
      const sessions = [...this.#sessions.values()];
      this.#index = { run, tag, ...gather(sessions), reading: this.isWhole ? null : progressOf(sessions) };
    }
    return this.#index;
  }
}

/** @param {KnownSession[]} sessions */
function progressOf(sessions) {
  const chunks = sessions.flatMap((session) => session.chunks);
  return {
    read: chunks.reduce((sum, { first, end }) => sum + end - first, 0),
    all: sessions.reduce((sum, { captures }) => sum + captures, 0),
  };
}

/** @param {KnownSession[]} sessions */
function gather(sessions) {
  const counts = { samples: 0, unreadable: 0, superseded: 0, dropped: 0 };
  /** @type {Sample[]} */
  const samples = [];
  /** @type {RunSession[]} */
  const recorded = [];
  for (const { session, captures, damaged, supersededFrom, status, chunks } of sessions) {
    const before = samples.length;
    let dropped = status?.dropped ?? 0;
    for (const chunk of chunks) {
      counts.unreadable += chunk.unreadable;
      dropped = Math.max(dropped, chunk.dropped);
      for (const sample of chunk.samples) {
        if (sample.step < supersededFrom) samples.push(sample);
        else counts.superseded++;
      }
    }
    counts.unreadable += Number(damaged);
    counts.dropped += dropped;
    recorded.push({ session, captures, shown: samples.length - before, status });
  }
  counts.samples = samples.length;
  samples.sort((one, other) => byStep(one, other) || one.index - other.index);
  return { counts, samples, sessions: recorded };
}
