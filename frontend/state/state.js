/** What the page knows and what its user chose, and all that follows from them. Pure. */

import { className } from "../samples/captions.js";
import { compare } from "../samples/comparison.js";
import { confusionMatrix } from "../samples/confusion_matrix.js";
import { NO_FILTERS, facetsOf, missesOf, rankOf } from "../samples/filters.js";
import { INITIAL_LOOK, commonEnd } from "../drawing/gradient_colors.js";
import { placesInOrder } from "../samples/orders.js";
import { memoize } from "../samples/memoize.js";
import { asksFor, targetCounts } from "../samples/target_choice.js";

/** @import {Comparison} from "../samples/comparison.js" */
/** @import {Axes, ConfusionMatrix} from "../samples/confusion_matrix.js" */
/** @import {Facets, Filters} from "../samples/filters.js" */
/** @import {Sort} from "../samples/orders.js" */
/** @import {CardChoice} from "../samples/target_choice.js" */
/** @import {Counts, Index, Look, RunTags, Sample} from "../types.js" */

/** @typedef {"samples" | "follow" | "compare"} View */

/**
 * How every view says what its user did: as what becomes of the state.
 * @typedef {(transition: (state: State) => State) => void} OnChange
 */

/**
 * @typedef {object} State
 * @property {RunTags[] | null} runs `null` until the back end has answered once
 * @property {number | null} recordVersion the newest that the back end reads
 * @property {string[]} runOrder TensorBoard's own, which its run colours follow
 * @property {string} runFilter a regular expression; runs that do not match are not offered
 * @property {ReadonlyMap<string, boolean>} ticked runs that the user ticked or unticked
 * @property {"all" | "none" | null} others all others; `null`: the first few are ticked
 * @property {string | null} chosenTag
 * @property {Filters} filters
 * @property {Sort} sort
 * @property {View} view
 * @property {Axes | null} chosenAxes of the confusion matrix
 * @property {number | null} chosenZoom
 * @property {Look} look
 * @property {number | null} target the class that all samples are asked to become, those that were not
 *   left out; `null` for any
 * @property {ReadonlyMap<string, CardChoice>} cardChoices by sample, for cards that go their own way
 * @property {number} strength
 * @property {ReadonlyMap<string, number>} ownStrengths by sample, for those that go their own way
 * @property {string | null} selected the key of the sample that is shown large
 * @property {[string, string] | null} compared the two runs that were chosen to be compared
 * @property {"gradient" | "morph"} frames what each step of a followed sample shows
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
    recordVersion: null,
    runOrder: [],
    runFilter: "",
    ticked: new Map(),
    others: null,
    chosenTag: null,
    filters: NO_FILTERS,
    sort: "newest",
    view: "samples",
    chosenAxes: null,
    chosenZoom: null,
    look: INITIAL_LOOK,
    target: null,
    cardChoices: new Map(),
    strength: 1,
    ownStrengths: new Map(),
    selected: null,
    compared: null,
    frames: "gradient",
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
 * Ticks all runs or none, those that come later too.
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
 * @returns {State} with the same runs and indexes as long as they are the same: all follows from them
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

/**
 * One strength for all samples: none goes its own way any more.
 * @param {State} state
 * @param {number} strength
 * @returns {State}
 */
export function withStrength(state, strength) {
  return { ...state, strength, ownStrengths: state.ownStrengths.size ? new Map() : state.ownStrengths };
}

/**
 * @param {State} state
 * @param {string} key
 * @param {number | null} strength `null` for that of all
 * @returns {State}
 */
export function withOwnStrength(state, key, strength) {
  return { ...state, ownStrengths: withEntry(state.ownStrengths, key, strength) };
}

/**
 * @param {Pick<State, "strength" | "ownStrengths">} state
 * @param {string} key
 */
export function strengthOf({ strength, ownStrengths }, key) {
  return (ownStrengths.size ? ownStrengths.get(key) : undefined) ?? strength;
}

/**
 * @param {State} state
 * @param {string} key
 * @param {CardChoice | null} choice `null` for what all show
 * @returns {State}
 */
export function withCardChoice(state, key, choice) {
  return { ...state, cardChoices: withEntry(state.cardChoices, key, choice) };
}

/**
 * @template Value
 * @param {ReadonlyMap<string, Value>} map
 * @param {string} key
 * @param {Value | null} value `null` for none
 */
function withEntry(map, key, value) {
  const changed = new Map(map);
  if (value === null) changed.delete(key);
  else changed.set(key, value);
  return changed;
}

/**
 * The same target for all, whatever was chosen on single cards.
 * @param {State} state
 * @param {number | null} target
 * @returns {State}
 */
