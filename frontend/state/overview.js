/** What the Overview and the Pair view show: each function takes a state and computes one thing from it. Pure. */

import { pairCode } from "../samples/filters.js";
import { memoize } from "../samples/memoize.js";
import { overviewSentence } from "../samples/overview_sentence.js";
import { foundPairs, pairsOf, sortedPairs, summarizePairs } from "../samples/pairs.js";
import { summarizeRun } from "../samples/run_summaries.js";
import { rangeBefore, rangeOf } from "../samples/step_ranges.js";
import { suspectsIn } from "../samples/suspects.js";
import { indexesInUse, namesOf, recordedSteps, samplesInUse } from "./selectors.js";

/** @import {Part} from "../samples/overview_sentence.js" */
/** @import {Pair, PairSummary} from "../samples/pairs.js" */
/** @import {RunSummary} from "../samples/run_summaries.js" */
/** @import {StepRange} from "../samples/step_ranges.js" */
/** @import {Suspect} from "../samples/suspects.js" */
/** @import {State} from "./state.js" */

/** How many points the small lines through the training have. */
export const TREND_BINS = 24;

/**
 * The first and the last recorded step.
 * @type {(state: State) => StepRange}
 */
export const stepSpan = memoize(
  (state) => [recordedSteps(state)],
  (state) => ({ from: recordedSteps(state)[0] ?? 0, to: recordedSteps(state).at(-1) ?? 0 }),
);

/**
 * The steps that the Overview is about.
 * @type {(state: State) => StepRange}
 */
export const rangeInUse = memoize(
  (state) => [stepSpan(state), state.overviewSteps],
  (state) => rangeOf(state.overviewSteps, stepSpan(state)),
);

/**
 * The advice to choose more steps; empty if there are no more.
 * @param {State} state
 */
export function moreSteps(state) {
  const [range, span] = [rangeInUse(state), stepSpan(state)];
  return range.from > span.from || range.to < span.to ? " Choose more steps above." : "";
}

/** @type {(state: State) => Pair[]} */
export const pairsInUse = memoize(
  (state) => [samplesInUse(state)],
  (state) => pairsOf(samplesInUse(state)),
);

/**
 * The pairs within the range, the most frequent first.
 * @type {(state: State) => PairSummary[]}
 */
export const pairSummaries = memoize(
  (state) => [pairsInUse(state), rangeInUse(state)],
  (state) => summarizePairs(pairsInUse(state), rangeInUse(state), rangeBefore(rangeInUse(state))),
);

/**
 * The pairs that the table lists.
 * @type {(state: State) => PairSummary[]}
 */
export const listedPairs = memoize(
  (state) => [pairSummaries(state), state.pairOrder, state.pairSearch],
  (state) => foundPairs(sortedPairs(pairSummaries(state), state.pairOrder), state.pairSearch, namesOf(state)),
);

/** @type {(state: State) => RunSummary[]} */
export const runSummaries = memoize(
  (state) => [indexesInUse(state), rangeInUse(state), stepSpan(state)],
  (state) =>
    indexesInUse(state).map((index) => summarizeRun(index, rangeInUse(state), stepSpan(state), TREND_BINS)),
);

/**
 * How many captures of the ticked runs were read so far, and how many there are; `null` if all were read.
 * @param {State} state
 */
export function readingInUse(state) {
  const reading = indexesInUse(state).flatMap((index) => index.reading ?? []);
  const sum = (/** @type {"read" | "all"} */ which) => reading.reduce((count, one) => count + one[which], 0);
  return reading.length ? { read: sum("read"), all: sum("all") } : null;
}

/** @type {(state: State) => Suspect[]} */
export const suspectsInUse = memoize(
  (state) => [samplesInUse(state), rangeInUse(state)],
  (state) => suspectsIn(samplesInUse(state), rangeInUse(state)),
);

/** @type {(state: State) => Part[]} */
export const sentenceInUse = memoize(
  (state) => [pairSummaries(state), runSummaries(state)],
  (state) =>
    overviewSentence({
      pairs: pairSummaries(state),
      allPairs: pairsInUse(state),
      runs: runSummaries(state),
      range: rangeInUse(state),
      before: rangeBefore(rangeInUse(state)),
      nameOf: namesOf(state),
    }),
);

/**
 * The pair of the Pair view: its summary within the range, and the pair itself at all steps. Both are `null` if there
 * are no such samples.
 * @type {(state: State) => {pair: Pair | null, summary: PairSummary | null}}
 */
export const openedPair = memoize(
  (state) => [pairSummaries(state), pairsInUse(state), state.openPair],
  (state) => {
    if (!state.openPair) return { pair: null, summary: null };
    const code = pairCode(...state.openPair);
    const pair = pairsInUse(state).find((one) => one.code === code) ?? null;
    return { pair, summary: pairSummaries(state).find((summary) => summary.pair === pair) ?? null };
  },
);
