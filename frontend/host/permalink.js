/**
 * Writes the user's choices into TensorBoard's address, and reads them from it. Pure.
 *
 * The hash of the address belongs to TensorBoard: `#gradascent&name=value&…`. The names of this page start with
 * `p.gradascent.`. All other names are left unchanged.
 */

import { CHANGES } from "../samples/comparison.js";
import { CAPTURES, OUTCOMES, SHOWS, USUAL_FILTERS } from "../samples/filters.js";
import { HISTORY_ORDERS } from "../samples/history.js";
import { REVIEWS } from "../samples/label_review.js";
import { ZOOMS } from "../layout/grid_layout.js";
import { INITIAL_GRADIENT_COLORS, MAPS, SCALES, STYLE_CHOICES } from "../drawing/gradient_colors.js";
import { PAIR_ORDERS } from "../samples/pairs.js";
import { ORDERS } from "../samples/sort_orders.js";
import { VIEW_OF_OLD_LINKS, initialState } from "../state/state.js";
import { withFilters } from "../state/transitions.js";

/** @import {Range} from "../samples/filters.js" */
/** @import {State} from "../state/state.js" */
/** @import {GradientColors} from "../types.js" */

const PREFIX = "p.gradascent.";
const RUN_FILTER = "regexInput";
const LARGEST_STRENGTH = 1000;
/** How many cards with a choice of their own a link keeps. */
const MOST_CARDS = 50;
/** The longest name of an ascent. */
const LONGEST_NAME = 64;

/**
 * A field of the state as short text. `encode` returns "" for the default value. `decode` returns the state unchanged
 * if the text is not valid.
 * @typedef {{encode: (state: State) => string, decode: (state: State, text: string) => State}} Field
 */

/**
 * @template {keyof GradientColors} Name
 * @param {Name} name
 * @param {Record<GradientColors[Name], unknown>} choices
 * @returns {Field}
 */
function gradientColorsField(name, choices) {
  return {
    encode: ({ gradientColors }) => unlessDefault(gradientColors[name], INITIAL_GRADIENT_COLORS[name]),
    decode: (state, text) =>
      withChoice(state, keysOf(choices), text, (choice) => ({
        gradientColors: { ...state.gradientColors, [name]: choice },
      })),
  };
}

