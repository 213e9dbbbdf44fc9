/** What the filters leave, in words. Pure. */

import { countOf } from "./captions.js";

/** @import {Filters, Outcome, Range, Show, Steps} from "./filters.js" */

/** @type {Record<Show, string>} */
export const SHOW_WORDS = { all: "all", confused: "confused", probes: "probes" };
/** @type {Record<Outcome, string>} */
export const OUTCOME_WORDS = { right: "right", wrong: "wrong", unlabelled: "label not known" };

/**
 * What one filter leaves, in a few words.
 * @param {keyof Filters} name of an active one
 * @param {Filters} filters
 * @param {(index: number) => string} nameOf a class
 */
export function filterCaption(name, { show, steps, pair, prediction, label, outcome, flip, rank, id }, nameOf) {
  switch (name) {
    case "show":
      return SHOW_WORDS[show];
    case "steps":
      return stepsCaption(/** @type {Steps} */ (steps));
    case "pair":
      return `between ${(pair ?? []).map(nameOf).join(" and ")}`;
    case "prediction":
      return `says ${nameOf(prediction ?? 0)}`;
    case "label":
      return `label ${nameOf(label ?? 0)}`;
    case "outcome":
      return OUTCOME_WORDS[outcome ?? "right"];
    case "flip":
      return `flip distance ${rangeCaption(/** @type {Range} */ (flip))}`;
    case "rank":
      return `rank ${rank}`;
    case "id":
      return `id contains “${id}”`;
  }
}

/** @param {Steps} steps */
export function stepsCaption(steps) {
  return "at" in steps ? `step ${countOf(steps.at)}` : `steps ${rangeCaption(steps)}`;
}

/** @param {Range} range */
function rangeCaption({ from, to }) {
  if (from === null) return `up to ${(to ?? 0).toLocaleString("en")}`;
  if (to === null) return `from ${from.toLocaleString("en")}`;
  return `${from.toLocaleString("en")} to ${to.toLocaleString("en")}`;
}
