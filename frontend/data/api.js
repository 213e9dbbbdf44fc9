/**
 * The requests to the back end. `tb_gradascent/plugin/http_api.md` documents them. A report has no back end; then
 * `answerFrom` names a function that answers the same requests.
 */

import { FIRST_RECORDS, RUNS_AT_FIRST } from "../state/opening.js";

/** @import {RunTags, Session, Status} from "../types.js" */

const INCOMPLETE = "TensorBoard's answer is incomplete. Reload to try again.";

/**
 * Answers a request, given by its path and query below `data/plugin/gradascent/`.
 * @typedef {(path: string, signal: AbortSignal) => Promise<Response>} Answerer
 */

/** @type {Answerer} the page's base has this path, and TensorBoard's own path prefix before it */
let ask = (path, signal) => fetch(new URL(path, document.baseURI), { signal });

/** @param {Answerer} answerer */
export function answerFrom(answerer) {
  ask = answerer;
}

/**
 * @typedef {{text: string, rows: ArrayBuffer}} RunFrame the part of an answer that is about one run
 *
 * @typedef {{record_version: number, runs: RunTags[]}} RunsAnswer
 */

/** @type {Promise<RunsAnswer> | null} */
let earlyRuns = null;
/** @type {AsyncGenerator<RunFrame[]> | null} what the back end answers for the runs that a fresh page shows */
let earlyNewest = null;

/**
 * Requests the runs and their newest records before the page is ready to show them. The next `fetchRuns` and the next
 * `fetchNewest` get the answer.
 * @param {{chooses: boolean}} link whether the page's address chooses the runs or the tag. Then only the list of runs is
 *   requested
 */
export function fetchEarly({ chooses }) {
  const { signal } = new AbortController();
  if (chooses) {
    earlyRuns = request("runs", signal).then((response) => response.json());
  } else {
    const frames = framesOf(request(`opening?most=${RUNS_AT_FIRST}&records=${FIRST_RECORDS}`, signal));
    const first = frames.next();
    earlyRuns = first.then(({ value }) => {
      if (!value) throw new Error(INCOMPLETE);
      return JSON.parse(value[0].text);
    });
    earlyNewest = afterFirst(first, frames);
  }
  earlyRuns.catch(() => {}); // `fetchRuns` reports it.
}

/**
 * All frames but the first one.
 * @param {Promise<IteratorResult<RunFrame[], void>>} first what `frames` yields first
 * @param {AsyncGenerator<RunFrame[], void>} frames
 */
async function* afterFirst(first, frames) {
  yield ((await first).value ?? []).slice(1);
  yield* frames;
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<{recordVersion: number, runs: RunTags[]}>}
 */
export async function fetchRuns(signal) {
  const early = earlyRuns;
  earlyRuns = null;
  const answer = await (early ?? (await request("runs", signal)).json());
  signal.throwIfAborted();
  return { recordVersion: answer.record_version, runs: answer.runs };
}

/**
 * A session as the route `index` lists it.
 * @typedef {object} SessionState
 * @property {number} captures
 * @property {boolean} damaged
 * @property {number | null} superseded_from
 * @property {Status | null} status
 *
 * @typedef {Session & SessionState} ListedSession
 */

/**
 * A range of captures of one session: from `first` to `end`, without `end`.
 * @typedef {{session: string, first: number, end: number}} CaptureRange
 */

/**
 * The captures that the back end returned for one range, and the range of the buffer that holds their rows.
 * @typedef {object} CaptureRecords
 * @property {number} first
 * @property {number} end
 * @property {number} unreadable
 * @property {ArrayBuffer} buffer
 * @property {number} start
 * @property {number} length
 */

/**
 * What the back end answers for one run: its sessions, sorted by their start, and its newest records; or an error.
 * @typedef {{run: string, sessions: ListedSession[], ranges: CaptureRange[], records: CaptureRecords[]}
 *   | {run: string, error: string}} RunAnswer
 */

const MOST_RUNS = 64;
/** Longer addresses are refused by some proxies. */
const LONGEST_QUERY = 16_000;

/**
 * Yields the answers for runs as soon as they have arrived.
 * @param {string[]} runs
 * @param {string} tag
 * @param {number} records about how many of the newest records, of all runs together
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<RunAnswer[]>}
 */
export async function* fetchNewest(runs, tag, records, signal) {
  const early = earlyNewest;
  earlyNewest = null;
  const left = new Set(runs);
  for await (const frames of early ?? []) {
    signal.throwIfAborted();
    const parsed = frames.map(parseFrame).filter(({ index }) => index.tag === tag && left.delete(index.run));
    if (parsed.length) yield parsed.map(runAnswer);
    else if (frames.length) break; // The user has chosen others meanwhile.
    if (!left.size) break;
  }
  const wanted = [...left];
  for (let next = 0; next < wanted.length; ) {
    const query = new URLSearchParams({ tag, records: String(records) });
    const first = next;
    do query.append("run", wanted[next++]);
    while (next < wanted.length && next - first < MOST_RUNS && `${query}`.length < LONGEST_QUERY);
    let missing = next - first;
    for await (const frames of framesOf(request(`newest?${query}`, signal))) {
      yield frames.map(parseFrame).map(runAnswer);
      missing -= frames.length;
    }
    if (missing > 0) throw new Error(INCOMPLETE);
  }
}

/** @param {RunFrame} frame */
function parseFrame({ text, rows }) {
  return { index: JSON.parse(text), rows };
}

/**
 * @param {{index: {run: string, sessions: ListedSession[], parts: string[], error?: string}, rows: ArrayBuffer}} frame
 * @returns {RunAnswer}
 */
