/** Everything that the page says about a sample, in words. */

/** @import {Sample, Stopped, Target} from "../types.js" */
/** @import {Verdict} from "./verdict.js" */

/** A runner-up that is less probable is not worth a newcomer's attention. */
const WORTH_NAMING = 0.05;

/**
 * @param {string[] | null} names
 * @param {number} index
 */
export function className(names, index) {
  return names?.[index] ?? `class ${index}`;
}

/**
 * What of an image's channels is painted, where it is not all of them as they are.
 * @param {Sample["shape"]} shape
 */
export function channelsCaption([channels, ...sides]) {
  if (sides.length === 1) return "";
  if (channels === 2) return "both channels' mean, as grey";
  if (channels === 4) return "the first three channels, as red, green and blue";
  return "";
}

/** @param {number} value */
export function decimals(value) {
  if (Number.isFinite(value)) return value.toFixed(2);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
}

/**
 * With its sign, unless it is rounded to nothing.
 * @param {number} value
 */
export function signedDecimals(value) {
  const size = decimals(Math.abs(value));
  return Number(size) === 0 || Number.isNaN(value) ? size : (value < 0 ? "−" : "+") + size;
}

/** @param {number} count */
export function countOf(count) {
  return count.toLocaleString("en");
}

/**
 * "says 5 (0.46), 8 (0.45)"
 * @param {Sample} sample
 */
export function saying({ classes, probabilities, session }) {
  const named = classes
    .slice(0, 2)
    .filter((_, place) => place === 0 || probabilities[place] >= WORTH_NAMING)
    .map((index, place) => `${className(session.class_names, index)} (${decimals(probabilities[place])})`);
  return named.length ? `says ${named.join(", ")}` : "says nothing";
}

/**
 * "it is a 5"
 * @param {Sample} sample
 */
export function truth({ label, session }) {
  if (label === null) return "its label is not known";
  const name = className(session.class_names, label);
  return `it is ${article(name)} ${name}`;
}

/** @param {Sample} sample */
export function isWrong({ label, classes }) {
  return label !== null && classes.length > 0 && classes[0] !== label;
}

/**
 * All the recorded classes, for who wants more than the first two.
 * @param {Sample} sample
 */
export function allProbabilities({ classes, probabilities, session }) {
  return classes
    .map((index, place) => `${className(session.class_names, index)}: ${decimals(probabilities[place])}`)
    .join("\n");
}

/**
 * "8 at 0.95" or "5 (8 at 0.45)": what the network says, and how probable the target is.
 * @param {Verdict} verdict
 * @param {Target} target
 * @param {string[] | null} names
 * @returns {[said: string, chance: string]}
 */
export function verdictParts(verdict, target, names) {
  if (verdict.kind === "unknown") return ["not asked here", ""];
  if (verdict.kind === "either") {
    return [verdict.predictions.map((index) => className(names, index)).join(" or "), ""];
  }
  const { kind, prediction, probability } = verdict;
  const chance = (kind === "exact" ? " at " : ", ≈") + decimals(probability);
  const goal = className(names, target.index);
  return prediction === target.index ? [goal, chance] : [`${className(names, prediction)} (${goal}`, `${chance})`];
}

/**
 * @param {number | null} flip
 * @param {Target} target
 * @param {string[] | null} names
 */
export function flipCaption(flip, target, names) {
  if (flip === null) return "never flips";
  if (flip === 0) return `it already says ${className(names, target.index)}`;
  return `flips at ${decimals(flip)}`;
}

/** @type {Record<Stopped, string>} */
const STOPPED = {
  confidence: "",
  none: "",
  max_steps: "stopped at max_steps",
  stalled: "stalled: no gradient left",
  nonfinite: "nonfinite: met NaN or infinity",
};

/**
 * Why the ascent stopped short of its goal; empty where it did not.
 * @param {Target} target
 */
export function stoppedCaption({ stopped }) {
  return STOPPED[stopped];
}

/** @param {string} name */
export function article(name) {
  return /^([aeio]|u(?!ni)|8|1[18]\b)/i.test(name) ? "an" : "a";
}
