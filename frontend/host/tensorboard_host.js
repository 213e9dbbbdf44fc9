/** TensorBoard around the page: its messages, its runs' order, its theme, its address. */

import { readHash, readRunFilter, writeHash } from "./permalink.js";

/** @import {Theme} from "../types.js" */

/** TensorBoard tells of one change up to five times within this many milliseconds. */
const BURST = 200;

/** The address is written once the user pauses for this many milliseconds: browsers refuse more. */
const PAUSE = 300;

/**
 * Tells when TensorBoard has reloaded its data, and in which order its runs are coloured.
 * @param {{onReload: () => void, onRunOrder: (runs: string[]) => void}} listener
 */
export function connect({ onReload, onRunOrder }) {
  if (window.parent === window) return;
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
 * One call for several in a row.
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
 * Calls back with TensorBoard's theme, now and at every change; with the browser's where there is
 * no TensorBoard around the page, or it is out of reach.
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
  return window.parent === window ? null : (host()?.document.body ?? null);
}

/** What of the address is the page's, as it was last read or written. */
let known = "{}";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let writing;

/**
 * Calls back with what the address says, if it says anything, now and when someone changes it. Runs
 * are at first filtered as TensorBoard filters its own, unless the address says otherwise.
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
  if (runFilter) known = "";
  read(runFilter ? { runFilter } : {});
}

/**
 * Replaces what of the address is the page's, without an entry in the browser's history.
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
 * The address of TensorBoard with the page as a link says it.
 * @param {Record<string, string>} link
 */
export function addressOf(link) {
  const { location } = host() ?? window;
  return new URL(writeHash(location.hash, link), location.href).href;
}

/** TensorBoard's window, or the page's own without TensorBoard; `null` where it is out of reach. */
function host() {
  try {
    return window.parent.document && window.parent;
  } catch {
    return null;
  }
}
