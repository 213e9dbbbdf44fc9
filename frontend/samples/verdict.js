/** What the network predicts for a morph: recorded at some strengths, interpolated between them. Pure. */

/** @import {Morph, Response, Target} from "../types.js" */

/**
 * - `exact`: the prediction is recorded at this strength.
 * - `between`: the recorded predictions just below and above are the same class; the probability of the target is
 *   interpolated.
 * - `either`: the recorded predictions just below and above differ.
 * - `unknown`: the strength is outside the recorded ones. Nothing is extrapolated.
 *
 * @typedef {{kind: "exact" | "between", prediction: number, probability: number}
 *   | {kind: "either", predictions: [number, number]}
 *   | {kind: "unknown"}} Verdict
 */

/** Strengths are stored as float32, so equal ones can differ by this much. */
const SAME = 1e-6;

/**
 * @param {Response} response
 * @param {number[]} strengths ascending
 * @param {number} strength
 * @returns {Verdict}
 */
export function verdictAt({ predictions, probabilities }, strengths, strength) {
  const around = recordedAround(strengths, strength);
  if (!around) return { kind: "unknown" };
  const { below, above } = around;
  if (predictions[below] !== predictions[above]) {
    return { kind: "either", predictions: [predictions[below], predictions[above]] };
  }
  return {
    kind: below === above ? "exact" : "between",
    prediction: predictions[below],
    probability: interpolated(probabilities, around),
  };
}

/**
 * Whether the network is known to predict the target.
 * @param {Verdict} verdict
 * @param {Target} target
 */
export function isFlipped(verdict, target) {
  return "prediction" in verdict && verdict.prediction === target.index;
}

/**
 * The smallest recorded strength at which the network predicts the target; `null` if it never does.
 * @param {Pick<Morph, "flip_position">} morph
 * @param {number[]} strengths
 */
export function flipOf({ flip_position: position }, strengths) {
  return position < 0 ? null : strengths[position];
}

/**
 * The size of the change that makes the network predict the target: ‖delta‖₂ · strength of the flip, in model
 * units. `null` if it never flips, or without a morph.
 * @param {Morph | null} morph
 * @param {number[]} strengths
 */
export function flipDistanceOf(morph, strengths) {
  const flip = morph && flipOf(morph, strengths);
  return morph === null || flip === null ? null : flip * morph.delta_norm;
}

/**
 * A probability along the morph, recorded or interpolated; `null` outside the recorded strengths.
 * @param {number[]} strengths ascending
 * @param {number[]} probabilities
 * @param {number} strength
 * @returns {{probability: number, exact: boolean} | null}
 */
export function probabilityAt(strengths, probabilities, strength) {
  const around = recordedAround(strengths, strength);
  return around && { probability: interpolated(probabilities, around), exact: around.below === around.above };
}

/**
 * The recorded strengths around a strength: the positions just below and above it, and how far it is from `below` to
 * `above`, 0 to 1. If the strength itself is recorded, both positions are the same.
 * @param {number[]} strengths ascending
 * @param {number} strength
 * @returns {{below: number, above: number, share: number} | null} `null` outside the recorded strengths
 */
function recordedAround(strengths, strength) {
  const above = strengths.findIndex((recorded) => recorded > strength - SAME);
  if (above < 0) return null;
  if (strengths[above] < strength + SAME) return { below: above, above, share: 0 };
  const below = above - 1;
  if (below < 0) return null;
  return { below, above, share: (strength - strengths[below]) / (strengths[above] - strengths[below]) };
}

/**
 * @param {number[]} values one for each strength
 * @param {{below: number, above: number, share: number}} around
 */
function interpolated(values, { below, above, share }) {
  return values[below] + share * (values[above] - values[below]);
}