function runAnswer({ index: { run, sessions, parts, error }, rows }) {
  if (error !== undefined) return { run, error };
  const ranges = parts.map((part) => {
    const [session, first, end] = part.split(".");
    return { session, first: Number(first), end: Number(end) };
  });
  return { run, sessions, ranges, records: readRecords(rows, ranges.length) };
}

const FRAME_HEAD = 8;

/**
 * Splits an answer of the routes `opening` and `newest` into its frames.
 * @param {Promise<Response>} response
 * @returns {AsyncGenerator<RunFrame[], void>} the frames that have arrived together
 */
async function* framesOf(response) {
  const { body } = await response;
  if (!body) throw new Error(INCOMPLETE);
  const reader = body.getReader();
  /** @type {Uint8Array[]} what has arrived and was not read yet */
  let parts = [];
  let length = 0;
  let needed = FRAME_HEAD;
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      parts.push(piece.value);
      length += piece.value.length;
      if (length < needed) continue;
      const frames = [];
      let rest = joined(parts);
      for (;;) {
        needed = FRAME_HEAD;
        if (rest.length < needed) break;
        const view = new DataView(rest.buffer, rest.byteOffset);
        const start = FRAME_HEAD + view.getUint32(0, true);
        needed = start + view.getUint32(4, true);
        if (rest.length < needed) break;
        const text = new TextDecoder().decode(rest.subarray(FRAME_HEAD, start));
        frames.push({ text, rows: rest.slice(start, needed).buffer });
        rest = rest.subarray(needed);
      }
      parts = [rest];
      length = rest.length;
      if (frames.length) yield frames;
    }
  } finally {
    // The caller can stop before the end.
    reader.cancel().catch(() => {});
  }
  if (length) throw new Error(INCOMPLETE);
}

/** @param {Uint8Array[]} parts */
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * @param {string} run
 * @param {string} tag
 * @param {CaptureRange[]} ranges
 * @param {AbortSignal} signal
 * @returns {Promise<CaptureRecords[]>} one for each range
 */
export async function fetchRecords(run, tag, ranges, signal) {
  const query = new URLSearchParams({ run, tag });
  for (const { session, first, end } of ranges) query.append("part", `${session}.${first}.${end}`);
  const answer = await (await request(`records?${query}`, signal)).arrayBuffer();
  return readRecords(answer, ranges.length);
}

/**
 * @param {ArrayBuffer} buffer
 * @param {number} count how many ranges were requested
 * @returns {CaptureRecords[]}
 */
export function readRecords(buffer, count) {
  const view = new DataView(buffer);
  const answers = [];
  let offset = 0;
  for (let position = 0; position < count; position++) {
    if (offset + 16 > buffer.byteLength) throw new Error(INCOMPLETE);
    const [first, end, unreadable, length] = [0, 4, 8, 12].map((at) => view.getUint32(offset + at, true));
    const start = offset + 16;
    offset = start + length;
    if (offset > buffer.byteLength) throw new Error(INCOMPLETE);
    answers.push({ first, end, unreadable, buffer, start, length });
  }
  return answers;
}

export const READY = 0;
export const NOT_YET = 1;
export const DAMAGED = 2;
export const LEFT_OUT = 3;
export const REFUSED = 4;

/**
 * @param {string} tag
 * @param {{run: string, address: string}[]} samples
 * @param {AbortSignal} signal
 * @returns {Promise<{status: number, bytes: Uint8Array<ArrayBuffer>}[]>} in the order of the samples
 */
export async function fetchPayloads(tag, samples, signal) {
  const answer = await (await request(`payloads?${samplesQuery(tag, samples)}`, signal)).arrayBuffer();
  return readPayloads(answer, samples.length);
}

/**
 * @param {string} tag
 * @param {{run: string, address: string}[]} samples
 * @param {Record<string, string>} link what the report shows first
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>} the samples and the page as one HTML file
 */
export async function fetchReport(tag, samples, link, signal) {
  const query = samplesQuery(tag, samples);
  for (const [name, text] of Object.entries(link)) query.append("link", `${name}=${text}`);
  return (await request(`report?${query}`, signal)).blob();
}

/**
 * @param {string} tag
 * @param {{run: string, address: string}[]} samples
 */
function samplesQuery(tag, samples) {
  const runs = [...new Set(samples.map(({ run }) => run))];
  const query = new URLSearchParams([...runs.map((run) => ["run", run]), ["tag", tag]]);
  for (const { run, address } of samples) {
    query.append("sample", runs.length > 1 ? `${runs.indexOf(run)}.${address}` : address);
  }
  return query;
}

/**
 * @param {ArrayBuffer} answer
 * @param {number} count
 */
export function readPayloads(answer, count) {
  const view = new DataView(answer);
  const payloads = [];
  let offset = 0;
  for (let position = 0; position < count; position++) {
    if (offset + 8 > answer.byteLength) throw new Error(INCOMPLETE);
    const status = view.getUint32(offset, true);
    const length = view.getUint32(offset + 4, true);
    offset += 8;
    if (offset + length > answer.byteLength) throw new Error(INCOMPLETE);
    payloads.push({ status, bytes: new Uint8Array(answer, offset, length) });
    offset += length;
  }
  return payloads;
}

/**
 * @param {string} path
 * @param {AbortSignal} signal
 */
async function request(path, signal) {
  let response;
  try {
    response = await ask(path, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error("TensorBoard does not answer. Check that it is still running.");
  }
  if (!response.ok) throw new Error(await explain(response));
  return response;
}

/** @param {Response} response */
async function explain(response) {
  try {
    const { error } = await response.json();
    if (typeof error === "string") return error;
  } catch {
    // The answer is not the back end's, but for example the error page of a proxy.
  }
  return `TensorBoard answered ${response.status} ${response.statusText}`.trim();
}
