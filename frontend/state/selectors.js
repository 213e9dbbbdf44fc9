/** What follows from a state: each function takes a state and computes one thing from it. Pure. */

import { commonEnd, photographsIn } from "../drawing/gradient_colors.js";
import { className } from "../samples/captions.js";
import { compare } from "../samples/comparison.js";
import { confusionMatrix } from "../samples/confusion_matrix.js";
import { CAPTURES, REVIEW_BIT, TARGET_BIT, facetsOf, failedFiltersOf, rankOf } from "../samples/filters.js";
import { memoize } from "../samples/memoize.js";
import { runNotices, worstFirst } from "../samples/session_status.js";
import { defaultKind, kindsOf, shownMorph, strengthAtFlip } from "../samples/morphs.js";
import { byStep, sortedPositions } from "../samples/sort_orders.js";
import { hasRepeatedIds } from "../samples/subjects.js";
import { hasTarget, targetCounts } from "../samples/target_choice.js";
import { RUNS_AT_FIRST } from "./opening.js";

/** @import {Comparison} from "../samples/comparison.js" */
/** @import {Axes, ConfusionMatrix} from "../samples/confusion_matrix.js" */
/** @import {Captures, Facets, Filters, Show} from "../samples/filters.js" */
/** @import {Photographs} from "../drawing/gradient_colors.js" */
/** @import {ShownTargets} from "../samples/target_choice.js" */
/** @import {RunNotice} from "../samples/session_status.js" */
/** @import {Counts, RunIndex, Sample, Status, Target} from "../types.js" */
/** @import {State} from "./state.js" */

/**
 * How many colours style/base.css has for runs: TensorBoard's seven, and seven more. TensorBoard gives its first colour
 * again to the eighth run.
 */
const RUN_COLOURS = 14;

/** @param {State} state */
export function tagsOf({ runs }) {
  return [...new Set((runs ?? []).flatMap(({ tags }) => tags))].sort();
}

/**
 * The chosen tag. If it does not exist, it is the first one with captures, or the first one of all.
 * @type {(state: State) => string | null}
 */
export const tagInUse = memoize(
  (state) => [state.runs, state.chosenTag],
  (state) => {
    const tags = tagsOf(state);
    if (state.chosenTag !== null && tags.includes(state.chosenTag)) return state.chosenTag;
    const runs = state.runs ?? [];
    const hasCaptures = (/** @type {string} */ tag) =>
      runs.some((run) => run.tags.includes(tag) && !run.empty_tags.includes(tag));
    return tags.find(hasCaptures) ?? tags[0] ?? null;
  },
);

/**
 * The runs that have the tag in use.
 * @type {(state: State) => string[]}
 */
export const runsOfTag = memoize(
  (state) => [state.runs, tagInUse(state)],
  (state) => {
    const tag = tagInUse(state);
    return (state.runs ?? []).filter(({ tags }) => tag !== null && tags.includes(tag)).map(({ run }) => run);
  },
);

/**
 * The runs that the sidebar lists: those that match the run filter.
 * @type {(state: State) => string[]}
 */
export const offeredRuns = memoize(
  ({ runs, chosenTag, runFilter }) => [runs, chosenTag, runFilter],
  (state) => runsOfTag(state).filter(textMatcher(state.runFilter)),
);

/**
 * @param {string} pattern a regular expression; an invalid one is searched for as plain text
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

/**
 * The runs whose samples are shown.
 * @type {(state: State) => string[]}
 */
export const tickedRuns = memoize(
  (state) => [offeredRuns(state), state.ticked, state.others],
  (state) => {
    const { ticked, others } = state;
    const isTickedByDefault = (/** @type {number} */ position) =>
      others ? others === "all" : position < RUNS_AT_FIRST;
    return offeredRuns(state).filter((run, position) => ticked.get(run) ?? isTickedByDefault(position));
  },
);

/**
 * The colour that TensorBoard gives to a run, as a variable of the style sheet, so that it follows the theme.
 * TensorBoard does not tell which colours the user changed. Without TensorBoard around the page, as in a report, the
 * runs have the colours in their own order.
 * @param {State} state
 * @param {string} run
 */
export function runColour(state, run) {
  return `var(--run-${(positionsOfRuns(state).get(run) ?? 0) % RUN_COLOURS})`;
}

