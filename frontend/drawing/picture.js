/** The picture of a sample, which is an image or a signal: made from its arrays, painted panel by panel. Pure. */

import { drawGradient, drawMorph, drawSignal, makeSignalPicture } from "./curves.js";
import { makeImagePicture, paintGradient, paintImage, paintMorph } from "./pixels.js";

/** @import {Sheet} from "./curves.js" */
/** @import {Ink} from "./gradient_colors.js" */
/** @import {Picture, Raster, Rectangle, Sample} from "../types.js" */

/**
 * @param {Sample} sample
 * @param {Float32Array[]} arrays in the stored order
 * @param {Raster} [raster] the size at which an image is shown; the default is its own size
 * @returns {Picture}
 */
export function makePicture(sample, arrays, raster) {
  return sample.shape.length === 2 ? makeSignalPicture(sample, arrays) : makeImagePicture(sample, arrays, raster);
}

/**
 * Whether a picture can be painted at a size. An image must have exactly this size; a signal fits every size.
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
 * @param {Float32Array} change the change of one target in the picture
 * @param {number} strength
 */
export function showMorph(sheet, panel, picture, change, strength) {
  if (picture.kind === "signal") drawMorph(sheet, panel, picture, change, strength);
  else paintMorph(sheet.pixels, sheet.stride, panel, picture, change, strength);
}
