/** Captions: what the page writes about a sample. Pure. */

import { probabilityAt } from "./verdict.js";

/** @import {Morph, MorphChange, Sample, Target} from "../types.js" */
/** @import {Verdict} from "./verdict.js" */

/** The range of an image's display, in grey levels. */
const WHOLE_RANGE = 255;
/** The caption does not name the second class if it is less probable. */
const WORTH_NAMING = 0.05;

/**
 * @param {string[] | null} names
 * @param {number} index
 */
export function className(names, index) {
  return names?.[index] ?? `class ${index}`;
}

/**
 * Which channels of an image are painted; empty if all are painted in the usual way.
 * @param {Sample["shape"]} shape
 */
export function channelsCaption([channels, ...sides]) {
  if (sides.length === 1) return "";
  if (channels === 2) return "the mean of both channels, in grey";
  if (channels === 4) return "the first three channels, as red, green and blue";
  return "";
}

/**
 * A number with two decimals.
 * @param {number} value
 */
export function formatDecimals(value) {
  if (Number.isFinite(value)) return value.toFixed(2);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
}

/**
 * A probability: "95 %". Only an exact 0 or 1 is written as "0 %" or "100 %".
 * @param {number} probability
 */
export function formatPercent(probability) {
  if (!Number.isFinite(probability)) return formatDecimals(probability);
  const rounded = Math.round(100 * probability);
  if (rounded === 0 && probability > 0) return "<1 %";
  if (rounded === 100 && probability < 1) return ">99 %";
  return `${rounded} %`;
}

/**
 * A strength as a part of the change: "13 %". An exact 0 or 1 is written as "0 %" or "100 %", and nothing else is.
 * @param {number} strength
 */
export function formatPart(strength) {
  if (!Number.isFinite(strength)) return formatDecimals(strength);
  const rounded = Math.round(100 * strength);
  return (rounded === 0 && strength > 0) || (rounded === 100 && strength !== 1)
    ? `${(100 * strength).toFixed(1)} %`
    : `${rounded} %`;
}

/** Follows a part, if there is room. */
export const OF_THE_CHANGE = " of the change";

/**
 * A strength: "13 % of the change".
 * @param {number} strength
 */
export function formatStrength(strength) {
  return formatPart(strength) + OF_THE_CHANGE;
}

/**
 * A number with its sign and two decimals. A number that is rounded to zero has no sign.
 * @param {number} value
 */
export function formatSigned(value) {
  const size = formatDecimals(Math.abs(value));
  return Number(size) === 0 || Number.isNaN(value) ? size : (value < 0 ? "−" : "+") + size;
}

/**
 * A number with four significant digits.
 * @param {number} value
 */
export function formatPrecise(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : formatDecimals(value);
}

/**
 * A flip distance with two significant digits; "never" if the sample never flips.
 * @param {number} distance
 */
export function formatDistance(distance) {
  return distance === Infinity ? "never" : formatShort(distance);
}

/** It is made once, because `toLocaleString` looks up the language each time. */
const COUNTS = new Intl.NumberFormat("en");

/**
 * A whole number with commas between the thousands.
 * @param {number} count
 */
export function formatCount(count) {
  return COUNTS.format(count);
}

/**
 * A count with its noun: "1 sample", "2 samples".
 * @param {number} count
 * @param {string} one the noun for one
 * @param {string} [several] the noun for any other number
 */
export function formatCounted(count, one, several = `${one}s`) {
  return `${formatCount(count)} ${count === 1 ? one : several}`;
}

/**
 * "5 46 %": a class with its probability.
 * @param {string} name the class's
 * @param {number} probability
 */
export function classCaption(name, probability) {
  return `${name} ${formatPercent(probability)}`;
}

/**
 * The most probable classes: the second one only if it is worth naming.
 * @param {Sample} sample
 * @returns {{name: string, probability: number}[]}
 */
