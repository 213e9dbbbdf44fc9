/** The probabilities of all recorded classes as bars: of the original, and of each morph. */

import { className, decimals } from "../captions.js";
import { probabilityAt } from "../verdict.js";
import { element } from "./dom.js";

/** @import {Sample, Target} from "../types.js" */

export class ProbabilityTable {
  /** @type {{cell: HTMLTableCellElement, target: Target, probabilities: number[]}[]} */
  #morphs = [];
  element;

  /** @param {Sample} sample */
  constructor(sample) {
    this.sample = sample;
    const { classes, session, targets, label } = sample;
    const names = session.class_names;
    const asked = targets.filter(({ delta_norm }) => delta_norm !== null);
    const rows = [...new Set([...classes, ...targets.map(({ index }) => index)])];
    const heads = ["class", "original", ...asked.map(({ index }) => `morph → ${className(names, index)}`)];
    this.element = element(
      "table",
      { className: "probabilities" },
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
      element(
        "tbody",
        {},
        ...rows.map((index) => {
          const name = className(names, index) + (index === label ? " (true)" : "");
          const place = classes.indexOf(index);
          const original = place < 0 ? unknown() : element("td", {}, ...bar(sample.probabilities[place]));
          const morphs = asked.map((target) => this.#morph(target, index));
          return element("tr", {}, element("th", { scope: "row" }, name), original, ...morphs);
        }),
      ),
    );
  }

  /**
   * @param {Target} target
   * @param {number} index a class
   */
  #morph(target, index) {
    const probabilities =
      index === target.index
        ? target.probabilities
        : index === this.sample.classes[0]
          ? target.original_probabilities
          : null;
    if (!probabilities) return unknown();
    const cell = element("td");
    this.#morphs.push({ cell, target, probabilities });
    return cell;
  }

  /** @param {number} strength */
  showStrength(strength) {
    for (const { cell, probabilities } of this.#morphs) {
      const found = probabilityAt(this.sample.strengths, probabilities, strength);
      cell.replaceChildren(...(found ? bar(found.probability, found.exact ? "" : "≈ ") : ["not asked"]));
    }
  }
}

/**
 * @param {number} probability
 * @param {string} [sign]
 */
function bar(probability, sign = "") {
  const filled = element("span", { className: "filled" });
  filled.style.width = `${100 * (probability > 0 ? Math.min(probability, 1) : 0)}%`;
  return [element("span", { className: "track", ariaHidden: "true" }, filled), sign + decimals(probability)];
}

function unknown() {
  return element("td", { title: "Of a morph only its target and the original's class are recorded." }, "–");
}
