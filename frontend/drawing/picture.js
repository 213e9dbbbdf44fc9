/** The picture of a sample, which is an image or a signal: made from its arrays, painted panel by panel. Pure. */

import { drawChange, drawGradient, drawMorph, drawSignal, makeSignalPicture } from "./curves.js";
import { DIVERGING } from "./colormap.js";
import { makeImagePicture, paintChange, paintGradient, paintImage, paintMorph } from "./pixels.js";

/** @import {Surface} from "./curves.js" */
/** @import {ColouredGradient} from "./gradient_colors.js" */
/** @import {MapName, MorphChange, Picture, Raster, Rectangle, Sample} from "../types.js" */

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
export function fitsRaster(picture, { width, height }) {
  return picture.kind === "signal" || (picture.width === width && picture.height === height);
}

/**
 * @param {Surface} surface
 * @param {Rectangle} panel
 * @param {Picture} picture
 */
export function showOriginal(surface, panel, picture) {
  if (picture.kind === "signal") drawSignal(surface, panel, picture);
  else paintImage(surface.pixels, surface.stride, panel, picture);
}

/**
 * @param {Surface} surface
 * @param {Rectangle} panel
 * @param {Picture} picture
 * @param {ColouredGradient} coloured
 */
export function showGradient(surface, panel, picture, coloured) {
  if (picture.kind === "signal") drawGradient(surface, panel, picture, coloured);
  else paintGradient(surface.pixels, surface.stride, panel, picture, coloured);
}

/**
 * @param {Surface} surface
 * @param {Rectangle} panel
 * @param {Picture} picture
 * @param {MorphChange} morph
 * @param {number} strength
 */
export function showMorph(surface, panel, picture, { change }, strength) {
  if (picture.kind === "signal") drawMorph(surface, panel, picture, change, strength);
  else paintMorph(surface.pixels, surface.stride, panel, picture, change, strength);
}

/**
 * @param {Surface} surface
 * @param {Rectangle} panel
 * @param {Picture} picture
 * @param {MorphChange} morph
 * @param {MapName} map
 */
export function showChange(surface, panel, picture, morph, map) {
  if (picture.kind === "signal") drawChange(surface, panel, picture, morph);
  else paintChange(surface.pixels, surface.stride, panel, picture, morph, DIVERGING[map][surface.theme]);
}
