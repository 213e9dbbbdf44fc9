/** The list of runs, in TensorBoard's colours. */

import { formatCount } from "../../samples/captions.js";
import { offeredRuns, runColour, runsOfTag, tickedRuns } from "../../state/selectors.js";
import { tick, tickOthers } from "../../state/transitions.js";
import { sharedStart } from "../../samples/run_names.js";
import { element, putInOrder } from "../common/dom.js";
import { runName } from "../common/run_name.js";

/** @import {OnChange, State} from "../../state/state.js" */

/** The filter for runs appears if there are more runs. */
const WORTH_FILTERING = 8;

/** @typedef {{element: HTMLElement, box: HTMLInputElement, only: HTMLButtonElement}} Row */

export class RunPicker {
  #list = element("div", { className: "runs", role: "group", ariaLabel: "Runs" });
  #count = element("span", { className: "run-count" });
  #filter = element("input", {
    id: "run-filter",
    type: "search",
    placeholder: "filter runs",
    ariaLabel: "Filter runs",
  });
  #all = element("button", { type: "button" }, "All");
  #none = element("button", { type: "button" }, "None");
  #tools = element("div", { className: "run-tools" }, this.#filter, this.#all, this.#none);
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** The start that the names of all runs share. */
  #start = "";
  #shared = element("span", { className: "run-start" });

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.#filter.title = "A regular expression. Runs that do not match are neither listed nor shown.";
    this.#filter.addEventListener("input", () => onChange((state) => ({ ...state, runFilter: this.#filter.value })));
    this.#all.addEventListener("click", () => onChange((state) => tickOthers(state, "all")));
    this.#none.addEventListener("click", () => onChange((state) => tickOthers(state, "none")));
    this.#list.addEventListener("change", ({ target }) => {
      if (!(target instanceof HTMLInputElement)) return;
      const { value, checked } = target;
      onChange((state) => tick(state, value, checked));
    });
    this.#list.addEventListener("click", ({ target }) => {
      if (!(target instanceof HTMLButtonElement)) return;
      const { value } = target;
      onChange((state) => tick(tickOthers(state, "none"), value, true));
    });
    this.element = element(
      "div",
      { className: "field" },
      element("div", { className: "name" }, "Runs ", this.#count, this.#shared),
      this.#tools,
      this.#list,
    );
  }

  /** @param {State} state */
  show(state) {
    const all = runsOfTag(state);
    const runs = offeredRuns(state);
    const ticked = new Set(tickedRuns(state));
    const start = sharedStart(all);
    if (start !== this.#start) {
      for (const { element: node } of this.#rows.values()) node.remove();
      this.#rows.clear();
      this.#start = start;
      this.#shared.textContent = start ? ` in ${start.replace(/.$/, "")}` : "";
    }
    this.#offer(runs);
    this.#tools.hidden = all.length < 2;
    const typing = this.#filter === document.activeElement;
    this.#filter.hidden = all.length <= WORTH_FILTERING && !state.runFilter && !typing;
    if (!typing) this.#filter.value = state.runFilter;
    const count = ticked.size < all.length ? `${formatCount(ticked.size)} of ${formatCount(all.length)} shown` : "";
    if (this.#count.textContent !== count) this.#count.textContent = count;
    for (const [run, { box, only }] of this.#rows) {
      box.checked = ticked.has(run);
      box.style.accentColor = runColour(state, run);
      only.hidden = all.length < 2;
    }
  }

  /**
   * Updates the list. The rows of runs that are still listed are kept.
   * @param {string[]} runs
   */
  #offer(runs) {
    const offered = new Set(runs);
    for (const [run, row] of this.#rows) {
      if (offered.has(run)) continue;
      row.element.remove();
      this.#rows.delete(run);
    }
    for (const run of runs) if (!this.#rows.has(run)) this.#rows.set(run, makeRow(run, this.#start));
    putInOrder(
      this.#list,
      runs.flatMap((run) => this.#rows.get(run)?.element ?? []),
    );
  }
}

/**
 * @param {string} run
 * @param {string} start what the names of all runs share
 * @returns {Row}
 */
function makeRow(run, start) {
  const box = element("input", { type: "checkbox", name: "run", value: run });
  const label = element("label", { title: run }, box, runName(run, start));
  const only = element("button", { type: "button", className: "only", value: run, ariaLabel: `Only ${run}` }, "only");
  return { element: element("div", { className: "run" }, label, only), box, only };
}