export function likelyClasses({ classes, probabilities, session }) {
  return classes
    .slice(0, 2)
    .map((index, position) => ({ name: className(session.class_names, index), probability: probabilities[position] }))
    .filter(({ probability }, position) => position === 0 || probability >= WORTH_NAMING);
}

/**
 * The most probable classes with their probabilities: "5 46 % · 8 45 %".
 * @param {Sample} sample
 */
export function predictionCaption(sample) {
  const likely = likelyClasses(sample).map(({ name, probability }) => classCaption(name, probability));
  return likely.length ? likely.join(" · ") : "no prediction";
}

/**
 * "labelled 5"
 * @param {Sample} sample
 */
export function labelCaption({ label, session }) {
  return label === null ? "no label" : `labelled ${className(session.class_names, label)}`;
}

/** Follows a label that differs from the prediction. */
export const WRONG_MARK = " ✗";

/**
 * The heading of a sample: "5 46 % · 8 45 %, labelled 3 ✗". The label is missing if it is unknown.
 * @param {Sample} sample
 */
export function sampleCaption(sample) {
  if (sample.label === null) return predictionCaption(sample);
  return `${predictionCaption(sample)}, ${labelCaption(sample)}${isWrong(sample) ? WRONG_MARK : ""}`;
}

/** @param {Sample} sample */
export function isWrong({ label, classes }) {
  return label !== null && classes.length > 0 && classes[0] !== label;
}

/**
 * All recorded classes with their probabilities, one on each line.
 * @param {Sample} sample
 */
export function allProbabilities({ classes, probabilities, session }) {
  return classes
    .map((index, position) => classCaption(className(session.class_names, index), probabilities[position]))
    .join("\n");
}

/**
 * "8 · 95 %" or "5 (8 · 45 %)": the predicted class and the probability of the target.
 * @param {Verdict} verdict
 * @param {Target} target
 * @param {string[] | null} names
 * @returns {[prediction: string, chance: string]}
 */
export function verdictCaption(verdict, target, names) {
  if (verdict.kind === "unknown") return ["not evaluated", ""];
  if (verdict.kind === "either") {
    return [verdict.predictions.map((index) => className(names, index)).join(" or "), ""];
  }
  const { kind, prediction, probability } = verdict;
  const chance = (kind === "exact" ? " · " : " · ≈ ") + formatPercent(probability);
  const goal = className(names, target.index);
  return prediction === target.index ? [goal, chance] : [`${className(names, prediction)} (${goal}`, `${chance})`];
}

/**
 * A caption in two forms. A card shows the short one if it is narrow.
 * @typedef {{long: string, short: string}} Caption
 */

/**
 * @param {number | null} flip
 * @param {Target} target
 * @param {string[] | null} names
 * @returns {Caption}
 */
export function flipCaption(flip, target, names) {
  if (flip === null) return same("never flips");
  if (flip === 0) return same(`already predicts ${className(names, target.index)}`);
  return { long: `flips after ${formatStrength(flip)}`, short: `flips after ${formatPart(flip)}` };
}

/**
 * Why the ascent ended before the target reached the confidence; empty if it reached it.
 * @param {Morph} morph
 * @param {number[]} strengths the sample's
 * @returns {Caption}
 */
export function stoppedCaption({ stopped, steps, probabilities }, strengths) {
  switch (stopped) {
    case "confidence":
    case "none":
      return same("");
    case "max_steps": {
      const reached = probabilityAt(strengths, probabilities, 1);
      const where = reached ? ` at ${formatPercent(reached.probability)}` : "";
      return { long: `gave up after ${formatCounted(steps, "step")}${where}`, short: `gave up${where}` };
    }
    case "stalled":
      return { long: "stalled: no step was possible", short: "stalled" };
    case "nonfinite":
      return { long: "stopped at NaN or infinity", short: "NaN or infinity" };
    case "surest":
      return { long: "as sure as this network gets", short: "as sure as it gets" };
    case "chance":
      return { long: "reached the confidence by chance", short: "reached by chance" };
  }
}

