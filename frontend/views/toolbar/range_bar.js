/** The choice of the steps that the Overview and the Pair view are about. */

import { binOf, rangeCaption } from "../../samples/step_ranges.js";
import { recordedSteps, samplesInUse } from "../../state/selectors.js";
import { rangeInUse, stepSpan } from "../../state/overview.js";
import { bars } from "../common/small_charts.js";
import { element } from "../common/dom.js";
import { closeElsewhere } from "../common/menu.js";
import { StepBrush } from "../common/step_brush.js";

/** @import {OnChange, State} from "../../state/state.js" */
/** @import {Range} from "../../samples/filters.js" */

const BINS = 60;

export class RangeBar {
  #caption = element("span", { className: "range-caption", role: "status" });
  /** In a narrow toolbar it shows the caption, and the choices hang below it. */
  #button = element("button", { type: "button", className: "range-button", ariaExpanded: "false" });
  #chart = element("div", { className: "range-chart" });
  #brush;
  #latest = element("button", { type: "button" }, "Latest third");
  #all = element("button", { type: "button" }, "All steps");
  /** @type {unknown} the samples that the bars count */
  #counted = null;
  element;

  /** @param {OnChange} onChange */
  constructor(onChange) {
    const choose = (/** @type {Range | null} */ range) => onChange((state) => ({ ...state, overviewSteps: range }));
    this.#brush = new StepBrush("Steps of the overview", choose);
    this.#latest.addEventListener("click", () => choose(null));
    this.#all.addEventListener("click", () =>
      onChange((state) => ({ ...state, overviewSteps: { ...stepSpan(state), to: null } })),
    );
    const track = element("div", { className: "range-track" }, this.#chart, this.#brush.element);
    const choices = element("div", { className: "range-choices" }, track, this.#latest, this.#all);
    this.element = element("div", { className: "range-bar" }, this.#caption, this.#button, choices);
    this.#button.addEventListener("click", () => {
      this.#button.ariaExpanded = String(this.#button.ariaExpanded !== "true");
    });
    closeElsewhere(this.element, this.#button, () => {
      const wasOpen = this.#button.ariaExpanded === "true";
      this.#button.ariaExpanded = "false";
      return wasOpen;
    });
  }

  /** @param {State} state */
  show(state) {
    const steps = recordedSteps(state);
    this.element.hidden = steps.length < 2;
    if (this.element.hidden) return;
    const range = rangeInUse(state);
    const span = stepSpan(state);
    const words = rangeCaption(range);
    if (this.#caption.textContent !== words) this.#caption.textContent = words;
    this.#button.textContent = `${words} ▾`;
    this.#brush.show(steps, range);
    this.#latest.ariaPressed = String(state.overviewSteps === null);
    this.#all.ariaPressed = String(state.overviewSteps !== null && range.from <= span.from && range.to >= span.to);
    const samples = samplesInUse(state);
    if (samples === this.#counted) return;
    this.#counted = samples;
    const counts = Array(BINS).fill(0);
    for (const { step, probe } of samples) if (!probe) counts[binOf(span, BINS, step)]++;
    this.#chart.replaceChildren(bars(counts, { first: 0, last: BINS }, "Captures through the training"));
  }
}
