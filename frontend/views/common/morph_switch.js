/** The switch between the kinds of morphs, and the button that shows each morph at its flip. */

import { SMALLEST, VISIBLE } from "../../samples/morphs.js";
import { withAtFlip } from "../../state/transitions.js";
import { element } from "./dom.js";

/** @import {OnChange} from "../../state/state.js" */
/** @import {DisplaySettings} from "./sample_view.js" */

/** @type {Record<string, string>} */
const TITLES = {
  [SMALLEST]: "The smallest change that makes the network predict the target. It shows how fragile the prediction is.",
  [VISIBLE]: "A change that a person can see. It shows what the network looks for.",
};

export class MorphSwitch {
  #kinds = element("div", { className: "kinds", role: "group", ariaLabel: "Kind of morph" });
  #flip = element("button", { type: "button", className: "at-flip" }, "each at its flip");
  element = element("div", { className: "morph-switch" }, this.#kinds, this.#flip);

  /** @param {OnChange} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.#flip.title = "Show each morph at the smallest strength at which the network predicts its target";
    this.#flip.addEventListener("click", () => onChange((state) => withAtFlip(state, !state.atFlip)));
  }

  /** @param {DisplaySettings} settings */
  show({ morph, morphKinds, atFlip, largestStrength }) {
    this.#flip.ariaPressed = String(atFlip);
    this.#flip.disabled = largestStrength === 0;
    this.#kinds.hidden = morphKinds.length < 2;
    const buttons = /** @type {HTMLButtonElement[]} */ ([...this.#kinds.children]);
    if (buttons.map(({ value }) => value).join("\n") !== morphKinds.join("\n")) {
      this.#kinds.replaceChildren(...morphKinds.map((kind) => this.#button(kind)));
    }
    for (const button of this.#kinds.children) {
      button.ariaPressed = String(/** @type {HTMLButtonElement} */ (button).value === morph);
    }
  }

  /** @param {string} kind */
  #button(kind) {
    const title = Object.hasOwn(TITLES, kind) ? TITLES[kind] : "";
    const button = element("button", { type: "button", value: kind, title }, kind);
    button.addEventListener("click", () => this.onChange((state) => ({ ...state, chosenMorph: kind })));
    return button;
  }
}
