/** The mean of several changes: of their values, and of their magnitudes. Pure. */

import { gradientLevels } from "./pixels.js";

/** @import {ImagePicture, MorphChange, Picture, Raster, Sample, TargetLevels} from "../types.js" */

/** Larger images are not averaged, because their objects are rarely at the same place. */
export const LARGEST_SIDE = 64;

/**
 * Whether the samples are small images of one size, so that the mean of their changes can mean something.
 * @param {Sample[]} samples
 */
export function canAverage(samples) {
  if (!samples.length) return false;
  const [{ shape }] = samples;
  const isSmall = shape.length === 3 && Math.max(shape[1], shape[2]) <= LARGEST_SIDE;
  return isSmall && samples.every((sample) => sample.shape.join() === shape.join());
}

/**
 * @typedef {object} MeanChange
 * @property {Raster} raster
 * @property {Omit<TargetLevels, "usualStyle">} levels `gradient` has the mean change, `magnitude` the mean magnitude
 * @property {number} count how many changes it is the mean of
 */

/**
 * The mean over some changes. The painted channels of a pixel count as their mean.
 * @param {{picture: Picture, morph: MorphChange}[]} changes
 * @returns {MeanChange | null} `null` without images of one size
 */
export function meanChange(changes) {
  const first = changes[0]?.picture;
  if (first?.kind !== "image") return null;
  const { width, height } = first;
  const isLike = (/** @type {Picture} */ picture) =>
    picture.kind === "image" && picture.width === width && picture.height === height;
  const alike = /** @type {{picture: ImagePicture, morph: MorphChange}[]} */ (
    changes.filter(({ picture }) => isLike(picture))
  );
  const pixels = width * height;
  const values = new Float32Array(pixels);
  const magnitudes = new Float32Array(pixels);
  for (const { picture, morph } of alike) {
    const share = 1 / (picture.planes * alike.length);
    for (let plane = 0; plane < picture.planes; plane++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        const change = morph.change[plane * pixels + pixel];
        values[pixel] += share * change;
        magnitudes[pixel] += share * Math.abs(change);
      }
    }
  }
  return {
    raster: { width, height },
    levels: gradientLevels(values, magnitudes, magnitudes),
    count: alike.length,
  };
}