export function withTarget(state, target) {
  return { ...state, target, cardChoices: state.cardChoices.size ? new Map() : state.cardChoices };
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

/**
 * The runs that can be ticked.
 * @type {(state: State) => string[]}
 */
export const offeredRuns = memoize(
  ({ runs, chosenTag, runFilter }) => [runs, chosenTag, runFilter],
  (state) => runsOfTag(state).filter(textMatcher(state.runFilter)),
);

/**
 * @param {string} pattern a regular expression, or where it is none, what a text has to contain
 * @returns {(text: string) => boolean}
 */
function textMatcher(pattern) {
  try {
    const expression = new RegExp(pattern, "i");
    return (text) => expression.test(text);
  } catch {
    const sought = pattern.toLowerCase();
    return (text) => text.toLowerCase().includes(sought);
  }
}

/** @type {(state: State) => string[]} */
export const tickedRuns = memoize(
  (state) => [offeredRuns(state), state.ticked, state.others],
  (state) => {
    const { ticked, others } = state;
    return offeredRuns(state).filter((run, place) => ticked.get(run) ?? (others ? others === "all" : place < RUNS_AT_FIRST));
  },
);

/**
 * @param {State} state
 * @param {string} run
 */
export function runColour({ runOrder }, run) {
  const place = Math.max(runOrder.indexOf(run), 0);
  return RUN_COLOURS[place % RUN_COLOURS.length];
}

/** @type {(state: State) => Index[]} */
const indexesInUse = memoize(
  (state) => [tickedRuns(state), state.indexes],
  (state) => tickedRuns(state).flatMap((run) => state.indexes.get(run) ?? []),
);

/**
 * All samples of the ticked runs, run by run.
 * @type {(state: State) => Sample[]}
 */
export const samplesInUse = memoize(
  (state) => [indexesInUse(state)],
  (state) => indexesInUse(state).flatMap(({ samples }) => samples),
);

/** @type {(state: State) => boolean} */
export const hasProbes = memoize(
  (state) => [samplesInUse(state)],
  (state) => samplesInUse(state).some(({ probe }) => probe),
);

/** @type {(state: State) => boolean} */
export const hasRanks = memoize(
  (state) => [samplesInUse(state)],
  (state) => new Set(samplesInUse(state).map(rankOf)).size > 1,
);

/**
 * The most class names that any session gave, `null` where none did.
 * @type {(state: State) => string[] | null}
 */
export const classNames = memoize(
  (state) => [samplesInUse(state)],
  (state) => {
    const sessions = new Set(samplesInUse(state).map(({ session }) => session));
    return [...sessions].reduce(
      (/** @type {string[] | null} */ most, { class_names: names }) =>
        names && names.length > (most?.length ?? 0) ? names : most,
      null,
    );
  },
);

/**
 * @param {State} state
 * @returns {(index: number) => string}
 */
export function namesOf(state) {
  const names = classNames(state);
  return (index) => className(names, index);
}

/**
 * The filters; those that cannot be told from their absence, because no choice is offered, left out.
 * @type {(state: State) => Filters}
 */
export const filtersInUse = memoize(
  (state) => [state.filters, hasProbes(state), hasRanks(state)],
  (state) => ({
    ...state.filters,
    show: hasProbes(state) ? state.filters.show : "all",
    rank: hasRanks(state) ? state.filters.rank : null,
  }),
);

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
export const recordedStrengths = memoize(
  (state) => [samplesInUse(state)],
  (state) => {
    /** @type {Set<number>} */
    const recorded = new Set();
    /** @type {number[] | null} */
    let last = null;
    for (const { strengths } of samplesInUse(state)) {
      if (strengths === last) continue;
      for (const strength of strengths) recorded.add(strength);
      last = strengths;
    }
    return [...recorded].sort((one, other) => one - other);
  },
);

/** @param {State} state */
export function largestStrength(state) {
  return recordedStrengths(state).at(-1) ?? 0;
}

/**
 * The strength of all: that of a link may be beyond what is recorded.
 * @param {State} state
 */
export function strengthInUse(state) {
  return Math.min(state.strength, largestStrength(state) || Infinity);
}

/**
 * The places that samples have in `samplesInUse`, in the order in which they are shown.
 * @type {(state: State) => Uint32Array}
 */
const order = memoize(
  (state) => [samplesInUse(state), state.sort],
  (state) => placesInOrder(samplesInUse(state), state.sort),
);

/**
 * The sample that is shown large; it need not be among those that the filters leave.
 * @type {(state: State) => Sample | null}
 */
export const selectedSample = memoize(
  (state) => [samplesInUse(state), state.selected],
  (state) => {
    if (state.selected === null) return null;
    return samplesInUse(state).find(({ key }) => key === state.selected) ?? null;
  },
);

/**
 * What each sample in use misses, see `missesOf`.
 * @type {(state: State) => Uint16Array}
 */
const misses = memoize(
  (state) => [samplesInUse(state), filtersInUse(state)],
  (state) => missesOf(samplesInUse(state), filtersInUse(state)),
);

/**
 * The samples in the order in which they are shown.
 * @type {(state: State) => Sample[]}
 */
export const shownSamples = memoize(
  (state) => [order(state), misses(state), state.target],
  (state) => {
    const samples = samplesInUse(state);
    const missed = misses(state);
    const isAsked = asksFor(state.target);
    /** @type {Sample[]} */
    const shown = [];
    for (const place of order(state)) {
      if (missed[place] === 0 && isAsked(samples[place])) shown.push(samples[place]);
    }
    return shown;
  },
);

/**
 * The two runs that are compared: those chosen, as long as they are there, or else the first two that
 * are ticked; `null` where there are not two.
 * @param {State} state
 * @returns {[string, string] | null}
 */
export function comparedRuns(state) {
  const runs = runsOfTag(state);
  if (state.compared?.every((run) => runs.includes(run))) return state.compared;
  const [first, second] = [...new Set([...tickedRuns(state), ...runs])];
  return second === undefined ? null : [first, second];
}

/**
 * Chooses the two runs that are compared, and ticks them, since only of ticked runs anything is known.
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

/** @type {(state: State) => boolean} */
export const hasLabels = memoize(
  (state) => [samplesInUse(state)],
  (state) => samplesInUse(state).some(({ label }) => label !== null),
);

/**
 * What the confusion matrix counts: labels where any are known and nobody chose.
 * @param {State} state
 * @returns {Axes}
 */
export function axesInUse(state) {
  return hasLabels(state) ? (state.chosenAxes ?? "labels") : "guesses";
}

/** @type {(state: State) => ConfusionMatrix} */
export const matrixInUse = memoize(
  (state) => [samplesInUse(state), misses(state), axesInUse(state)],
  (state) => confusionMatrix(samplesInUse(state), misses(state), axesInUse(state)),
);

/**
 * The steps at which anything was captured, ascending.
 * @type {(state: State) => number[]}
 */
export const recordedSteps = memoize(
  (state) => [samplesInUse(state)],
  (state) => [...new Set(samplesInUse(state).map(({ step }) => step))].sort((one, other) => one - other),
);

/**
 * What the hook's budget did to each run: from which step on captures were further apart than asked,
 * and by how many steps at the most.
 * @type {(state: State) => {run: string, from: number, every: number}[]}
 */
export const stretchedRuns = memoize(
  (state) => [indexesInUse(state)],
  (state) =>
    indexesInUse(state).flatMap(({ run, samples }) => {
      const from = samples.find(({ every }) => every !== null);
      const longest = samples.reduce((most, { every }) => Math.max(most, every ?? 0), 0);
      return from ? [{ run, from: from.step, every: longest }] : [];
    }),
);

/** @type {(state: State) => Facets} */
export const facetsInUse = memoize(
  (state) => [samplesInUse(state), misses(state)],
  (state) => facetsOf(samplesInUse(state), misses(state)),
);

/**
 * How many samples were asked to become each class, by class; of those that the filters leave.
 * @type {(state: State) => [number, number][]}
 */
export const targetsInUse = memoize(
  (state) => [samplesInUse(state), misses(state)],
  (state) => {
    const missed = misses(state);
    return targetCounts(samplesInUse(state).filter((_, place) => missed[place] === 0));
  },
);

/**
 * Where all gradients' colours end; `null` where each has a scale of its own.
 * @type {(state: State) => number | null}
 */
export const scaleEnd = memoize(
  (state) => [samplesInUse(state), state.look.scale],
  (state) => (state.look.scale === "common" ? commonEnd(samplesInUse(state)) : null),
);

/**
 * The comparison of the two runs that are chosen, whatever the filters leave of it; `null` where
 * there are not two.
 * @type {(state: State) => Comparison | null}
 */
export const comparisonInUse = memoize(
  (state) => [samplesInUse(state), ...(comparedRuns(state) ?? [])],
  (state) => {
    const [first, second] = comparedRuns(state) ?? [];
    if (first === second) return null;
    const samplesOf = (/** @type {string | undefined} */ name) => samplesInUse(state).filter(({ run }) => run === name);
    return compare(samplesOf(first), samplesOf(second));
  },
);
