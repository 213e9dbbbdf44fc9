/** All that the page asks of its back end, as `tb_gradascent/http_api.md` lists it. */

/** @import {Index, RunTags, Sample, Session} from "./types.js" */

/**
 * @param {AbortSignal} signal
 * @returns {Promise<RunTags[]>}
 */
export async function fetchRuns(signal) {
  const answer = await (await request("runs", signal)).json();
  return answer.runs;
}

/**
 * An index together with the text that it was read from, so that an answer that did not change
 * costs no parsing and no drawing.
 * @typedef {{text: string, index: Index}} IndexAnswer
 */

/**
 * @param {string} run
 * @param {string} tag
 * @param {AbortSignal} signal
 * @param {IndexAnswer} [previous] returned itself where nothing changed
 * @returns {Promise<IndexAnswer>}
 */
export async function fetchIndex(run, tag, signal, previous) {
  const query = new URLSearchParams({ run, tag });
  const text = await (await request(`index?${query}`, signal)).text();
  return text === previous?.text ? previous : { text, index: readIndex(JSON.parse(text)) };
}

export const READY = 0;
export const NOT_YET = 1;
export const DAMAGED = 2;
export const LEFT_OUT = 3;

/**
 * @param {string} run
 * @param {string} tag
 * @param {string[]} addresses
 * @param {AbortSignal} signal
 * @returns {Promise<{status: number, bytes: Uint8Array<ArrayBuffer>}[]>} in the order asked
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
  for (let place = 0; place < count; place++) {
    if (offset + 8 > answer.byteLength) throw new Error("TensorBoard's answer ended too early");
    const status = view.getUint32(offset, true);
    const length = view.getUint32(offset + 4, true);
    offset += 8;
    if (offset + length > answer.byteLength) throw new Error("TensorBoard's answer was cut short");
    payloads.push({ status, bytes: new Uint8Array(answer, offset, length) });
    offset += length;
  }
  return payloads;
}

/**
 * The index with every sample's session in place, and every number a number: those that JSON lacks
 * come as strings.
 * @param {any} answer
 * @returns {Index}
 */
export function readIndex(answer) {
  const { run, tag, counts } = answer;
  /** @type {Session[]} */
  const sessions = answer.sessions;
  /** @type {Sample[]} */
  const samples = answer.samples.map((/** @type {any} */ record) => {
    const session = sessions[record.session];
    const address = `${session.session}.${record.capture}.${record.index}`;
    return {
      ...record,
      key: `${run}|${address}`,
      address,
      run,
      tag,
      session,
      margin: Number(record.margin),
      entropy: Number(record.entropy),
      loss: record.loss === null ? null : Number(record.loss),
      probabilities: record.probabilities.map(Number),
      strengths: record.strengths.map(Number),
      targets: record.targets.map((/** @type {any} */ target) => ({
        ...target,
        probabilities: target.probabilities.map(Number),
        original_probabilities: (target.original_probabilities ?? target.probabilities).map(Number),
        gradient_norm: Number(target.gradient_norm),
        delta_norm: target.delta_norm === null ? null : Number(target.delta_norm),
      })),
    };
  });
  return { run, tag, counts, samples };
}

/**
 * @param {string} path relative to the page, so that a path prefix is kept
 * @param {AbortSignal} signal
 */
async function request(path, signal) {
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error("TensorBoard does not answer. Is it still running?");
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
    // Not the back end's own words: a proxy's page, say.
  }
  return `TensorBoard answered ${response.status} ${response.statusText}`.trim();
}
