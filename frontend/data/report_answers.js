/**
 * What a report holds in place of a back end: it answers the page's requests from one block of JSON. The block is
 * made by `tb_gradascent/plugin/report_page.py`.
 */

import { DAMAGED, READY, joined } from "./api.js";

/** @import {Answerer} from "./api.js" */

/**
 * @typedef {object} Report
 * @property {string} title
 * @property {Record<string, string>} link what the page shows first
 * @property {unknown} runs the answer of the route `runs`
 * @property {[run: string, tag: string, answer: string][]} newest the answers of the route `newest`, in base64
 * @property {[run: string, tag: string, address: string, payload: string][]} payloads in base64
 */


/**
 * @param {Report} report
 * @returns {Answerer}
 */
export function reportAnswers({ runs, newest, payloads }) {
  const answers = new Map(newest.map(([run, tag, answer]) => [JSON.stringify([run, tag]), answer]));
  const arrays = new Map(payloads.map(([run, tag, address, text]) => [JSON.stringify([run, tag, address]), text]));
  return async (path) => {
    const [route, query] = path.split("?");
    const fields = new URLSearchParams(query);
    const [tag, of] = [fields.get("tag"), fields.getAll("run")];
    switch (route) {
      case "runs":
        return Response.json(runs);
      case "newest":
        return new Response(joined(of.map((run) => bytesOf(answers.get(JSON.stringify([run, tag])) ?? ""))));
      case "payloads":
        return new Response(
          joined(
            fields.getAll("sample").flatMap((sample) => {
              const [run, address] = of.length > 1 ? splitAt(sample) : [0, sample];
              return payloadOf(arrays.get(JSON.stringify([of[run], tag, address])));
            }),
          ),
        );
      default:
        return Response.json({ error: "A report holds only what was chosen for it." }, { status: 404 });
    }
  };
}

/** @param {string} sample the position of its run, and its address */
function splitAt(sample) {
  const dot = sample.indexOf(".");
  return /** @type {const} */ ([Number(sample.slice(0, dot)), sample.slice(dot + 1)]);
}

/**
 * The answer of the route `payloads` for one sample. Arrays that were missing or damaged are not in the report.
 * @param {string | undefined} text
 */
function payloadOf(text) {
  const bytes = bytesOf(text ?? "");
  const head = new DataView(new ArrayBuffer(8));
  head.setUint32(0, text === undefined ? DAMAGED : READY, true);
  head.setUint32(4, bytes.length, true);
  return [new Uint8Array(head.buffer), bytes];
}

/** @param {string} text in base64 */
function bytesOf(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}
