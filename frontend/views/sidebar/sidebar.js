/** The sidebar: the choice of the samples and their order. */

import { formatCount } from "../../samples/captions.js";
import { activeFilters } from "../../samples/filters.js";
import { ORDERS } from "../../samples/sort_orders.js";
import { countsOf, filtersInUse, tagInUse, tagsOf } from "../../state/selectors.js";
import { chooseTag } from "../../state/transitions.js";
import { element } from "../common/dom.js";
import { labelledField, select, setOptions } from "../common/form_fields.js";
import { FilterFields } from "./filter_fields.js";
import { ConfusionMatrixView } from "./confusion_matrix_view.js";
import { ReviewPanel } from "./review_panel.js";
import { RunPicker } from "./run_picker.js";
import { RecordingSummary } from "./recording_summary.js";

/** @import {Sort} from "../../samples/sort_orders.js" */
/** @import {OnChange, State} from "../../state/state.js" */

export class Sidebar {
  #runs;
  #filters;
  #review;
  #matrix;
  #trust = new RecordingSummary();
  #tag;
  #sort;
  #count = element("p", { className: "count", role: "status" });
  #reload = element("button", { type: "button", className: "reload" }, "Reload");
  /** On a narrow page this button shows and hides everything but the status. */
  #fold = element("button", { type: "button", className: "fold" });
  #body;
  #tagRow;

  /**
   * @param {OnChange} onChange
   * @param {() => void} onReload
   * @param {HTMLElement} steps the choice of a step
   * @param {HTMLElement[]} more other elements for the sidebar
   */
  constructor(onChange, onReload, steps, more) {
    this.#runs = new RunPicker(onChange);
    this.#filters = new FilterFields(onChange);
    this.#review = new ReviewPanel(onChange);
    this.#matrix = new ConfusionMatrixView(onChange);
    this.#tag = select("tag", (tag) => onChange((state) => chooseTag(state, tag)));
    this.#sort = select(
      "sort",
      (sort) => onChange((state) => ({ ...state, sort: /** @type {Sort} */ (sort) })),
      Object.entries(ORDERS).map(([sort, { words }]) => [sort, words]),
    );
    this.#reload.addEventListener("click", () => onReload());
    this.#tagRow = labelledField("Tag", this.#tag);
    this.#fold.addEventListener("click", () => this.#setFolded(this.#fold.ariaExpanded === "true"));
    this.#body = element(
      "div",
      { className: "controls", id: "controls" },
      this.#runs.element,
      this.#tagRow,
      steps,
      labelledField("Order", this.#sort),
      this.#filters.element,
      this.#review.element,
      this.#matrix.element,
      ...more,
      this.#trust.element,
    );
    this.#fold.setAttribute("aria-controls", "controls");
    this.element = element(
      "aside",
      { ariaLabel: "Controls" },
      element("div", { className: "status" }, this.#count, this.#fold, this.#reload),
      this.#body,
    );
    this.#setFolded(true);
  }

  /**
   * @param {State} state
   * @param {number} shown how many samples pass the filters
   * @param {boolean} concludes whether the view ignores the filters
   */
  show(state, shown, concludes) {
    this.element.hidden = !state.runs?.length;
    this.#runs.show(state);
    this.#review.show(state);
    this.#trust.show(state);
    const tags = tagsOf(state);
    setOptions(
      this.#tag,
      tags.map((tag) => [tag, tag]),
    );
    this.#tag.value = tagInUse(state) ?? "";
    this.#tagRow.hidden = tags.length < 2;
    this.#sort.value = state.sort;
    const { samples, unreadable, superseded, dropped } = countsOf(state);
    const words = [`${formatCount(shown)} of ${formatCount(samples)} samples`];
    if (unreadable) words.push(`${formatCount(unreadable)} unreadable`);
    if (superseded) words.push(`${formatCount(superseded)} superseded by a restart`);
    if (dropped) words.push(`${formatCount(dropped)} lost in writing`);
    const text = words.join(", ");
    if (this.#count.textContent !== text) this.#count.textContent = text;
    const active = activeFilters(filtersInUse(state)).length;
    const filters = active ? `Filters (${active})` : "Filters";
    this.#fold.textContent = concludes ? "Runs" : filters;
  }

  /** @param {State} state */
  showFilters(state) {
    this.#filters.show(state);
  }

  /** @param {State} state */
  showMatrix(state) {
    this.#matrix.show(state);
  }

  focusSearch() {
    this.#setFolded(false);
    this.#filters.focusSearch();
  }

  /** @param {boolean} folded */
  #setFolded(folded) {
    this.#fold.ariaExpanded = String(!folded);
    this.#body.classList.toggle("folded", folded);
  }

  /** @param {boolean} busy */
  showBusy(busy) {
    this.#reload.ariaBusy = String(busy);
  }
}