/** @type {(state: State) => Map<string, number>} */
const positionsOfRuns = memoize(
  ({ runOrder, runs }) => [runOrder, runs],
  ({ runOrder, runs }) => {
    const order = runOrder.length ? runOrder : (runs ?? []).map(({ run }) => run);
    return new Map(order.map((run, position) => [run, position]));
  },
);

/**
 * The colour of each run; `null` if there is only one run, which needs no colour.
 * @type {(state: State) => ((run: string) => string) | null}
 */
export const runColours = memoize(
  (state) => [runsOfTag(state).length > 1, state.runOrder, state.runs],
  (state) => (runsOfTag(state).length > 1 ? (run) => runColour(state, run) : null),
);

/**
 * What is loaded of the ticked runs.
 * @type {(state: State) => RunIndex[]}
 */
export const indexesInUse = memoize(
  (state) => [tickedRuns(state), state.indexes],
  (state) => tickedRuns(state).flatMap((run) => state.indexes.get(run) ?? []),
);

/**
 * All samples of the ticked runs, run by run, before any filter.
 * @type {(state: State) => Sample[]}
 */
export const samplesInUse = memoize(
  (state) => [indexesInUse(state)],
  (state) => indexesInUse(state).flatMap(({ samples }) => samples),
);

/**
 * What the hooks of the ticked runs found out, the worst first, without the notices that the user dismissed.
 * @type {(state: State) => RunNotice[]}
 */
export const noticesInUse = memoize(
  (state) => [indexesInUse(state), state.dismissed],
  (state) =>
    worstFirst(indexesInUse(state).flatMap(runNotices)).filter(({ key }) => !state.dismissed.has(key)),
);

/**
 * The last status of the newest session of each ticked run that tells one.
 * @type {(state: State) => {run: string, status: Status}[]}
 */
export const statusesInUse = memoize(
  (state) => [indexesInUse(state)],
  (state) =>
    indexesInUse(state).flatMap(({ run, sessions }) => {
      const status = sessions.at(-1)?.status;
      return status ? [{ run, status }] : [];
    }),
);

/** @type {(state: State) => boolean} */
export const hasProbes = memoize(
  (state) => [samplesInUse(state)],
  (state) => samplesInUse(state).some(({ probe }) => probe),
);

/**
 * Whether there are probes and other samples.
 * @type {(state: State) => boolean}
 */
const hasBothKinds = memoize(
  (state) => [samplesInUse(state)],
  (state) => hasProbes(state) && samplesInUse(state).some(({ probe }) => !probe),
);

/**
 * Whether any id was captured more than once in a run.
 * @type {(state: State) => boolean}
 */
const hasRepeats = memoize(
  (state) => [samplesInUse(state)],
  (state) => hasRepeatedIds(samplesInUse(state)),
);

/** @type {(state: State) => boolean} */
export const hasRanks = memoize(
  (state) => [samplesInUse(state)],
  (state) => {
    const samples = samplesInUse(state);
    return samples.some((sample) => rankOf(sample) !== rankOf(samples[0]));
  },
);

/**
 * The longest list of class names of all sessions; `null` if no session has any.
 * @type {(state: State) => string[] | null}
 */
