/** The requests to the back end. `tb_gradascent/plugin/http_api.md` documents them. */

/** @import {RunTags, Session, Status} from "../types.js" */

const INCOMPLETE = "TensorBoard's answer is incomplete. Reload to try again.";

/**
 * @param {AbortSignal} signal
 * @returns {Promise<{recordVersion: number, runs: RunTags[]}>}
 */
export async function fetchRuns(signal) {
  const answer = await (await request("runs", signal)).json();
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
 * @param {string} run
 * @param {string} tag
 * @param {AbortSignal} signal
 * @returns {Promise<ListedSession[]>} sorted by their start
 */
export async function fetchSessions(run, tag, signal) {
  const query = new URLSearchParams({ run, tag });
  return (await (await request(`index?${query}`, signal)).json()).sessions;
}

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
 * @param {string} run
 * @param {string} tag
 * @param {string[]} addresses
 * @param {AbortSignal} signal
 * @returns {Promise<{status: number, bytes: Uint8Array<ArrayBuffer>}[]>} in the order of the addresses
 */
export async function fetchPayloads(run, tag, addresses, signal) {
  const query = new URLSearchParams({ run, tag });
  for (const address of addresses) query.append("sample", address);
  const answer = await (await request(`payloads?${query}`, signal)).arrayBuffer();
  return readPayloads(answer, addresses.length);
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
 * @param {string} path relative to the page, because TensorBoard may run below a path prefix
 * @param {AbortSignal} signal
 */
async function request(path, signal) {
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { signal });
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
