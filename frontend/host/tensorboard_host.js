/** TensorBoard around the page: its messages, the order of its runs, its theme, and its address. */

import { FIRST_VIEW } from "../state/state.js";
import { readHash, readRunFilter, writeHash } from "./permalink.js";

/** @import {Theme} from "../types.js" */

/** TensorBoard reports one change up to five times within this many milliseconds. */
const BURST = 200;

/** The address is written after a pause of this many milliseconds. Browsers refuse to write it more often. */
const PAUSE = 300;

/** @type {Record<string, string> | null} what a report shows first; `null` in TensorBoard */
let reported = null;

/**
 * Says that the page is a report, with no TensorBoard around it. A page that shows the report is not asked for anything.
 * @param {Record<string, string>} link what the page shows first
 */
export function standAlone(link) {
  reported = link;
}

/** Whether the page is a report, with no TensorBoard around it. */
export function isReport() {
  return reported !== null;
}

/**
 * Calls back when TensorBoard has reloaded its data, and with the order of the runs, which decides their colours.
 * @param {{onReload: () => void, onRunOrder: (runs: string[]) => void}} listener
 */
export function connect({ onReload, onRunOrder }) {
  if (window.parent === window || reported) return;
  const { port1: port, port2 } = new MessageChannel();
  let id = 0;
  /** @param {string} type */
  const ask = (type) =>
    port.postMessage(JSON.stringify({ type, id: id++, payload: null, error: null, isReply: false }));
  const onChange = coalesced(() => {
    ask("experimental.GetRuns");
    onReload();
  });
  port.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.isReply) {
      if (message.type === "experimental.GetRuns" && Array.isArray(message.payload)) {
        onRunOrder(message.payload);
      }
      return;
    }
    const { type } = message;
    port.postMessage(JSON.stringify({ type, id: message.id, payload: null, error: null, isReply: true }));
    if (type === "experimental.DataReloaded" || type === "experimental.RunsChanged") onChange();
  };
  window.parent.postMessage("experimental.bootstrap", "*", [port2]);
  ask("experimental.GetRuns");
}

/**
 * Several calls within a short time become one call.
 * @param {() => void} call
 */
function coalesced(call) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(call, BURST);
  };
}

/**
 * Calls back with TensorBoard's theme, now and at every change. If the page has no access to TensorBoard's window, it
 * uses the theme of the browser.
 * @param {(theme: Theme) => void} onTheme
 */
export function followTheme(onTheme) {
  const body = hostBody();
  if (body) {
    const read = () => onTheme(body.classList.contains("dark-mode") ? "dark" : "light");
    new MutationObserver(read).observe(body, { attributes: true, attributeFilter: ["class"] });
    read();
  } else {
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    const read = () => onTheme(dark.matches ? "dark" : "light");
    dark.addEventListener("change", read);
    read();
  }
}

function hostBody() {
  return window.parent === window || reported ? null : (host()?.document.body ?? null);
}

/** The page's fields in the address, as JSON, as they were last read or written. */
let known = "{}";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let writing;

/**
 * Calls back with the page's fields in the address, now (if there are any) and when the address changes. At first the
 * runs are filtered like TensorBoard's own, if the address has no other filter.
 * @param {(link: Record<string, string>) => void} onLink
 */
export function followLink(onLink) {
  /** @param {Record<string, string>} [usual] */
  const read = (usual = {}) => {
    const link = readHash(host()?.location.hash ?? "");
    if (JSON.stringify(link) === known) return;
    known = JSON.stringify(link);
    clearTimeout(writing);
    onLink({ ...usual, ...link });
  };
  host()?.addEventListener("hashchange", () => read());
  const hash = host()?.location.hash ?? "";
  const runFilter = readRunFilter(hash);
  const isFresh = !Object.keys(readHash(hash)).length;
  const usual = reported ?? (runFilter ? { runFilter, ...(isFresh && { view: FIRST_VIEW }) } : {});
  if (Object.keys(usual).length) known = "";
  read(usual);
}

/** The fields that change continuously or with every typed letter. The browser's history has no entries for them. */
const CONTINUOUS = ["strength", "own", "id", "runFilter", "find"];
/** Changes of the same field within this many milliseconds are one choice, like the steps that the user drags through. */
const ONE_CHOICE = 1500;

/** The fields that were written last, and when. */
let lastWritten = { fields: "", time: -Infinity };

/**
 * Writes the page's fields into the address. A choice makes an entry in the browser's history, so that Back undoes it.
 * @param {Record<string, string>} link
 * @param {{isChoice: boolean}} options false if the fields come from the address itself
 */
export function writeLink(link, { isChoice }) {
  clearTimeout(writing);
  const before = fieldsInAddress();
  writing = setTimeout(() => {
    const window = host();
    if (!window || JSON.stringify(link) === known) return;
    // The user has opened a link. The browser is about to report it.
    if (fieldsInAddress() !== before) return;
    const fields = changedFields(JSON.parse(known || "{}"), link);
    known = JSON.stringify(link);
    const { history } = window;
    const written = { fields: fields.join(), time: performance.now() };
    const isOngoing = written.fields === lastWritten.fields && written.time - lastWritten.time < ONE_CHOICE;
    lastWritten = written;
    // A hash alone would be relative to the page's <base>, which is not the page's address.
    const address = addressOf(link);
    if (!isChoice || isOngoing || fields.every((field) => CONTINUOUS.includes(field))) {
      history.replaceState(history.state, "", address);
    } else {
      history.pushState(history.state, "", address);
    }
  }, PAUSE);
}

/** The page's fields in the address, as JSON. */
function fieldsInAddress() {
  return JSON.stringify(readHash(host()?.location.hash ?? ""));
}

/**
 * @param {Record<string, string>} before
 * @param {Record<string, string>} after
 */
function changedFields(before, after) {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => before[name] !== after[name]);
}

/**
 * TensorBoard's address with the fields of a link.
 * @param {Record<string, string>} link
 */
export function addressOf(link) {
  const { location } = host() ?? window;
  return new URL(writeHash(location.hash, link), location.href).href;
}

/** TensorBoard's window, or the page's own without TensorBoard; `null` if the page has no access to it. */
function host() {
  if (reported) return window;
  try {
    return window.parent.document && window.parent;
  } catch {
    return null;
  }
}
