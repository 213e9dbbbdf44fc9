/** The choice of one step for all runs. Each run shows what it recorded at this step, or last before it. */

import { formatCount } from "../../samples/captions.js";
import { stepsCaption } from "../../samples/filter_captions.js";
import { filtersInUse, recordedSteps } from "../../state/selectors.js";
import { withFilters } from "../../state/transitions.js";
import { element } from "../common/dom.js";

/** @import {OnChange, State} from "../../state/state.js" */

export class StepBar {
  #slider = element("input", { type: "range", id: "step", min: "0", step: "1" });
  #box = element("input", { type: "number", id: "go-to-step", min: "0", step: "1", ariaLabel: "Go to step" });
  #all = element("button", { type: "button", ariaPressed: "true" }, "All steps");
  /** @type {number[]} */
  #recorded = [];
  #frame = 0;

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.#box.title = "Shows what each run recorded at this step, or last before it";
    this.#slider.addEventListener("input", () => this.#drag());
    this.#box.addEventListener("change", () => this.#type());
    this.#all.addEventListener("click", () => this.#choose(null));
    const label = element("label", { htmlFor: "step" }, "Step");
    this.element = element("div", { className: "steps" }, label, this.#box, this.#all, this.#slider);
  }

  /** The slider can move several times in one frame. Samples are chosen once. */
  #drag() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#choose(this.#recorded[this.#slider.valueAsNumber]);
    });
  }

  /** Reads the typed number. It is rounded and limited to a step that an address can contain. */
  #type() {
    const typed = this.#box.valueAsNumber;
    const within = Math.min(Math.max(typed, Number(this.#box.min)), Number.MAX_SAFE_INTEGER);
    const at = Number.isNaN(typed) ? null : Math.floor(within);
    this.#box.value = String(at ?? "");
    this.#choose(at);
  }

  /** @param {number | null} at */
  #choose(at) {
    const steps = at === null ? null : { at };
    this.onChange((state) => withFilters(state, { steps }));
  }

  /** @param {State} state */
  show(state) {
    const { steps } = filtersInUse(state);
    this.#recorded = recordedSteps(state);
    const last = this.#recorded.length - 1;
    const at = steps && "at" in steps ? steps.at : null;
    this.element.hidden = last < 1 && at === null;
    this.#slider.max = String(Math.max(last, 0));
    const next = at === null ? -1 : this.#recorded.findIndex((step) => step > at);
    this.#slider.value = String(next < 0 ? last : Math.max(next - 1, 0));
    this.#slider.ariaValueText = steps ? stepsCaption(steps) : "all steps";
    this.element.classList.toggle("all", at === null);
    if (this.#box !== document.activeElement) this.#box.value = String(at ?? "");
    this.#box.min = String(Math.min(this.#recorded[0] ?? 0, 0));
    this.#box.placeholder = last < 0 ? "" : `${formatCount(this.#recorded[0])}–${formatCount(this.#recorded[last])}`;
    this.#all.ariaPressed = String(!steps);
  }
}
