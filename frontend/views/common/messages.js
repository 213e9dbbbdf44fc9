/** What stands where samples would: errors with a way out, and how to get the first sample. */

import { countsOf, samplesInUse, tickedRuns } from "../../state/selectors.js";
import { element } from "./dom.js";

/** @import {State} from "../../state/state.js" */

const EXAMPLE = `from tb_gradascent import GradAscentHook

hook = GradAscentHook(model, "runs/mnist")
for inputs, labels in loader:
    logits = model(inputs)
    ...                                  # loss, backward, optimizer.step(): untouched
    hook(inputs, logits, labels)`;

export class Problems {
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
      "Gradient ascent shows the samples that confuse your network most, which way their pixels pull it, and what " +
        "it would say if they gave way. Add three lines to the training loop:",
    ),
    element("pre", {}, element("code", {}, EXAMPLE)),
    element(
      "p",
      {},
      "Then train, with TensorBoard's log directory at or above the hook's. The samples appear here by themselves.",
    ),
  );
}

/** @param {string} words */
export function note(words) {
  return element("p", { className: "note" }, words);
}

/**
 * Why no sample is shown, although all that there is has been fetched.
 * @param {State} state
 */
export function whyNothing(state) {
  if (!tickedRuns(state).length) return "No run is ticked.";
  if (samplesInUse(state).length) return "No sample passes all filters.";
  return countsOf(state).unreadable
    ? "No sample can be shown: what was recorded is damaged, or newer than this plugin reads."
    : "Nothing is recorded in the ticked runs yet.";
}
