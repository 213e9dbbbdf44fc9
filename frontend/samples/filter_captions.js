/** Captions of the filters. Pure. */

import { formatCount } from "./captions.js";

/** @import {Captures, Filters, Outcome, Range, Show, Steps} from "./filters.js" */

/** @type {Record<Show, string>} */
export const SHOW_WORDS = { auto: "automatic", all: "all", confused: "no probes", probes: "probes" };
/** @type {Record<Captures, string>} */
export const CAPTURES_WORDS = {
  recent: "latest of each id in the latest third",
  latest: "latest of each id",
  all: "all",
};
/** @type {Record<Outcome, string>} */
export const OUTCOME_WORDS = { right: "right", wrong: "wrong", unlabelled: "no label" };

/**
 * A short description of one filter.
 * @param {keyof Filters} name the name of an active filter
 * @param {Filters} filters
 * @param {(index: number) => string} nameOf the name of a class
 */
export function filterCaption(name, filters, nameOf) {
  const { show, captures, steps, pair, prediction, label, outcome, flip, rank, id } = filters;
  switch (name) {
    case "show":
      return SHOW_WORDS[show];
    case "captures":
      return CAPTURES_WORDS[captures];
    case "steps":
      return stepsCaption(/** @type {Steps} */ (steps));
    case "pair":
      return `top two classes ${(pair ?? []).map(nameOf).join(" and ")}`;
    case "prediction":
      return `prediction ${nameOf(prediction ?? 0)}`;
    case "label":
      return `label ${nameOf(label ?? 0)}`;
    case "outcome":
      return OUTCOME_WORDS[outcome ?? "right"];
    case "flip":
      return `flip distance ${limitsCaption(/** @type {Range} */ (flip))}`;
    case "rank":
      return `rank ${rank}`;
    case "id":
      return `id contains “${id}”`;
  }
}

/** @param {Steps} steps */
export function stepsCaption(steps) {
  return "at" in steps ? `step ${formatCount(steps.at)}` : `steps ${limitsCaption(steps)}`;
}

/** @param {Range} range */
function limitsCaption({ from, to }) {
  if (from === null) return `up to ${(to ?? 0).toLocaleString("en")}`;
  if (to === null) return `from ${from.toLocaleString("en")}`;
  return `${from.toLocaleString("en")} to ${to.toLocaleString("en")}`;
}
