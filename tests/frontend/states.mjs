/** Made-up states, with indexes as `run_index.js` gives them. */

import { shownSamples } from "../../frontend/state/selectors.js";
import { initialState } from "../../frontend/state/state.js";
import { withIndexes, withRuns } from "../../frontend/state/transitions.js";
import { makeSample } from "./samples.mjs";

export function indexOf(run, samples, counts = {}, sessions = []) {
  return {
    run,
    tag: "confused",
    counts: { samples: samples.length, unreadable: 0, superseded: 0, dropped: 0, ...counts },
    samples,
    sessions,
  };
}

export function sampleAt(step, fields) {
  return makeSample({ step, key: `${step}.${fields?.index ?? 0}`, ...fields });
}

export function stateWith(...indexes) {
  const runs = indexes.map(({ run }) => ({ run, tags: ["confused"], empty_tags: [] }));
  return withIndexes(withRuns(initialState(), runs), indexes);
}

/** The keys of the samples that are shown, in their order. */
export function keys(state) {
  return shownSamples(state).map(({ key }) => key);
}
