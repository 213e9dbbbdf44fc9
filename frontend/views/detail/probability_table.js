/** The probabilities of all recorded classes as bars: for the original, and for the morph to each class. */

import { className, formatPercent } from "../../samples/captions.js";
import { shownMorph } from "../../samples/morphs.js";
import { probabilityAt } from "../../samples/verdict.js";
import { element } from "../common/dom.js";

/** @import {Sample, Target} from "../../types.js" */

export class ProbabilityTable {
  /** @type {{cell: HTMLTableCellElement, target: Target, probabilities: number[]}[]} the cells that follow the strength */
  #ofMorphs = [];
  element;

  /**
   * @param {Sample} sample
   * @param {string} kind the kind of morph that is shown
   */
  constructor(sample, kind) {
    this.sample = sample;
    this.kind = kind;
    const { classes, session, targets } = sample;
    const rows = [...new Set([...classes, ...targets.map(({ index }) => index)])];
    const heads = [head("class"), head("original")];
    if (targets.some(({ morphs }) => morphs.length)) {
      const name = className(session.class_names, classes[0]);
      heads.push(
        head("morph to it", "The probability of the row's class in the morph to this class"),
        head(`still ${name}`, `The probability of ${name}, the prediction for the original, in the same morph`),
      );
    }
    this.element = element(
      "table",
      { className: "probabilities" },
      element("thead", {}, element("tr", {}, ...heads)),
      element("tbody", {}, ...rows.map((index) => this.#row(index, heads.length - 2))),
    );
  }

  /**
   * @param {number} index a class
   * @param {number} morphs the number of columns for morphs
   */
  #row(index, morphs) {
    const { classes, probabilities, session, targets, label } = this.sample;
    const position = classes.indexOf(index);
    const target = targets.find((one) => one.index === index);
    const name = className(session.class_names, index) + (index === label ? " (label)" : "");
    return element(
      "tr",
      {},
      element("th", { scope: "row", title: name }, name),
      position < 0
        ? nothing("Only the most probable classes are recorded")
        : element("td", {}, ...bar(probabilities[position])),
      ...(morphs ? this.#ofMorph(target) : []),
    );
  }

  /** @param {Target | undefined} target */
  #ofMorph(target) {
    const missing = "There is no morph to this class";
    const morph = target && shownMorph(target, this.kind);
    if (!target || !morph) return [nothing(missing), nothing(missing)];
    return [morph.probabilities, morph.original_probabilities].map((probabilities) => {
      const cell = element("td");
      this.#ofMorphs.push({ cell, target, probabilities });
      return cell;
    });
  }

  /** @param {(target: Target) => number} strengthOf the strength at which the morph of a target is shown */
  showStrengths(strengthOf) {
    for (const { cell, target, probabilities } of this.#ofMorphs) {
      const found = probabilityAt(this.sample.strengths, probabilities, strengthOf(target));
      cell.replaceChildren(...(found ? bar(found.probability, found.exact ? "" : "≈ ") : ["not evaluated"]));
    }
  }
}

/**
 * @param {string} words
 * @param {string} [title]
 */
function head(words, title = words) {
  return element("th", { scope: "col", title }, words);
}

/**
 * @param {number} probability
 * @param {string} [sign]
 */
function bar(probability, sign = "") {
  const filled = element("span", { className: "filled" });
  filled.style.width = `${100 * (probability > 0 ? Math.min(probability, 1) : 0)}%`;
  return [element("span", { className: "track", ariaHidden: "true" }, filled), sign + formatPercent(probability)];
}

/** @param {string} title */
function nothing(title) {
  return element("td", { title }, "–");
}
