/** What the page knows and what its user chose, and all that follows from them. Pure. */

import { NO_FILTERS, matcher } from "./filters.js";
import { ORDERS } from "./orders.js";
import { remembered } from "./remembered.js";

/** @import {Filters} from "./filters.js" */
/** @import {Sort} from "./orders.js" */
/** @import {Counts, Index, RunTags, Sample} from "./types.js" */

/** @typedef {"samples" | "follow" | "compare"} View */

/**
 * How every view says what its user did: as what becomes of the state.
 * @typedef {(transition: (state: State) => State) => void} OnChange
 */

/**
 * @typedef {object} State
 * @property {RunTags[] | null} runs `null` until the back end has answered once
 * @property {string[]} runOrder TensorBoard's own, which its run colours follow
 * @property {ReadonlyMap<string, boolean>} ticked runs that the user ticked or unticked
 * @property {string | null} chosenTag
 * @property {Filters} filters
 * @property {Sort} sort
 * @property {View} view
 * @property {number | null} chosenZoom
 * @property {number} strength
 * @property {string | null} selected the key of the sample that is shown large
 * @property {[string, string] | null} compared the two runs that were chosen to be compared
 * @property {ReadonlyMap<string, Index>} indexes by run, of the tag in use
 */

/** @type {readonly View[]} */
export const VIEWS = ["samples", "follow", "compare"];

/** As many runs as are shown before anybody chose; more would be slow to fetch and to read. */
const RUNS_AT_FIRST = 10;

const RUN_COLOURS = ["#425066", "#12b5cb", "#e52592", "#f9ab00", "#9334e6", "#7cb342", "#e8710a"];

/** @returns {State} */
export function initialState() {
  return {
    runs: null,
    runOrder: [],
    ticked: new Map(),
    chosenTag: null,
    filters: NO_FILTERS,
    sort: "newest",
    view: "samples",
    chosenZoom: null,
    strength: 1,
    selected: null,
    compared: null,
    indexes: new Map(),
  };
}

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
 * @returns {State}
 */
export function withRuns(state, runs) {
  const next = { ...state, runs };
  const kept = tagInUse(next) === tagInUse(state) ? runsOfTag(next) : [];
  return { ...next, indexes: new Map([...state.indexes].filter(([run]) => kept.includes(run))) };
}

/**
 * @param {State} state
 * @param {string[]} runOrder
 * @returns {State} with the same order object where it is the same order
 */
export function withRunOrder(state, runOrder) {
  const same = runOrder.join("\n") === state.runOrder.join("\n");
  return same ? state : { ...state, runOrder };
}

/**
 * @param {State} state
 * @param {Index} index
 * @returns {State} the same one where the index is already there
 */
export function withIndex(state, index) {
  if (index.tag !== tagInUse(state) || state.indexes.get(index.run) === index) return state;
  return { ...state, indexes: new Map(state.indexes).set(index.run, index) };
}

/**
 * @param {State} state
 * @param {Partial<Filters>} filters those that change
 * @returns {State}
 */
export function withFilters(state, filters) {
  return { ...state, filters: { ...state.filters, ...filters } };
}

/** @param {State} state */
export function tagsOf({ runs }) {
  return [...new Set((runs ?? []).flatMap(({ tags }) => tags))].sort();
}

/** @param {State} state */
export function tagInUse(state) {
  const tags = tagsOf(state);
  return state.chosenTag !== null && tags.includes(state.chosenTag)
    ? state.chosenTag
    : (tags[0] ?? null);
}

/** @param {State} state */
export function runsOfTag(state) {
  const tag = tagInUse(state);
  return (state.runs ?? []).filter(({ tags }) => tag !== null && tags.includes(tag)).map(({ run }) => run);
}

/** @param {State} state */
export function tickedRuns(state) {
  return runsOfTag(state).filter((run, place) => state.ticked.get(run) ?? place < RUNS_AT_FIRST);
}

/**
 * @param {State} state
 * @param {string} run
 */
export function runColour({ runOrder }, run) {
  const place = Math.max(runOrder.indexOf(run), 0);
  return RUN_COLOURS[place % RUN_COLOURS.length];
}

/** @type {(state: State) => Index[]} */
const indexesInUse = remembered(
  ({ runs, ticked, chosenTag, indexes }) => [runs, ticked, chosenTag, indexes],
  (state) => tickedRuns(state).flatMap((run) => state.indexes.get(run) ?? []),
);

/**
 * All samples of the ticked runs, run by run.
 * @type {(state: State) => Sample[]}
 */
export const samplesInUse = remembered(
  (state) => [indexesInUse(state)],
  (state) => indexesInUse(state).flatMap(({ samples }) => samples),
);

/** @type {(state: State) => boolean} */
export const hasProbes = remembered(
  (state) => [samplesInUse(state)],
  (state) => samplesInUse(state).some(({ probe }) => probe),
);

/**
 * The filters; those that cannot be told from their absence, because no choice is offered, left out.
 * @param {State} state
 * @returns {Filters}
 */
export function filtersInUse(state) {
  return hasProbes(state) ? state.filters : { ...state.filters, show: "all" };
}

/**
 * @param {State} state
 * @returns {Counts}
 */
export function countsOf(state) {
  const counts = { samples: 0, unreadable: 0, superseded: 0, dropped: 0 };
  for (const { counts: more } of indexesInUse(state)) {
    counts.samples += more.samples;
    counts.unreadable += more.unreadable;
    counts.superseded += more.superseded;
    counts.dropped += more.dropped;
  }
  return counts;
}

/**
 * All strengths at which any network was asked, in order.
 * @type {(state: State) => number[]}
 */
export const recordedStrengths = remembered(
  (state) => [samplesInUse(state)],
  (state) => {
    /** @type {Set<number>} */
    const recorded = new Set();
    for (const { strengths } of samplesInUse(state)) for (const strength of strengths) recorded.add(strength);
    return [...recorded].sort((one, other) => one - other);
  },
);

/** @param {State} state */
export function largestStrength(state) {
  return recordedStrengths(state).at(-1) ?? 0;
}

/**
 * The sample that is shown large; it need not be among those that the filters leave.
 * @type {(state: State) => Sample | null}
 */
export const selectedSample = remembered(
  (state) => [samplesInUse(state), state.selected],
  (state) => {
    if (state.selected === null) return null;
    return samplesInUse(state).find(({ key }) => key === state.selected) ?? null;
  },
);

/**
 * The samples in the order in which they are shown; those that tie keep the order of runs and of
 * their places in the capture.
 * @type {(state: State) => Sample[]}
 */
export const shownSamples = remembered(
  (state) => [samplesInUse(state), state.filters, state.sort],
  (state) => samplesInUse(state).filter(matcher(filtersInUse(state))).sort(ORDERS[state.sort]),
);
