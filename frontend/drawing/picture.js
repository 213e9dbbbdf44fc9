/** A sample's picture, an image's or a signal's: made of its arrays, and painted panel by panel. Pure. */

import { drawGradient, drawMorph, drawSignal, makeSignalPicture } from "./curves.js";
import { makeImagePicture, paintGradient, paintImage, paintMorph } from "./pixels.js";

/** @import {Sheet} from "./curves.js" */
/** @import {Ink} from "./gradient_colors.js" */
/** @import {Picture, Raster, Rectangle, Sample} from "../types.js" */

/**
 * @param {Sample} sample
 * @param {Float32Array[]} arrays image, then gradient and delta (where there is one) of each target
 * @param {Raster} [raster] the size at which an image is shown; its own by default
 * @returns {Picture}
 */
export function makePicture(sample, arrays, raster) {
  return sample.shape.length === 2 ? makeSignalPicture(sample, arrays) : makeImagePicture(sample, arrays, raster);
}

/**
 * Whether a picture serves at a size: an image has to be of just that size, a signal is of any.
 * @param {Picture} picture
 * @param {Raster} raster
 */
export function serves(picture, { width, height }) {
  return picture.kind === "signal" || (picture.width === width && picture.height === height);
}

/**
 * @param {Sheet} sheet
 * @param {Rectangle} panel
 * @param {Picture} picture
 */
export function showOriginal(sheet, panel, picture) {
  if (picture.kind === "signal") drawSignal(sheet, panel, picture);
  else paintImage(sheet.pixels, sheet.stride, panel, picture);
}

/**
 * @param {Sheet} sheet
 * @param {Rectangle} panel
 * @param {Picture} picture
 * @param {Ink} ink
 */
export function showGradient(sheet, panel, picture, ink) {
  if (picture.kind === "signal") drawGradient(sheet, panel, picture, ink);
  else paintGradient(sheet.pixels, sheet.stride, panel, picture, ink, sheet.theme);
}

/**
 * @param {Sheet} sheet
 * @param {Rectangle} panel
 * @param {Picture} picture
 * @param {Float32Array} change of one of the picture's targets
 * @param {number} strength
 */
export function showMorph(sheet, panel, picture, change, strength) {
  if (picture.kind === "signal") drawMorph(sheet, panel, picture, change, strength);
  else paintMorph(sheet.pixels, sheet.stride, panel, picture, change, strength);
}
