/** One picture of a sample, the original or a gradient or a morph, on a canvas of its own. */

import { PALETTES } from "../colormap.js";
import { paintGradient, paintImage, paintMorph } from "../pixels.js";

/** @import {Picture, Rectangle, Theme} from "../types.js" */

/**
 * What is painted: the place is that of a target among the sample's.
 * @typedef {{kind: "original"} | {kind: "gradient" | "morph", place: number}} Part
 */

/**
 * @param {HTMLCanvasElement} canvas takes the picture's size
 * @param {Picture} picture
 * @param {Part} part
 * @param {{strength: number, theme: Theme}} scene
 */
export function paintPart(canvas, picture, part, { strength, theme }) {
  const { width, height } = picture;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  /** @type {Rectangle} */
  const all = [0, 0, width, height];
  if (part.kind === "gradient") {
    paintGradient(pixels, width, all, picture.targets[part.place].gradient, PALETTES[theme]);
  } else {
    const change = part.kind === "morph" ? picture.targets[part.place].change : null;
    if (change) paintMorph(pixels, width, all, picture, change, strength);
    else paintImage(pixels, width, all, picture);
  }
  // Its pixels come from the processor and are never drawn on by the graphics card.
  canvas.getContext("2d", { willReadFrequently: true })?.putImageData(image, 0, 0);
}
