/** Paints one panel of a sample (the original, a gradient, a morph or a change) on its own canvas. */

import { colourGradient } from "../../drawing/gradient_colors.js";
import { showChange, showGradient, showMorph, showOriginal } from "../../drawing/picture.js";
import { element } from "./dom.js";

/** @import {Picture, Rectangle} from "../../types.js" */
/** @import {DisplaySettings} from "./sample_view.js" */

/** The longer side of a thumbnail, in CSS pixels. */
export const THUMBNAIL = 84;

/**
 * Which panel is painted. `position` is the position of the target in the sample, `morph` that of the morph in the
 * target.
 * @typedef {{kind: "original"} | {kind: "gradient", position: number}
 *   | {kind: "morph" | "change", position: number, morph: number}} PanelContent
 */

/**
 * Everything that a panel depends on.
 * @typedef {Pick<DisplaySettings, "strength" | "theme" | "gradientColors" | "scaleEnd">} PanelSettings
 */

/**
 * Paints an image in its own resolution, and a signal in the resolution of the screen.
 * @param {HTMLCanvasElement} canvas gets the size of the picture
 * @param {Picture} picture
 * @param {PanelContent} content
 * @param {{width: number, height: number}} size the size on the page, in CSS pixels
 * @param {PanelSettings} settings
 */
export function paintPanel(canvas, picture, content, size, { strength, theme, gradientColors, scaleEnd }) {
  const ratio = window.devicePixelRatio;
  const isSignal = picture.kind === "signal";
  const width = isSignal ? Math.round(size.width * ratio) : picture.width;
  const height = isSignal ? Math.round(size.height * ratio) : picture.height;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  const surface = { pixels: new Uint32Array(image.data.buffer), stride: width, ratio, theme };
  /** @type {Rectangle} */
  const all = [0, 0, width, height];
  if (content.kind === "original") {
    showOriginal(surface, all, picture);
  } else if (content.kind === "gradient") {
    const coloured = colourGradient(picture.targets[content.position], gradientColors, theme, scaleEnd);
    showGradient(surface, all, picture, coloured);
  } else {
    const morph = picture.targets[content.position].morphs[content.morph];
    if (content.kind === "morph") showMorph(surface, all, picture, morph, strength);
    else showChange(surface, all, picture, morph, gradientColors.map);
  }
  // The page writes the pixels itself, so the canvas need not be in the memory of the graphics card.
  canvas.getContext("2d", { willReadFrequently: true })?.putImageData(image, 0, 0);
}

/** An empty thumbnail. */
export function thumbnail() {
  return element("canvas", { className: "thumbnail", width: 1, height: 1 });
}

/**
 * @param {HTMLCanvasElement} canvas from `thumbnail`
 * @param {Picture} picture
 * @param {PanelContent} content
 * @param {PanelSettings} settings
 */
export function paintThumbnail(canvas, picture, content, settings) {
  paintPanel(canvas, picture, content, { width: THUMBNAIL, height: THUMBNAIL }, settings);
  canvas.classList.toggle("crisp", canvas.width <= THUMBNAIL);
}