/** @type {Record<string, Field>} */
const FIELDS = {
  view: {
    // A link that names no view opens the view of old links, so the view is always named.
    encode: ({ view }) => view,
    decode: (state, text) => (/^[a-z]{1,20}$/.test(text) ? { ...state, view: text } : state),
  },
  tag: {
    encode: ({ chosenTag }) => chosenTag ?? "",
    decode: (state, chosenTag) => ({ ...state, chosenTag }),
  },
  runs: {
    encode: ({ ticked, others }) =>
      encodeList([...(others ? [others] : []), ...[...ticked].map(([run, isTicked]) => (isTicked ? "+" : "-") + run)]),
    decode: (state, text) => {
      const words = decodeList(text);
      const signed = words.filter((word) => /^[+-]/.test(word));
      return {
        ...state,
        others: /** @type {const} */ (["all", "none"]).find((others) => others === words[0]) ?? null,
        ticked: new Map(signed.map((word) => [word.slice(1), word[0] === "+"])),
      };
    },
  },
  runFilter: {
    encode: ({ runFilter }) => runFilter,
    decode: (state, runFilter) => ({ ...state, runFilter }),
  },
  show: {
    encode: ({ filters }) => unlessDefault(filters.show, USUAL_FILTERS.show),
    decode: (state, text) => withChoice(state, SHOWS, text, (show) => ({ filters: { ...state.filters, show } })),
  },
  captures: {
    encode: ({ filters }) => unlessDefault(filters.captures, USUAL_FILTERS.captures),
    decode: (state, text) =>
      withChoice(state, CAPTURES, text, (captures) => ({ filters: { ...state.filters, captures } })),
  },
  targets: {
    encode: ({ allTargets }) => (allTargets ? "all" : ""),
    decode: (state, text) => withChoice(state, ["all"], text, () => ({ allTargets: true })),
  },
  steps: {
    encode: ({ filters: { steps } }) => (steps && "at" in steps ? String(steps.at) : encodeRange(steps)),
    decode: (state, text) => {
      const at = signedNumber(text);
      return withFilters(state, { steps: at === null ? decodeRange(text) : { at } });
    },
  },
  pair: {
    encode: ({ filters: { pair } }) => pair?.join("-") ?? "",
    decode: (state, text) => withFilters(state, { pair: decodePair(text) }),
  },
  prediction: numberField("prediction"),
  label: numberField("label", signedNumber),
  outcome: {
    encode: ({ filters }) => filters.outcome ?? "",
    decode: (state, text) =>
      withChoice(state, OUTCOMES, text, (outcome) => ({ filters: { ...state.filters, outcome } })),
  },
  flip: {
    encode: ({ filters }) => encodeRange(filters.flip),
    decode: (state, text) => withFilters(state, { flip: decodeRange(text) }),
  },
  rank: numberField("rank"),
  id: {
    encode: ({ filters }) => filters.id,
    decode: (state, id) => withFilters(state, { id }),
  },
  matrix: {
    encode: ({ chosenAxes }) => chosenAxes ?? "",
    decode: (state, text) =>
      withChoice(state, /** @type {const} */ (["labels", "guesses"]), text, (chosenAxes) => ({ chosenAxes })),
  },
  sort: {
    encode: ({ sort }) => unlessDefault(sort, initialState().sort),
    decode: (state, text) => withChoice(state, keysOf(ORDERS), text, (sort) => ({ sort })),
  },
  zoom: {
    encode: ({ chosenZoom }) => (chosenZoom === null ? "" : String(chosenZoom)),
    decode: (state, text) => withChoice(state, ZOOMS, Number(text), (chosenZoom) => ({ chosenZoom })),
  },
  colours: gradientColorsField("map", MAPS),
  scale: gradientColorsField("scale", SCALES),
  gradient: gradientColorsField("style", STYLE_CHOICES),
  target: {
    encode: ({ target }) => (target === null ? "" : String(target)),
    decode: (state, text) => (/^\d{1,9}$/.test(text) ? { ...state, target: Number(text) } : state),
  },
  morph: {
    encode: ({ chosenMorph }) => chosenMorph ?? "",
    decode: (state, text) => (text.length <= LONGEST_NAME ? { ...state, chosenMorph: text || null } : state),
  },
  strength: {
    encode: ({ strength }) => unlessDefault(String(strength), String(initialState().strength)),
    decode: (state, text) => {
      const strength = text.trim() === "" ? NaN : Number(text);
      return strength >= 0 && strength <= LARGEST_STRENGTH ? { ...state, strength } : state;
    },
  },
  at: {
    encode: ({ atFlip }) => (atFlip ? "flip" : ""),
    decode: (state, text) => withChoice(state, ["flip"], text, () => ({ atFlip: true })),
  },
  own: mapField("strengthOverrides", (text) => {
    const strength = Number(text);
    return text.trim() !== "" && strength >= 0 && strength <= LARGEST_STRENGTH ? strength : null;
  }),
  cards: mapField("targetChoices", (text) => (text === "more" ? text : wholeNumber(text))),
  selected: {
    encode: ({ selected }) => selected ?? "",
    decode: (state, selected) => ({ ...state, selected: selected || null }),
  },
  frames: {
    encode: ({ frames }) => unlessDefault(frames, initialState().frames),
    decode: (state, text) =>
      withChoice(state, /** @type {const} */ (["gradient", "morph"]), text, (frames) => ({ frames })),
  },
  range: {
    encode: ({ overviewSteps }) => encodeRange(overviewSteps),
    decode: (state, text) => ({ ...state, overviewSteps: decodeRange(text) }),
  },
  between: {
    encode: ({ openPair }) => openPair?.join("-") ?? "",
    decode: (state, text) => ({ ...state, openPair: decodePair(text) }),
  },
  pairs: {
    encode: ({ pairOrder }) => unlessDefault(pairOrder, initialState().pairOrder),
    decode: (state, text) => withChoice(state, PAIR_ORDERS, text, (pairOrder) => ({ pairOrder })),
  },
  find: {
    encode: ({ pairSearch }) => pairSearch,
    decode: (state, pairSearch) => ({ ...state, pairSearch }),
  },
  examples: {
    encode: ({ examples }) => unlessDefault(examples, initialState().examples),
    decode: (state, text) =>
      withChoice(state, /** @type {const} */ (["morph", "change"]), text, (examples) => ({ examples })),
  },
  histories: {
    encode: ({ historyOrder }) => unlessDefault(historyOrder, initialState().historyOrder),
    decode: (state, text) => withChoice(state, keysOf(HISTORY_ORDERS), text, (historyOrder) => ({ historyOrder })),
  },
  review: {
    encode: ({ review }) => review ?? "",
    decode: (state, text) => withChoice(state, /** @type {const} */ (["any", ...REVIEWS]), text, (review) => ({ review })),
  },
  change: {
    encode: ({ change }) => change ?? "",
    decode: (state, text) => withChoice(state, CHANGES, text, (change) => ({ change })),
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
 * A filter whose value is a class or another whole number.
 * @param {"prediction" | "label" | "rank"} name
 * @param {(text: string) => number | null} [read]
 * @returns {Field}
 */
function numberField(name, read = wholeNumber) {
  return {
    encode: ({ filters }) => String(filters[name] ?? ""),
    decode: (state, text) => withFilters(state, { [name]: read(text) }),
  };
}

/**
 * What the user chose on single cards, by the samples' keys: "value@key". An address has room for some of them, so
 * only the last ones are kept.
 * @template {"strengthOverrides" | "targetChoices"} Name
 * @param {Name} name
 * @param {(text: string) => number | "more" | null} read `null` if the text is not valid
 * @returns {Field}
 */
function mapField(name, read) {
  return {
    encode: (state) => encodeList([...state[name]].slice(-MOST_CARDS).map(([key, value]) => `${value}@${key}`)),
    decode: (state, text) => {
      const entries = decodeList(text).flatMap((word) => {
        const [value, ...key] = word.split("@");
        const choice = read(value);
        return choice === null || !key.length ? [] : [[key.join("@"), choice]];
      });
      return entries.length ? { ...state, [name]: new Map(/** @type {[string, never][]} */ (entries)) } : state;
    },
  };
}

/**
 * @param {State} state
 * @returns {Record<string, string>} the text of each field that has not its default value; empty if none has
 */
export function toLink(state) {
  const texts = Object.entries(FIELDS).map(([name, { encode }]) => [name, encode(state)]);
  const link = Object.fromEntries(texts.filter(([, text]) => text !== ""));
  return Object.keys(link).length === 1 && link.view === initialState().view ? {} : link;
}

/**
 * The state with the user's choices from a link. A choice that is not in the link gets its default value. A link with
 * choices but without a view was made before there was an Overview.
 * @param {State} state
 * @param {Record<string, string>} link
 */
export function withLink(state, link) {
  const { runs, recordVersion, runOrder, dismissed, reviews, indexes } = state;
  let next = { ...initialState(), runs, recordVersion, runOrder, dismissed, reviews, indexes };
  if (Object.keys(link).length) next.view = VIEW_OF_OLD_LINKS;
  for (const [name, { decode }] of Object.entries(FIELDS)) {
    if (Object.hasOwn(link, name)) next = decode(next, link[name]);
  }
  return next;
}

/**
 * The fields of this page in a hash.
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
 * The filter of TensorBoard's older run selector, which is also in the hash.
 * @param {string} hash
 */
export function readRunFilter(hash) {
  const fields = partsOf(hash).map((part) => part.split("=", 2).map(decoded));
  const [, text] = fields.find(([name]) => name === RUN_FILTER) ?? [];
  return text ?? "";
}

/**
 * A hash with the fields of a link instead of the page's former fields.
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
 * Several words as one text. A comma within a word is escaped.
 * @param {string[]} words
 */
function encodeList(words) {
  return words.map((word) => word.replaceAll("%", "%25").replaceAll(",", "%2C")).join(",");
}

/** @param {string} text */
function decodeList(text) {
  return text.split(",").map((word) => word.replaceAll("%2C", ",").replaceAll("%25", "%"));
}

/** @param {string} text */
function wholeNumber(text) {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** @param {string} text a label or a step; records store them as signed 64-bit integers */
function signedNumber(text) {
  return /^-?\d{1,19}$/.test(text) ? Number(text) : null;
}

/**
 * @param {string} text two classes: "4-9"
 * @returns {readonly [number, number] | null}
 */
function decodePair(text) {
  const [one, other, ...more] = text.split("-").map(wholeNumber);
  return one !== null && other !== null && other !== undefined && !more.length ? [one, other] : null;
}

/** @param {Range | null} range */
function encodeRange(range) {
  return range ? `${range.from ?? ""}..${range.to ?? ""}` : "";
}

/**
 * @param {string} text
 * @returns {Range | null}
 */
function decodeRange(text) {
  const ends = text.split("..").map((end) => (end.trim() === "" ? null : Number(end)));
  if (ends.length !== 2 || ends.some((end) => end !== null && !Number.isFinite(end))) return null;
  const [from, to] = ends;
  return from === null && to === null ? null : { from, to };
}

/**
 * @param {string} text
 * @param {string} usual
 */
function unlessDefault(text, usual) {
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
