/** The values that a sample's morphs keep to, as they did when the network was asked about them. Pure. */

/** @import {Sample} from "../types.js" */

/**
 * The lowest and highest value of each channel, in model units. Without bounds, which old records may lack, every value
 * is legal.
 * @param {Pick<Sample, "session" | "bounds" | "shape">} sample
 * @returns {[number, number][]}
 */
export function legalValues({ session, bounds, shape }) {
  const [lows, highs] = bounds ?? session.bounds ?? [[-Infinity], [Infinity]];
  return Array.from({ length: shape[0] }, (_, channel) => [lows[channel] ?? lows[0], highs[channel] ?? highs[0]]);
}

/**
 * The nearest legal value; NaN stays NaN.
 * @param {number} value
 * @param {[number, number]} legal
 */
export function clip(value, [low, high]) {
  return Math.min(Math.max(value, low), high);
}
