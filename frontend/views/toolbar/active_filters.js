/** The list of active filters. A click on a filter removes it. */

import { filterCaption } from "../../samples/filter_captions.js";
import { NO_FILTERS, activeFilters } from "../../samples/filters.js";
import { filtersInUse, namesOf } from "../../state/selectors.js";
import { withFilters } from "../../state/transitions.js";
import { element } from "../common/dom.js";

/** @import {OnChange, State} from "../../state/state.js" */

export class ActiveFilters {
  #list = element("ul");
  /** @type {HTMLButtonElement[]} */
  #buttons = [];
  #shown = "";

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    const clear = element("button", { type: "button", className: "clear" }, "Clear all");
    clear.addEventListener("click", () => onChange((state) => ({ ...state, filters: NO_FILTERS })));
    const properties = { className: "active-filters", role: "group", ariaLabel: "Active filters", hidden: true };
    this.element = element("div", properties, this.#list, clear);
  }

  /**
   * @param {State} state
   * @returns {boolean} whether the last filter was removed while it had the focus
   */
  show(state) {
    const filters = filtersInUse(state);
    const nameOf = namesOf(state);
    const active = activeFilters(filters).map((name) => ({ name, words: filterCaption(name, filters, nameOf) }));
    const shown = JSON.stringify(active);
    if (shown === this.#shown) return false;
    this.#shown = shown;
    const hadFocus = this.element.contains(document.activeElement);
    const position = this.#buttons.findIndex((button) => button === document.activeElement);
    this.element.hidden = !active.length;
    this.#buttons = active.map(({ name, words }) => {
      const button = element("button", { type: "button", ariaLabel: `Remove the filter: ${words}` }, words);
      button.append(element("span", { ariaHidden: "true" }, "×"));
      button.addEventListener("click", () =>
        this.onChange((state) => withFilters(state, { [name]: NO_FILTERS[name] })),
      );
      return button;
    });
    this.#list.replaceChildren(...this.#buttons.map((button) => element("li", {}, button)));
    if (position >= 0) this.#buttons[Math.min(position, active.length - 1)]?.focus();
    return hadFocus && !active.length;
  }
}
