/** One picture of a sample, the original or a gradient or a morph, on a canvas of its own. */

import { inkOf } from "../look.js";
import { showGradient, showMorph, showOriginal } from "../picture.js";

/** @import {Picture, Rectangle} from "../types.js" */
/** @import {Scene} from "./card.js" */

/**
 * What is painted: the place is that of a target among the sample's.
 * @typedef {{kind: "original"} | {kind: "gradient" | "morph", place: number}} Part
 */

/**
 * An image in its own pixels, a signal in those of the screen.
 * @param {HTMLCanvasElement} canvas takes the picture's size
 * @param {Picture} picture
 * @param {Part} part
 * @param {{width: number, height: number}} size at which it is shown, in CSS pixels
 * @param {Pick<Scene, "strength" | "theme" | "look" | "scaleEnd">} scene
 */
export function paintPart(canvas, picture, part, size, { strength, theme, look, scaleEnd }) {
  const ratio = window.devicePixelRatio;
  const isSignal = picture.kind === "signal";
  const width = isSignal ? Math.round(size.width * ratio) : picture.width;
  const height = isSignal ? Math.round(size.height * ratio) : picture.height;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  const sheet = { pixels: new Uint32Array(image.data.buffer), stride: width, ratio, theme };
  /** @type {Rectangle} */
  const all = [0, 0, width, height];
  if (part.kind === "gradient") {
    showGradient(sheet, all, picture, inkOf(picture.targets[part.place], look, theme, scaleEnd));
  } else {
    const change = part.kind === "morph" ? picture.targets[part.place].change : null;
    if (change) showMorph(sheet, all, picture, change, strength);
    else showOriginal(sheet, all, picture);
  }
  // Its pixels come from the processor and are never drawn on by the graphics card.
  canvas.getContext("2d", { willReadFrequently: true })?.putImageData(image, 0, 0);
}
