/** The choice of runs, in TensorBoard's colours. */

import { countOf } from "../captions.js";
import { offeredRuns, runColour, runsOfTag, tick, tickOthers, tickedRuns } from "../state.js";
import { element } from "./dom.js";

/** @import {OnChange, State} from "../state.js" */

/** Fewer are found at a glance. */
const WORTH_FILTERING = 8;

export class RunPicker {
  #list = element("div", { className: "runs", role: "group", ariaLabel: "Runs" });
  #count = element("span", { className: "run-count" });
  #filter = element("input", { id: "run-filter", type: "search", placeholder: "filter runs", ariaLabel: "Filter runs" });
  #all = element("button", { type: "button" }, "All");
  #none = element("button", { type: "button" }, "None");
  #tools = element("div", { className: "run-tools" }, this.#filter, this.#all, this.#none);
  /** @type {string | null} */
  #shown = null;

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.#filter.title = "a regular expression; runs that do not match are neither listed nor shown";
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
      element("div", { className: "name" }, "Runs ", this.#count),
      this.#tools,
      this.#list,
    );
  }

  /** @param {State} state */
  show(state) {
    const all = runsOfTag(state);
    const runs = offeredRuns(state);
    const ticked = new Set(tickedRuns(state));
    const shown = runs.join("\n");
    if (shown !== this.#shown) this.#list.replaceChildren(...runs.map((run) => row(run, all.length > 1)));
    this.#shown = shown;
    this.#tools.hidden = all.length < 2;
    const typing = this.#filter === document.activeElement;
    this.#filter.hidden = all.length <= WORTH_FILTERING && !state.runFilter && !typing;
    if (!typing) this.#filter.value = state.runFilter;
    const count = ticked.size < all.length ? `${countOf(ticked.size)} of ${countOf(all.length)} shown` : "";
    if (this.#count.textContent !== count) this.#count.textContent = count;
    for (const box of this.#list.querySelectorAll("input")) {
      box.checked = ticked.has(box.value);
      box.style.accentColor = runColour(state, box.value);
    }
  }
}

/**
 * @param {string} run
 * @param {boolean} several
 */
function row(run, several) {
  const box = element("input", { type: "checkbox", name: "run", value: run });
  const label = element("label", { title: run }, box, element("span", {}, run));
  if (!several) return label;
  const only = element("button", { type: "button", className: "only", value: run, ariaLabel: `Only ${run}` }, "only");
  return element("div", { className: "run" }, label, only);
}
