/** TensorBoard around the page: its messages, the order of its runs, its theme, and its address. */

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
  const runFilter = readRunFilter(host()?.location.hash ?? "");
  const usual = reported ?? (runFilter ? { runFilter } : {});
  if (Object.keys(usual).length) known = "";
  read(usual);
}

/**
 * Replaces the page's fields in the address, without a new entry in the browser's history.
 * @param {Record<string, string>} link
 */
export function writeLink(link) {
  clearTimeout(writing);
  writing = setTimeout(() => {
    const window = host();
    if (!window || JSON.stringify(link) === known) return;
    known = JSON.stringify(link);
    const { history } = window;
    // A hash alone would be relative to the page's <base>, which is not the page's address.
    history.replaceState(history.state, "", addressOf(link));
  }, PAUSE);
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
