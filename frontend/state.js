/** What the page knows and what its user chose, and all that follows from them. Pure. */

/** @import {Counts, Index, RunTags, Sample, Show, Sort} from "./types.js" */

/**
 * @typedef {object} State
 * @property {RunTags[] | null} runs `null` until the back end has answered once
 * @property {string[]} runOrder TensorBoard's own, which its run colours follow
 * @property {ReadonlyMap<string, boolean>} ticked runs that the user ticked or unticked
 * @property {string | null} chosenTag
 * @property {Show} chosenShow
 * @property {Sort} sort
 * @property {number | null} chosenZoom
 * @property {number} strength
 * @property {ReadonlyMap<string, Index>} indexes by run, of the tag in use
 */

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
    chosenShow: "all",
    sort: "newest",
    chosenZoom: null,
    strength: 1,
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

/** @param {State} state */
function indexesInUse(state) {
  return tickedRuns(state).flatMap((run) => state.indexes.get(run) ?? []);
}

/** @param {State} state */
export function hasProbes(state) {
  return indexesInUse(state).some(({ samples }) => samples.some(({ probe }) => probe));
}

/**
 * Which samples are shown; all of them as long as no choice is offered.
 * @param {State} state
 * @returns {Show}
 */
export function showInUse(state) {
  return hasProbes(state) ? state.chosenShow : "all";
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

/** @param {State} state */
export function largestStrength(state) {
  let largest = 0;
  for (const { samples } of indexesInUse(state)) {
    for (const { strengths } of samples) {
      if (strengths.length) largest = Math.max(largest, strengths[strengths.length - 1]);
    }
  }
  return largest;
}

/** @param {State} state */
export function recordedStrengths(state) {
  /** @type {Set<number>} */
  const recorded = new Set();
  for (const { samples } of indexesInUse(state)) {
    for (const { strengths } of samples) for (const strength of strengths) recorded.add(strength);
  }
  return [...recorded].sort((one, other) => one - other);
}

/** @type {Record<Sort, (one: Sample, other: Sample) => number>} */
const ORDERS = {
  newest: (one, other) => other.step - one.step || other.wall_time - one.wall_time,
  oldest: (one, other) => one.step - other.step || one.wall_time - other.wall_time,
  margin: (one, other) => comparableMargin(one) - comparableMargin(other) || other.step - one.step,
};

/**
 * The samples in the order in which they are shown; those that tie keep the order of runs and of
 * their places in the capture.
 * @param {State} state
 * @returns {Sample[]}
 */
export function shownSamples(state) {
  const show = showInUse(state);
  return indexesInUse(state)
    .flatMap(({ samples }) => samples)
    .filter(({ probe }) => show === "all" || probe === (show === "probes"))
    .sort(ORDERS[state.sort]);
}

/** @param {Sample} sample */
function comparableMargin({ margin }) {
  return Number.isNaN(margin) ? Number.MAX_VALUE : margin;
}
