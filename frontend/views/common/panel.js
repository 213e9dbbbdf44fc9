/** One picture of a sample, the original or a gradient or a morph, on a canvas of its own. */

import { inkOf } from "../../drawing/gradient_colors.js";
import { showGradient, showMorph, showOriginal } from "../../drawing/picture.js";
import { element } from "./dom.js";

/** @import {Picture, Rectangle} from "../../types.js" */
/** @import {Scene} from "./sample_view.js" */

/** The longer side of a small picture, in CSS pixels. */
export const THUMBNAIL = 84;

/**
 * What is painted: the place is that of a target among the sample's.
 * @typedef {{kind: "original"} | {kind: "gradient" | "morph", place: number}} Part
 */

/** @typedef {Pick<Scene, "strength" | "theme" | "look" | "scaleEnd">} Setting what a picture depends on */

/**
 * An image in its own pixels, a signal in those of the screen.
 * @param {HTMLCanvasElement} canvas takes the picture's size
 * @param {Picture} picture
 * @param {Part} part
 * @param {{width: number, height: number}} size at which it is shown, in CSS pixels
 * @param {Setting} scene
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

/** A small picture, still empty. */
export function thumbnail() {
  return element("canvas", { className: "thumbnail", width: 1, height: 1 });
}

/**
 * @param {HTMLCanvasElement} canvas a `thumbnail`
 * @param {Picture} picture
 * @param {Part} part
 * @param {Setting} scene
 */
export function paintThumbnail(canvas, picture, part, scene) {
  paintPart(canvas, picture, part, { width: THUMBNAIL, height: THUMBNAIL }, scene);
  canvas.classList.toggle("crisp", canvas.width <= THUMBNAIL);
}
