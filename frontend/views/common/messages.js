/** Messages: errors with a retry button, and texts for a page without samples. */

import { noSamplesCaption } from "../../samples/session_status.js";
import { countsOf, samplesInUse, statusesInUse, tickedRuns } from "../../state/selectors.js";
import { element } from "./dom.js";

/** @import {State} from "../../state/state.js" */

const EXAMPLE = `from tb_gradascent import GradAscentHook

hook = GradAscentHook(model, "runs/mnist")
for inputs, labels in loader:
    logits = model(inputs)
    ...                                  # loss, backward and optimizer.step() stay unchanged
    hook(inputs, logits, labels)`;

export class ProblemList {
  #list = element("ul");
  #shown = "";

  /** @param {() => void} onRetry */
  constructor(onRetry) {
    const retry = element("button", { type: "button" }, "Retry");
    retry.addEventListener("click", onRetry);
    this.element = element("div", { className: "problems", hidden: true }, this.#list, retry);
    this.element.role = "alert";
  }

  /** @param {string[]} problems */
  show(problems) {
    const shown = problems.join("\n");
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.element.hidden = !problems.length;
    this.#list.replaceChildren(...problems.map((problem) => element("li", {}, problem)));
  }
}

export function emptyState() {
  return element(
    "section",
    { className: "empty" },
    element("h1", {}, "No samples yet"),
    element(
      "p",
      {},
      "This page shows the samples that confuse your network most, which pixels change its prediction, and how " +
        "little change makes it predict another class. Add three lines to the training loop:",
    ),
    element("pre", {}, element("code", {}, EXAMPLE)),
    element(
      "p",
      {},
      "Then train. TensorBoard's log directory must be the hook's directory or one above it. The samples appear here " +
        "automatically.",
    ),
  );
}

/** @param {string} words */
export function note(words) {
  return element("p", { className: "note" }, words);
}

/**
 * Why no sample is shown after everything has been loaded.
 * @param {State} state
 */
export function emptyReason(state) {
  if (!tickedRuns(state).length) return "No run is ticked. Tick a run to see its samples.";
  if (samplesInUse(state).length) return "No sample passes all filters. Remove one of those above.";
  if (countsOf(state).unreadable) {
    return "No sample can be shown. The records are damaged, or a newer version of the hook wrote them.";
  }
  const reasons = statusesInUse(state).map(({ run, status }) => ({ run, why: noSamplesCaption(status) }));
  if (!reasons.length) return "The ticked runs have no samples yet.";
  if (tickedRuns(state).length > 1) return reasons.map(({ run, why }) => `${run}: ${why}`).join("\n");
  const [{ why }] = reasons;
  return why[0].toUpperCase() + why.slice(1);
}
