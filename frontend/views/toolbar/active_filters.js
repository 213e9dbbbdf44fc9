/** The list of everything that limits which samples are shown. A click on an entry removes it. */

import { filterCaption } from "../../samples/filter_captions.js";
import { NO_FILTERS, USUAL_FILTERS, activeFilters } from "../../samples/filters.js";
import { REVIEW_WORDS } from "../../samples/label_review.js";
import { filtersInUse, namesOf } from "../../state/selectors.js";
import { withFilters, withTarget } from "../../state/transitions.js";
import { element } from "../common/dom.js";

/** @import {OnChange, State} from "../../state/state.js" */

/** @typedef {{words: string, without: (state: State) => State}} Entry */

export class ActiveFilters {
  #list = element("ul");
  #clear = element("button", { type: "button", className: "clear" }, "Reset");
  /** @type {HTMLButtonElement[]} */
  #buttons = [];
  #shown = "";

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.#clear.title = "Back to the usual samples";
    this.#clear.addEventListener("click", () =>
      onChange((state) => withTarget({ ...state, filters: USUAL_FILTERS, review: null }, null)),
    );
    const properties = { className: "active-filters", role: "group", ariaLabel: "Active filters" };
    this.element = element("div", properties, this.#list, this.#clear);
  }

  /**
   * @param {State} state
   * @returns {boolean} whether the last filter was removed while it had the focus
   */
  show(state) {
    const entries = entriesOf(state);
    const isUsual = state.target === null && state.review === null && Object.entries(USUAL_FILTERS).every(
      ([name, value]) => state.filters[/** @type {keyof typeof USUAL_FILTERS} */ (name)] === value,
    );
    const shown = JSON.stringify([entries.map(({ words }) => words), isUsual]);
    if (shown === this.#shown) return false;
    this.#shown = shown;
    const hadFocus = this.element.contains(document.activeElement);
    const position = this.#buttons.findIndex((button) => button === document.activeElement);
    this.#clear.hidden = isUsual;
    this.#buttons = entries.map(({ words, without }) => {
      const name = element("span", { className: "name" }, words);
      const button = element("button", { type: "button", title: words, ariaLabel: `Remove the filter: ${words}` }, name);
      button.append(element("span", { ariaHidden: "true" }, "×"));
      button.addEventListener("click", () => this.onChange(without));
      return button;
    });
    this.#list.replaceChildren(...this.#buttons.map((button) => element("li", {}, button)));
    if (position >= 0) this.#buttons[Math.min(position, entries.length - 1)]?.focus();
    return hadFocus && !this.element.contains(document.activeElement);
  }
}

/**
 * @param {State} state
 * @returns {Entry[]}
 */
function entriesOf(state) {
  const filters = filtersInUse(state);
  const nameOf = namesOf(state);
  /** @type {Entry[]} */
  const entries = activeFilters(filters).map((name) => ({
    words: filterCaption(name, filters, nameOf),
    without: (state) => withFilters(state, { [name]: NO_FILTERS[name] }),
  }));
  if (state.target !== null) {
    entries.push({ words: `towards ${nameOf(state.target)}`, without: (state) => withTarget(state, null) });
  }
  const { review } = state;
  if (review !== null) {
    const words = review === "any" ? "reviewed" : `reviewed: ${REVIEW_WORDS[review]}`;
    entries.push({ words, without: (state) => ({ ...state, review: null }) });
  }
  return entries;
}
