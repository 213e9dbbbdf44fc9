/** The shape of a sample, and the arrays that are stored for it. Pure. */

/** @import {Sample} from "../types.js" */

/**
 * The arrays of a sample in the stored order: the image (or signal), then for each target its gradient and the
 * delta of each of its morphs. Each is in C order: channels first, in model units.
 * @typedef {Float32Array<ArrayBuffer>[]} Arrays
 */

/** @param {Sample["shape"]} shape */
export function isSignal(shape) {
  return shape.length === 2;
}

/**
 * @param {Sample["shape"]} shape
 * @returns {{channels: number, height: number, width: number}} a signal has the height 1
 */
export function dimensionsOf(shape) {
  return shape.length === 2
    ? { channels: shape[0], height: 1, width: shape[1] }
    : { channels: shape[0], height: shape[1], width: shape[2] };
}

/**
 * How many numbers an array of this shape holds.
 * @param {readonly number[]} shape
 */
export function elementsIn(shape) {
  return shape.reduce((product, side) => product * side, 1);
}

/**
 * How many gradients and deltas are stored beside the image.
 * @param {Sample} sample
 */
export function targetArrayCount({ targets }) {
  return targets.reduce((sum, { morphs }) => sum + 1 + morphs.length, 0);
}

/**
 * @template {Float32Array} Values
 * @param {Sample} sample
 * @param {Values[]} arrays in the stored order
 * @returns {{image: Values, targets: {gradient: Values, deltas: Values[]}[]}}
 */
export function splitArrays({ targets }, [image, ...rest]) {
  let position = 0;
  return {
    image,
    targets: targets.map(({ morphs }) => {
      const gradient = rest[position++];
      return { gradient, deltas: morphs.map(() => rest[position++]) };
    }),
  };
}
