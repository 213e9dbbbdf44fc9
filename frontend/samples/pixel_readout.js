/** The values of one pixel, in model units and in display units. Pure. */

import { clip, legalValues } from "./legal_values.js";
import { dimensionsOf, splitArrays } from "./sample_arrays.js";

/** @import {Sample} from "../types.js" */

/**
 * One value for each channel, in model units and in display units. The latter are `null` if the hook has no
 * mean and std.
 * @typedef {{model: number[], display: number[] | null}} Values
 */

/**
 * Which morph of a target is shown, as a position (-1 if it has none), and at which strength.
 * @typedef {{morph: number, strength: number}} ShownMorph
 */

/**
 * @typedef {object} Readout
 * @property {number} x
 * @property {number} y 0 for a signal
 * @property {Values} image
 * @property {{target: number, gradient: Values, delta: Values | null, morph: Values | null}[]} targets
 */

/**
 * The values at one pixel. Display value = model value · std + mean. So a delta in display units is the delta in
 * model units times std. A gradient in display units is the gradient in model units divided by std. The morph is
 * clipped to the sample's bounds, as it was when the network was asked about it.
 * @param {Sample} sample
 * @param {Float32Array[]} arrays in the stored order
 * @param {number} x
 * @param {number} y
 * @param {ShownMorph[]} shown one for each target
 * @returns {Readout}
 */
export function readoutAt(sample, arrays, x, y, shown) {
  const { mean, std } = sample.session;
  const { channels, height, width } = dimensionsOf(sample.shape);
  const valuesOf = (/** @type {Float32Array} */ array) =>
    Array.from({ length: channels }, (_, channel) => array[(channel * height + y) * width + x]);
  /** @param {number[]} model @param {(value: number, channel: number) => number} convert */
  const both = (model, convert) => ({ model, display: mean && std ? model.map(convert) : null });
  const scale = (/** @type {number} */ channel) => ofChannel(std, channel, 1);
  const absolute = (/** @type {number} */ value, /** @type {number} */ channel) =>
    value * scale(channel) + ofChannel(mean, channel, 0);
  const split = splitArrays(sample, arrays);
  const legal = legalValues(sample);
  const image = valuesOf(split.image);
  const targets = sample.targets.map(({ index }, position) => {
    const ofTarget = split.targets[position];
    const gradient = both(valuesOf(ofTarget.gradient), (value, channel) => value / scale(channel));
    const { morph, strength } = shown[position];
    if (morph < 0) return { target: index, gradient, delta: null, morph: null };
    const delta = valuesOf(ofTarget.deltas[morph]);
    return {
      target: index,
      gradient,
      delta: both(delta, (value, channel) => value * scale(channel)),
      morph: both(
        image.map((value, channel) => clip(value + strength * delta[channel], legal[channel])),
        absolute,
      ),
    };
  });
  return { x, y, image: both(image, absolute), targets };
}

/**
 * @param {number[] | null} values one for all channels, or one for each
 * @param {number} channel
 * @param {number} otherwise
 */
function ofChannel(values, channel, otherwise) {
  return values ? (values[channel] ?? values[0]) : otherwise;
}
