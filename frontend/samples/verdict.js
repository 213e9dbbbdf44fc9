/** What the network says of a morph: recorded at some strengths, and only guessed in between. */

/** @import {Target} from "../types.js" */

/**
 * - `exact`: the network was asked at this very strength.
 * - `between`: it was asked just below and just above, and said the same class; the target's
 *   probability is interpolated.
 * - `either`: it said different classes below and above.
 * - `unknown`: it was not asked on one side, and nothing is extrapolated.
 *
 * @typedef {{kind: "exact" | "between", prediction: number, probability: number}
 *   | {kind: "either", predictions: [number, number]}
 *   | {kind: "unknown"}} Verdict
 */

/** Strengths are stored as float32 and chosen in decimals. */
const SAME = 1e-6;

/**
 * @param {Target} target
 * @param {number[]} strengths ascending
 * @param {number} strength
 * @returns {Verdict}
 */
export function verdictAt({ predictions, probabilities }, strengths, strength) {
  const asked = askedAround(strengths, strength);
  if (!asked) return { kind: "unknown" };
  const { below, above } = asked;
  if (predictions[below] !== predictions[above]) {
    return { kind: "either", predictions: [predictions[below], predictions[above]] };
  }
  return {
    kind: below === above ? "exact" : "between",
    prediction: predictions[below],
    probability: interpolated(probabilities, asked),
  };
}

/**
 * Whether the network surely says the target.
 * @param {Verdict} verdict
 * @param {Target} target
 */
export function isFlipped(verdict, target) {
  return "prediction" in verdict && verdict.prediction === target.index;
}

/**
 * The smallest recorded strength at which the network says the target, `null` if at none.
 * @param {Target} target
 * @param {number[]} strengths
 */
export function flipOf({ flip_place: place }, strengths) {
  return place < 0 ? null : strengths[place];
}

/**
 * How far the image was changed until the network said the target: ‖delta‖₂ · the strength of its
 * flip, in model units; `null` where it never flips.
 * @param {Target} target
 * @param {number[]} strengths
 */
export function flipDistanceOf(target, strengths) {
  const flip = flipOf(target, strengths);
  return flip === null || target.delta_norm === null ? null : flip * target.delta_norm;
}

/**
 * A probability along the morph: as recorded, or between two recorded ones; `null` where it is
 * neither.
 * @param {number[]} strengths ascending
 * @param {number[]} probabilities
 * @param {number} strength
 * @returns {{probability: number, exact: boolean} | null}
 */
export function probabilityAt(strengths, probabilities, strength) {
  const asked = askedAround(strengths, strength);
  return asked && { probability: interpolated(probabilities, asked), exact: asked.below === asked.above };
}

/**
 * The places of the strengths just below and above one, both the same where it is one of them, and
 * which share of the way between them it is; `null` where it is not between any.
 * @param {number[]} strengths ascending
 * @param {number} strength
 */
function askedAround(strengths, strength) {
  const above = strengths.findIndex((recorded) => recorded > strength - SAME);
  if (above < 0) return null;
  if (strengths[above] < strength + SAME) return { below: above, above, share: 0 };
  const below = above - 1;
  if (below < 0) return null;
  return { below, above, share: (strength - strengths[below]) / (strengths[above] - strengths[below]) };
}

/**
 * @param {number[]} values one for each strength
 * @param {{below: number, above: number, share: number}} asked
 */
function interpolated(values, { below, above, share }) {
  return values[below] + share * (values[above] - values[below]);
}
