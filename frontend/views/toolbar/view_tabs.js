/** The tabs that choose a view. */

import { element } from "../common/dom.js";

/** @import {ViewEntry} from "../common/view.js" */
/** @import {OnChange} from "../../state/state.js" */

/** @type {Record<string, number>} */
const KEYS = { ArrowRight: 1, ArrowLeft: -1 };

export class ViewTabs {
  /** @type {HTMLButtonElement[]} */
  #tabs;
  #chosen = "";
  element;

  /**
   * @param {Record<string, ViewEntry>} views
   * @param {OnChange} onChange
   */
  constructor(views, onChange) {
    this.views = views;
    const withTabs = Object.entries(views).filter(([, { within }]) => within === undefined);
    this.#tabs = withTabs.map(([view, { title }]) => {
      const tab = element("button", { type: "button", id: `tab-${view}`, role: "tab", value: view }, title);
      tab.addEventListener("click", () => onChange((state) => ({ ...state, view })));
      return tab;
    });
    const properties = { className: "tabs", role: "tablist", ariaLabel: "Views" };
    this.element = element("div", properties, ...this.#tabs);
    this.element.addEventListener("keydown", (event) => this.#move(event));
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const way = KEYS[event.key];
    const position = this.#tabs.findIndex((tab) => tab === document.activeElement);
    if (!way || position < 0) return;
    event.preventDefault();
    const next = this.#tabs[(position + way + this.#tabs.length) % this.#tabs.length];
    next.focus();
    next.click();
  }

  /** @param {string} view */
  show(view) {
    const chosen = this.views[view].within ?? view;
    if (chosen === this.#chosen) return; // Chromium takes long to set `ariaSelected`, also to the same value.
    this.#chosen = chosen;
    for (const tab of this.#tabs) {
      tab.ariaSelected = String(tab.value === chosen);
      tab.tabIndex = tab.value === chosen ? 0 : -1;
    }
  }
}
