/** The choice of the targets that all cards show. */

import { formatCount } from "../../samples/captions.js";
import { namesOf, targetsInUse } from "../../state/selectors.js";
import { withTarget } from "../../state/transitions.js";
import { element } from "../common/dom.js";

/** @import {OnChange, State} from "../../state/state.js" */

const CHANGING = "";
const ALL = "all";

export class TargetPicker {
  #select = element("select", { id: "target" });
  #shown = "";

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.#select.title = "Which targets the cards show. One class also leaves only the samples that have it as a target.";
    this.#select.addEventListener("change", () => {
      const { value } = this.#select;
      const isClass = value !== CHANGING && value !== ALL;
      onChange((state) => withTarget(state, isClass ? Number(value) : null, value === ALL));
    });
    this.#select.ariaLabel = "Targets";
    this.element = element("div", { className: "make-it" }, this.#select);
  }

  /** @param {State} state */
  show(state) {
    const { target, allTargets } = state;
    const nameOf = namesOf(state);
    const counts = targetsInUse(state);
    this.element.hidden = counts.length < 2 && target === null;
    const known = counts.some(([index]) => index === target) || target === null;
    const choices = known ? counts : [...counts, /** @type {[number, number]} */ ([target, 0])];
    const options = choices.map(([index, count]) => [String(index), `towards ${nameOf(index)} (${formatCount(count)})`]);
    const shown = JSON.stringify(options);
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#select.replaceChildren(
        element("option", { value: CHANGING }, "targets that change the answer"),
        element("option", { value: ALL }, "all targets"),
        ...options.map(([value, text]) => element("option", { value }, text)),
      );
    }
    this.#select.value = String(target ?? (allTargets ? ALL : CHANGING));
  }
}
