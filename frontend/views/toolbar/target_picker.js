/** The choice of the one target that all samples show. */

import { formatCount } from "../../samples/captions.js";
import { namesOf, targetsInUse } from "../../state/selectors.js";
import { withTarget } from "../../state/transitions.js";
import { element } from "../common/dom.js";

/** @import {OnChange, State} from "../../state/state.js" */

const ANY = "";

export class TargetPicker {
  #select = element("select", { id: "target" });
  #shown = "";

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.#select.title = "Show only this target, and only the samples that have it";
    this.#select.addEventListener("change", () => {
      const { value } = this.#select;
      onChange((state) => withTarget(state, value === ANY ? null : Number(value)));
    });
    this.element = element(
      "div",
      { className: "make-it" },
      element("label", { htmlFor: "target" }, "target"),
      this.#select,
    );
  }

  /** @param {State} state */
  show(state) {
    const { target } = state;
    const nameOf = namesOf(state);
    const counts = targetsInUse(state);
    this.element.hidden = counts.length < 2 && target === null;
    const known = counts.some(([index]) => index === target) || target === null;
    const choices = known ? counts : [...counts, /** @type {[number, number]} */ ([target, 0])];
    const options = choices.map(([index, count]) => [String(index), `${nameOf(index)} (${formatCount(count)})`]);
    const shown = JSON.stringify(options);
    if (shown !== this.#shown) {
      this.#shown = shown;
      const any = element("option", { value: ANY }, "any");
      this.#select.replaceChildren(any, ...options.map(([value, text]) => element("option", { value }, text)));
    }
    this.#select.value = target === null ? ANY : String(target);
  }
}
