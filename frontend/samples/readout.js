/** The values of one pixel, in the units of the model and in those of a person. Pure. */

/** @import {Sample} from "../types.js" */

/**
 * A value a channel each, in model units and in display units; those are `null` where the hook was
 * not told a mean and a std.
 * @typedef {{model: number[], display: number[] | null}} Values
 */

/**
 * @typedef {object} Readout
 * @property {number} x
 * @property {number} y 0 in a signal
 * @property {Values} image
 * @property {{target: number, gradient: Values, delta: Values | null, morph: Values | null}[]} targets
 */

/**
 * What stands at a pixel. With `display = model · std + mean` a change of the display by 1 is a
 * change of the model's input by 1 / std: so a gradient by display units is the one by model units
 * divided by std, and a delta is multiplied by it.
 * @param {Sample} sample
 * @param {Float32Array[]} arrays image, then gradient and delta (where there is one) of each target
 * @param {number} x
 * @param {number} y
 * @param {number} strength
 * @returns {Readout}
 */
export function readoutAt(sample, arrays, x, y, strength) {
  const { mean, std } = sample.session;
  const [channels, ...sides] = sample.shape;
  const width = sides[sides.length - 1];
  const pixels = sides.reduce((product, side) => product * side, 1);
  const valuesOf = (/** @type {Float32Array} */ array) =>
    Array.from({ length: channels }, (_, channel) => array[channel * pixels + y * width + x]);
  /** @param {number[]} model @param {(value: number, channel: number) => number} convert */
  const both = (model, convert) => ({ model, display: mean && std ? model.map(convert) : null });
  const scale = (/** @type {number} */ channel) => of(std, channel, 1);
  const absolute = (/** @type {number} */ value, /** @type {number} */ channel) =>
    value * scale(channel) + of(mean, channel, 0);
  const image = valuesOf(arrays[0]);
  let place = 1;
  const targets = sample.targets.map(({ index, delta_norm }) => {
    const gradient = both(valuesOf(arrays[place++]), (value, channel) => value / scale(channel));
    if (delta_norm === null) return { target: index, gradient, delta: null, morph: null };
    const delta = valuesOf(arrays[place++]);
    return {
      target: index,
      gradient,
      delta: both(delta, (value, channel) => value * scale(channel)),
      morph: both(
        image.map((value, channel) => value + strength * delta[channel]),
        absolute,
      ),
    };
  });
  return { x, y, image: both(image, absolute), targets };
}

/**
 * One value for all channels, or one each.
 * @param {number[] | null} values
 * @param {number} channel
 * @param {number} otherwise
 */
function of(values, channel, otherwise) {
  return values ? (values[channel] ?? values[0]) : otherwise;
}