/**
 * Whether the ascent ended before the target reached the confidence.
 * @param {Morph} morph
 */
export function endedEarly({ stopped }) {
  return stopped !== "confidence" && stopped !== "none";
}

/**
 * @param {string} words
 * @returns {Caption}
 */
function same(words) {
  return { long: words, short: words };
}

/**
 * Why a target has no morph.
 * @param {Sample} sample
 * @param {Target} target
 */
export function noMorphCaption({ classes, session }, { index }) {
  if (classes[0] !== index) return "No morph was made.";
  return `The network already says ${className(session.class_names, index)}.`;
}

/**
 * How often the network still predicts the target after a small change of the finished morph; empty if unknown.
 * @param {Morph} morph
 * @returns {Caption & {fragile: boolean}}
 */
export function survivalCaption({ survived }) {
  const held = survived.filter(Boolean).length;
  const all = survived.length;
  const fragile = held < FRAGILE_SHARE * all;
  if (!all) return { long: "", short: "", fragile };
  const short = fragile ? `fragile: ${held} of ${all}` : `holds in ${held} of ${all}`;
  return { long: fragile ? short : `${short} small changes`, short, fragile };
}

/**
 * "68 to 84 % when asked again": how far the answers of a network that answers at random lie apart; empty otherwise.
 * @param {Morph} morph
 * @returns {Caption}
 */
export function spreadCaption({ spread }) {
  if (!spread) return same("");
  const [low, high] = spread.map(formatPercent);
  const short = low === high ? low : `${low.replace(" %", "")} to ${high}`;
  return { long: `${short} when asked again`, short: `again: ${short}` };
}

/** A morph that holds in less than this share of the small changes is called fragile: in 4 of 8, for instance. */
export const FRAGILE_SHARE = 5 / 8;

/**
 * "ema: 88 %": a judge's probability of the target.
 * @param {string} name
 * @param {{probability: number, exact: boolean} | null} answer `null` outside the recorded strengths
 */
export function judgeCaption(name, answer) {
  if (answer === null) return `${name}: not asked`;
  return `${name}: ${answer.exact ? "" : "≈ "}${formatPercent(answer.probability)}`;
}

/**
 * "×33" or "×2.0", with two significant digits: how many times the change panel enlarges a change.
 * @param {Pick<MorphChange, "gain">} change
 */
export function gainCaption({ gain }) {
  const rounded = Number(gain.toPrecision(2));
  return `×${rounded < 10 ? gain.toPrecision(2) : formatCount(rounded)}`;
}

/**
 * The true size of a change: "changes no pixel by more than 3/255; 0.2/255 on average", or "at most 3/255; 0.2/255 on
 * average".
 * @param {Pick<MorphChange, "largest" | "mean">} change
 * @param {Sample["shape"]} shape
 * @returns {Caption}
 */
export function changeCaption({ largest, mean }, shape) {
  const isSignal = shape.length === 2;
  const inWords = (/** @type {string} */ size) => (isSignal ? size : `${size}/255`);
  // A change of the whole range is not rounded up to more than that.
  const isWhole = !isSignal && largest > 250 && largest <= WHOLE_RANGE;
  const most = inWords(isWhole ? String(WHOLE_RANGE) : formatAtMost(largest));
  const rest = `${most}; ${inWords(formatShort(mean))} on average`;
  return { long: `changes no ${isSignal ? "value" : "pixel"} by more than ${rest}`, short: `at most ${rest}` };
}

/**
 * A number with two significant digits.
 * @param {number} value
 */
export function formatShort(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(2))) : formatDecimals(value);
}

/**
 * A number rounded up to two significant digits, so that "no more than" is true.
 * @param {number} value positive
 */
function formatAtMost(value) {
  if (!Number.isFinite(value) || value === 0) return formatShort(value);
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1);
  // A number that has two digits already is not rounded up because of a binary fraction.
  return formatShort(unit * Math.ceil(value / unit - 1e-6));
}
