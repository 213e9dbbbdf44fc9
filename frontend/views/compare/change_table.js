/** What the second run changed, as a 2 × 2 table. A click on a cell shows its pairs, and a second click all pairs. */

import { formatCount, formatCounted } from "../../samples/captions.js";
import { CHANGES } from "../../samples/comparison.js";
import { element } from "../common/dom.js";

/** @import {Change} from "../../samples/comparison.js" */

/** @type {Record<Change, string>} */
const WORDS = { fixed: "fixed", broke: "broke", bothWrong: "both wrong", bothRight: "both right" };

export class ChangeTable {
  #sentence = element("p", { className: "outcome" });
  /** @type {Map<Change, HTMLButtonElement>} */
  #buttons = new Map();
  /** @type {Change | null} */
  #chosen = null;
  element;

  /** @param {(change: Change | null) => void} onChoice */
  constructor(onChoice) {
    for (const change of CHANGES) {
      const button = element("button", { type: "button", value: change, className: `change ${change}` });
      button.addEventListener("click", () => onChoice(this.#chosen === change ? null : change));
      this.#buttons.set(change, button);
    }
    this.element = element(
      "div",
      { className: "changes", hidden: true },
      this.#sentence,
      element("div", { className: "change-table", role: "group", ariaLabel: "What changed" }, ...this.#buttons.values()),
    );
  }

  /**
   * @param {[string, string] | null} runs `null` if there is nothing to compare
   * @param {Record<Change, number>} counts
   * @param {Change | null} chosen
   */
  show(runs, counts, chosen) {
    this.#chosen = chosen;
    const all = CHANGES.reduce((sum, change) => sum + counts[change], 0);
    this.element.hidden = !runs || !all;
    if (!runs) return;
    const [first, second] = runs;
    this.#sentence.textContent =
      `${second} fixes ${formatCount(counts.fixed)} and breaks ${formatCount(counts.broke)} ` +
      `of the ${formatCounted(all, "sample")} that it shares with ${first}.`;
    for (const [change, button] of this.#buttons) {
      button.replaceChildren(element("b", {}, formatCount(counts[change])), ` ${WORDS[change]}`);
      button.ariaPressed = String(change === chosen);
    }
  }
}
