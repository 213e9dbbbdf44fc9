/** What the user or the back end changes: each function takes a state and returns the next one. Pure. */

import { runsOfTag, tagInUse, tickedRuns } from "./selectors.js";

/** @import {Filters} from "../samples/filters.js" */
/** @import {TargetChoice} from "../samples/target_choice.js" */
/** @import {Review} from "../samples/label_review.js" */
/** @import {RunIndex, RunTags, Sample} from "../types.js" */
/** @import {State} from "./state.js" */

/**
 * @param {State} state
 * @param {string} run
 * @param {boolean} ticked
 * @returns {State}
 */
export function tick(state, run, ticked) {
  return { ...state, ticked: new Map(state.ticked).set(run, ticked) };
}

/**
 * Ticks all runs or none. This also holds for runs that appear later.
 * @param {State} state
 * @param {"all" | "none"} others
 * @returns {State}
 */
export function tickOthers(state, others) {
  return { ...state, others, ticked: new Map() };
}

/**
 * @param {State} state
 * @param {string} tag
 * @returns {State}
 */
export function chooseTag(state, tag) {
  return tag === tagInUse(state) ? state : { ...state, chosenTag: tag, indexes: new Map() };
}

/**
 * @param {State} state
 * @param {RunTags[]} runs
 * @returns {State} keeps the old run and index objects if they are equal, so that memoized values stay valid
 */
export function withRuns(state, runs) {
  const same = JSON.stringify(runs) === JSON.stringify(state.runs);
  const next = { ...state, runs: same ? state.runs : runs };
  const offered = tagInUse(next) === tagInUse(state) ? runsOfTag(next) : [];
  const kept = [...state.indexes].filter(([run]) => offered.includes(run));
  return kept.length === state.indexes.size ? next : { ...next, indexes: new Map(kept) };
}

/**
 * @param {State} state
 * @param {string[]} runOrder
 * @returns {State} keeps the old array if the order is the same
 */
export function withRunOrder(state, runOrder) {
  const same = runOrder.join("\n") === state.runOrder.join("\n");
  return same ? state : { ...state, runOrder };
}

/**
 * @param {State} state
 * @param {RunIndex[]} indexes
 * @returns {State} unchanged if it has these indexes already, or if they are of another tag
 */
export function withIndexes(state, indexes) {
  const tag = tagInUse(state);
  const news = indexes.filter((index) => index.tag === tag && state.indexes.get(index.run) !== index);
  if (!news.length) return state;
  return { ...state, indexes: new Map([...state.indexes, ...news.map((index) => /** @type {const} */ ([index.run, index]))]) };
}

/**
 * Dismisses a notice for as long as the page is open.
 * @param {State} state
 * @param {string} key the notice's
 * @returns {State}
 */
export function withoutNotice(state, key) {
  return { ...state, dismissed: new Set(state.dismissed).add(key) };
}

/**
 * @param {State} state
 * @param {Partial<Filters>} filters the filters that change
 * @returns {State}
 */
export function withFilters(state, filters) {
  return { ...state, filters: { ...state.filters, ...filters } };
}

/**
 * Notes what the user found out about a label. The same review again takes it back.
 * @param {State} state
 * @param {Sample} sample
 * @param {Review} review
 * @returns {State} unchanged if the sample has no id
 */
export function withReview(state, { id }, review) {
  if (id === null) return state;
  return { ...state, reviews: withEntry(state.reviews, id, state.reviews.get(id) === review ? null : review) };
}

/**
 * Sets the slider's strength for all samples: it removes all overrides, and no morph is shown at its flip.
 * @param {State} state
 * @param {number} strength
 * @returns {State}
 */
export function withStrength(state, strength) {
  return { ...state, strength, atFlip: false, strengthOverrides: withoutEntries(state.strengthOverrides) };
}

/**
 * Shows each morph at its own flip and removes all overrides, or goes back to the slider's strength.
 * @param {State} state
 * @param {boolean} atFlip
 * @returns {State}
 */
export function withAtFlip(state, atFlip) {
  return { ...state, atFlip, strengthOverrides: withoutEntries(state.strengthOverrides) };
}

/**
 * @param {ReadonlyMap<string, number>} map
 * @returns {ReadonlyMap<string, number>} the same map if it is empty
 */
function withoutEntries(map) {
  return map.size ? new Map() : map;
}

/**
 * Gives one sample a strength that differs from the slider's.
 * @param {State} state
 * @param {string} key the sample's
 * @param {number | null} strength `null` removes the override
 * @returns {State}
 */
export function withStrengthOverride(state, key, strength) {
  return { ...state, strengthOverrides: withEntry(state.strengthOverrides, key, strength) };
}

/**
 * Chooses which targets one card shows.
 * @param {State} state
 * @param {string} key the sample's
 * @param {TargetChoice | null} choice `null`: the same as all other cards
 * @returns {State}
 */
export function withTargetChoice(state, key, choice) {
  return { ...state, targetChoices: withEntry(state.targetChoices, key, choice) };
}

/**
 * @template Value
 * @param {ReadonlyMap<string, Value>} map
 * @param {string} key
 * @param {Value | null} value `null` removes the entry
 */
function withEntry(map, key, value) {
  const changed = new Map(map);
  if (value === null) changed.delete(key);
  else changed.set(key, value);
  return changed;
}

/**
 * Chooses the targets of all cards and forgets the choices on single cards.
 * @param {State} state
 * @param {number | null} target the only target; `null`: not only one
 * @param {boolean} [allTargets] whether cards also show targets that the network already predicts
 * @returns {State}
 */
export function withTarget(state, target, allTargets = state.allTargets) {
  return { ...state, target, allTargets, targetChoices: state.targetChoices.size ? new Map() : state.targetChoices };
}

/**
 * Chooses the two runs to compare. It also ticks them, because only ticked runs are fetched.
 * @param {State} state
 * @param {[string, string]} compared
 * @returns {State}
 */
export function withCompared(state, compared) {
  /** @type {State} */
  let next = { ...state, compared };
  for (const run of compared) if (!tickedRuns(next).includes(run)) next = tick(next, run, true);
  return next;
}

/**
 * Opens the Pair view.
 * @param {State} state
 * @param {readonly [number, number]} pair two classes
 * @returns {State}
 */
export function withOpenPair(state, [one, other]) {
  return { ...state, view: "pair", openPair: [Math.min(one, other), Math.max(one, other)] };
}