const classNames = memoize(
  (state) => [samplesInUse(state)],
  (state) => {
    /** @type {string[] | null} */
    let most = null;
    for (const { session } of samplesInUse(state)) {
      const { class_names: names } = session;
      if (names && names.length > (most?.length ?? 0)) most = names;
    }
    return most;
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
 * Which samples the filter `show` passes: the grid shows no probes unless the user asks for them. Probes are the same
 * samples again and again, and the other views are made for them.
 * @param {State} state
 * @returns {Exclude<Show, "auto">}
 */
function showInUse(state) {
  const { show } = state.filters;
  if (!hasProbes(state)) return "all";
  if (show !== "auto") return show;
  return state.view === "samples" && hasBothKinds(state) ? "confused" : "all";
}

/**
 * Which captures the user can choose. Other views need them all, and Compare needs the latest of each id. Who chooses
 * steps or searches for an id wants more than the latest third.
 * @param {State} state
 * @returns {readonly Captures[]} empty if there is no choice
 */
export function offeredCaptures(state) {
  const isSamples = state.view === "samples";
  const hasSteps = isSamples && recordedSteps(state).length > 1;
  const hasIds = (isSamples || state.view === "compare") && hasRepeats(state);
  if (!hasSteps && !hasIds) return [];
  const { steps, id } = state.filters;
  const offers = { recent: hasSteps && !steps && !id, latest: hasIds, all: true };
  return CAPTURES.filter((captures) => offers[captures]);
}

/**
 * @param {State} state
 * @returns {Captures}
 */
function capturesInUse(state) {
  const { captures } = state.filters;
  const offered = offeredCaptures(state);
  return offered.includes(captures) ? captures : (offered[0] ?? "all");
}

/**
 * The filters that apply. A filter that the sidebar does not offer, because it could not change anything, is off.
 * @type {(state: State) => Filters}
 */
export const filtersInUse = memoize(
  (state) => [state.filters, showInUse(state), capturesInUse(state), hasRanks(state)],
  (state) => ({
    ...state.filters,
    show: showInUse(state),
    captures: capturesInUse(state),
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
 * All strengths at which the network classified a morph of any sample, ascending.
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
 * The slider's strength. A link may ask for more than is recorded, so it is limited.
 * @param {State} state
 */
export function strengthInUse(state) {
  return Math.min(state.strength, largestStrength(state) || Infinity);
}

/**
 * The kinds of morphs that the samples have: the names of the ascents.
 * @type {(state: State) => string[]}
 */
export const morphKinds = memoize(
  (state) => [samplesInUse(state)],
  (state) => kindsOf(samplesInUse(state)),
);

/**
 * The kind of morph that is shown: the chosen one if it exists, otherwise the visible one.
 * @param {State} state
 */
export function morphInUse(state) {
  const kinds = morphKinds(state);
  const { chosenMorph } = state;
  return chosenMorph !== null && kinds.includes(chosenMorph) ? chosenMorph : defaultKind(kinds);
}

/**
 * What decides at which strength a morph is shown. `morph` is the kind that is shown.
 * @typedef {Pick<State, "strength" | "strengthOverrides" | "atFlip"> & {morph: string}} StrengthSettings
 */

/**
 * The strength at which the morph of one target is shown.
 * @param {StrengthSettings} settings
 * @param {Sample} sample
 * @param {Target} [target] the default is the slider's strength, unless the sample has an override
 */
export function strengthOf({ strength, strengthOverrides, atFlip, morph }, sample, target) {
  const override = strengthOverrides.size ? strengthOverrides.get(sample.key) : undefined;
  if (override !== undefined) return override;
  return atFlip && target ? strengthAtFlip(shownMorph(target, morph), sample.strengths) : strength;
}

/**
 * The positions of the samples in `samplesInUse`, sorted as the user chose.
 * @type {(state: State) => Uint32Array}
 */
const order = memoize(
  (state) => [samplesInUse(state), state.sort],
  (state) => sortedPositions(samplesInUse(state), state.sort),
);

/**
 * The sample in the detail dialog. The filters may exclude it.
 * @type {(state: State) => Sample | null}
 */
export const selectedSample = memoize(
  (state) => [samplesInUse(state), state.selected],
  (state) => {
    const { selected } = state;
    if (selected === null) return null;
    const samples = samplesInUse(state);
    // Links of older versions have no tag.
    return (
      samples.find(({ key }) => key === selected) ??
      samples.find(({ run, address }) => `${run}|${address}` === selected) ??
      null
    );
  },
);

/**
 * All captures of a sample's id in its run, from the earliest step to the latest; the sample alone if it has no id.
 * @param {State} state
 * @param {Sample} sample
 */
export function capturesOf(state, sample) {
  const { run, id } = sample;
  if (id === null) return [sample];
  return samplesInUse(state)
    .filter((one) => one.id === id && one.run === run)
    .sort(byStep);
}

/**
 * Which filters each sample fails, see `failedFiltersOf`. `TARGET_BIT` counts as one of them.
 * @type {(state: State) => Uint16Array}
 */
const failedFilters = memoize(
  (state) => [samplesInUse(state), filtersInUse(state), state.target, state.review, state.review && state.reviews],
  (state) => {
    const samples = samplesInUse(state);
    const failed = failedFiltersOf(samples, filtersInUse(state));
    const isAsked = hasTarget(state.target);
    if (state.target !== null) samples.forEach((sample, at) => (failed[at] |= isAsked(sample) ? 0 : TARGET_BIT));
    const { review, reviews } = state;
    if (review !== null) {
      samples.forEach(({ id }, at) => {
        const found = id === null ? undefined : reviews.get(id);
        const passes = review === "any" ? found !== undefined : found === review;
        failed[at] |= passes ? 0 : REVIEW_BIT;
      });
    }
    return failed;
  },
);

/**
 * The samples that pass all filters, in the order that the user chose.
 * @type {(state: State) => Sample[]}
 */
export const shownSamples = memoize(
  (state) => [order(state), failedFilters(state)],
  (state) => {
    const samples = samplesInUse(state);
    const failed = failedFilters(state);
    /** @type {Sample[]} */
    const shown = [];
    for (const position of order(state)) {
      if (failed[position] === 0) shown.push(samples[position]);
    }
    return shown;
  },
);

/**
 * Which targets all cards show.
 * @param {State} state
 * @returns {ShownTargets}
 */
export function shownTargets({ target, allTargets }) {
  return target ?? (allTargets ? "all" : "changing");
}

/**
 * The two runs that are compared: the chosen ones if both exist, otherwise the first two ticked runs.
 * `null` if there are fewer than two runs.
 * @param {State} state
 * @returns {[string, string] | null}
 */
export function comparedRuns(state) {
  const runs = runsOfTag(state);
  if (state.compared?.every((run) => runs.includes(run))) return state.compared;
  const [first, second] = [...new Set([...tickedRuns(state), ...runs])];
  return second === undefined ? null : [first, second];
}

/** @type {(state: State) => boolean} */
export const hasLabels = memoize(
  (state) => [samplesInUse(state)],
  (state) => samplesInUse(state).some(({ label }) => label !== null),
);

/**
 * What the confusion matrix counts. The default is labels, if any sample has one.
 * @param {State} state
 * @returns {Axes}
 */
export function axesInUse(state) {
  return hasLabels(state) ? (state.chosenAxes ?? "labels") : "guesses";
}

/** @type {(state: State) => ConfusionMatrix} */
export const matrixInUse = memoize(
  (state) => [samplesInUse(state), failedFilters(state), axesInUse(state)],
  (state) => confusionMatrix(samplesInUse(state), failedFilters(state), axesInUse(state)),
);

/**
 * The steps of all samples, ascending, each once.
 * @type {(state: State) => number[]}
 */
export const recordedSteps = memoize(
  (state) => [samplesInUse(state)],
  (state) => {
    /** @type {Set<number>} */
    const steps = new Set();
    let last = NaN;
    for (const { step } of samplesInUse(state)) {
      if (step !== last) steps.add(step);
      last = step;
    }
    return [...steps].sort((one, other) => one - other);
  },
);

/**
 * The runs whose captures `budget_mb` or `max_overhead` made rarer: the first such step, and the largest number of
 * steps between two captures.
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
  (state) => [samplesInUse(state), failedFilters(state)],
  (state) => facetsOf(samplesInUse(state), failedFilters(state)),
);

/**
 * How many of the samples that pass the filters have each class as a target, sorted by class.
 * @type {(state: State) => [number, number][]}
 */
export const targetsInUse = memoize(
  (state) => [samplesInUse(state), failedFilters(state)],
  (state) => {
    const failed = failedFilters(state);
    return targetCounts(samplesInUse(state).filter((_, position) => !(failed[position] & ~TARGET_BIT)));
  },
);

/**
 * The magnitude at which the common colour scale ends; `null` if each gradient has its own scale.
 * @type {(state: State) => number | null}
 */
export const scaleEnd = memoize(
  (state) => [samplesInUse(state), state.gradientColors.scale],
  (state) => (state.gradientColors.scale === "common" ? commonEnd(samplesInUse(state)) : null),
);

/**
 * Whether the samples are photographs, whose gradients are drawn in their own style.
 * @type {(state: State) => Photographs}
 */
export const photographs = memoize(
  (state) => [samplesInUse(state)],
  (state) => photographsIn(samplesInUse(state)),
);

/**
 * The comparison of the two compared runs, before any filter; `null` if there are not two.
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
