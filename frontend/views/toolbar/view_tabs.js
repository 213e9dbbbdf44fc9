/** The tabs that choose a view. */

import { element } from "../common/dom.js";

/** @import {OnChange, View} from "../../state/state.js" */

/** @type {Record<View, string>} */
const TITLES = { samples: "Samples", follow: "Over training", compare: "Compare runs" };
/** @type {Record<string, number>} */
const KEYS = { ArrowRight: 1, ArrowLeft: -1 };

export class ViewTabs {
  /** @type {HTMLButtonElement[]} */
  #tabs;
  element;

  /**
   * @param {Record<View, HTMLElement>} panels the element of each view
   * @param {OnChange} onChange
   */
  constructor(panels, onChange) {
    this.panels = panels;
    const views = /** @type {View[]} */ (Object.keys(panels));
    this.#tabs = views.map((view) => {
      const tab = element("button", { type: "button", id: `tab-${view}`, role: "tab", value: view }, TITLES[view]);
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

  /** @param {View} view */
  show(view) {
    for (const tab of this.#tabs) {
      tab.ariaSelected = String(tab.value === view);
      tab.tabIndex = tab.value === view ? 0 : -1;
    }
    for (const [name, panel] of Object.entries(this.panels)) panel.hidden = name !== view;
  }
}
