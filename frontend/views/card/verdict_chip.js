/** A chip with the network's verdict on a morph. A long class name is cut, but never the probability. */

import { verdictCaption } from "../../samples/captions.js";
import { isFlipped } from "../../samples/verdict.js";
import { element } from "../common/dom.js";

/** @import {Target} from "../../types.js" */
/** @import {Verdict} from "../../samples/verdict.js" */

export class VerdictChip {
  #said = document.createTextNode("");
  #chance = document.createTextNode("");
  #target;
  #names;
  element;

  /**
   * @param {Target} target
   * @param {string[] | null} names
   */
  constructor(target, names) {
    this.#target = target;
    this.#names = names;
    this.element = element(
      "p",
      { className: "verdict chip" },
      element("span", { className: "said" }, this.#said),
      element("span", { className: "chance" }, this.#chance),
    );
    this.element.dataset.target = String(target.index);
  }

  /**
   * @param {Verdict} verdict
   * @returns {string} the caption
   */
  show(verdict) {
    const [said, chance] = verdictCaption(verdict, this.#target, this.#names);
    if (said !== this.#said.data) this.#said.data = said;
    if (chance !== this.#chance.data) this.#chance.data = chance;
    this.element.classList.toggle("flipped", isFlipped(verdict, this.#target));
    this.element.classList.toggle("open", verdict.kind === "either" || verdict.kind === "unknown");
    return said + chance;
  }
}
