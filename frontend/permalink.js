/**
 * What the user chose, in TensorBoard's address and back. Pure.
 *
 * The address's hash is TensorBoard's: `#gradascent&name=value&…`. The page's own names there begin
 * with `p.gradascent.`; all others are left as they are.
 */

import { NO_FILTERS } from "./filters.js";
import { ZOOMS } from "./layout.js";
import { ORDERS } from "./orders.js";
import { VIEWS, initialState } from "./state.js";

/** @import {State} from "./state.js" */

const PREFIX = "p.gradascent.";
const LARGEST_STRENGTH = 1000;

/**
 * A field of the state as short text: `encode` gives "" for what it is by default, and `decode`
 * leaves the state as it is where the text makes no sense.
 * @typedef {{encode: (state: State) => string, decode: (state: State, text: string) => State}} Field
 */

/** @type {Record<string, Field>} */
const FIELDS = {
  view: {
    encode: ({ view }) => unless(view, initialState().view),
    decode: (state, text) => withChoice(state, VIEWS, text, (view) => ({ view })),
  },
  tag: {
    encode: ({ chosenTag }) => chosenTag ?? "",
    decode: (state, chosenTag) => ({ ...state, chosenTag }),
  },
  runs: {
    encode: ({ ticked }) => encodeList([...ticked].map(([run, isTicked]) => (isTicked ? "+" : "-") + run)),
    decode: (state, text) => ({
      ...state,
      ticked: new Map(
        decodeList(text)
          .filter((word) => /^[+-]/.test(word))
          .map((word) => [word.slice(1), word[0] === "+"]),
      ),
    }),
  },
  show: {
    encode: ({ filters }) => unless(filters.show, NO_FILTERS.show),
    decode: (state, text) =>
      withChoice(state, /** @type {const} */ (["all", "confused", "probes"]), text, (show) => ({
        filters: { ...state.filters, show },
      })),
  },
  sort: {
    encode: ({ sort }) => unless(sort, initialState().sort),
    decode: (state, text) => withChoice(state, keysOf(ORDERS), text, (sort) => ({ sort })),
  },
  zoom: {
    encode: ({ chosenZoom }) => (chosenZoom === null ? "" : String(chosenZoom)),
    decode: (state, text) => withChoice(state, ZOOMS, Number(text), (chosenZoom) => ({ chosenZoom })),
  },
  strength: {
    encode: ({ strength }) => unless(String(strength), String(initialState().strength)),
    decode: (state, text) => {
      const strength = text.trim() === "" ? NaN : Number(text);
      return strength >= 0 && strength <= LARGEST_STRENGTH ? { ...state, strength } : state;
    },
  },
  selected: {
    encode: ({ selected }) => selected ?? "",
    decode: (state, selected) => ({ ...state, selected: selected || null }),
  },
  compared: {
    encode: ({ compared }) => encodeList(compared ?? []),
    decode: (state, text) => {
      const [first, second, ...more] = decodeList(text);
      return first && second && !more.length ? { ...state, compared: [first, second] } : state;
    },
  },
};

/**
 * @param {State} state
 * @returns {Record<string, string>} by field, without those that are as they are by default
 */
export function toLink(state) {
  const texts = Object.entries(FIELDS).map(([name, { encode }]) => [name, encode(state)]);
  return Object.fromEntries(texts.filter(([, text]) => text !== ""));
}

/**
 * The state with everything that a link may say as the link says it, or else as it is by default.
 * @param {State} state
 * @param {Record<string, string>} link
 */
export function withLink(state, link) {
  const initial = initialState();
  let next = { ...initial, runs: state.runs, runOrder: state.runOrder, indexes: state.indexes };
  for (const [name, { decode }] of Object.entries(FIELDS)) {
    if (Object.hasOwn(link, name)) next = decode(next, link[name]);
  }
  return next;
}

/**
 * The page's part of a hash.
 * @param {string} hash
 * @returns {Record<string, string>}
 */
export function readHash(hash) {
  const link = /** @type {Record<string, string>} */ ({});
  for (const part of partsOf(hash)) {
    const [name, text] = part.split("=", 2).map(decoded);
    if (name.startsWith(PREFIX) && text !== undefined) link[name.slice(PREFIX.length)] = text;
  }
  return link;
}

/**
 * A hash with another link in it, and everything else as it was.
 * @param {string} hash
 * @param {Record<string, string>} link
 */
export function writeHash(hash, link) {
  const others = partsOf(hash).filter((part) => !decoded(part).startsWith(PREFIX));
  const ours = Object.entries(link).map(([name, text]) => `${PREFIX}${name}=${encodeURIComponent(text)}`);
  return `#${[...others, ...ours].join("&")}`;
}

/** @param {string} hash */
function partsOf(hash) {
  return hash.replace(/^#/, "").split("&").filter(Boolean);
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Words as one text; a comma within a word is escaped.
 * @param {string[]} words
 */
function encodeList(words) {
  return words.map((word) => word.replaceAll("%", "%25").replaceAll(",", "%2C")).join(",");
}

/** @param {string} text */
function decodeList(text) {
  return text.split(",").map((word) => word.replaceAll("%2C", ",").replaceAll("%25", "%"));
}

/**
 * @param {string} text
 * @param {string} usual
 */
function unless(text, usual) {
  return text === usual ? "" : text;
}

/**
 * @template Choice
 * @param {State} state
 * @param {readonly Choice[]} choices
 * @param {string | number} text
 * @param {(choice: Choice) => Partial<State>} change
 */
function withChoice(state, choices, text, change) {
  const choice = choices.find((one) => one === text);
  return choice === undefined ? state : { ...state, ...change(choice) };
}

/**
 * @template {string} Key
 * @param {Record<Key, unknown>} table
 */
function keysOf(table) {
  return /** @type {Key[]} */ (Object.keys(table));
}
