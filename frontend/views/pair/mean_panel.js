/** The mean of the changes from one class to another, as two pictures. */

import { COLOURS } from "../../drawing/colormap.js";
import { colourGradient, legendOf } from "../../drawing/gradient_colors.js";
import { LARGEST_SIDE, canAverage, meanChange } from "../../drawing/mean_change.js";
import { paintGradient } from "../../drawing/pixels.js";
import { formatCount } from "../../samples/captions.js";
import { shownPosition } from "../../samples/morphs.js";
import { element } from "../common/dom.js";

/** @import {Member} from "../../samples/pairs.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */
/** @import {ImagePicture, Picture, Sample} from "../../types.js" */

/** At most this many changes are averaged. */
const MOST_AVERAGED = 100;

export class MeanPanel {
  #size = element("canvas", { className: "mean", width: 1, height: 1, role: "img" });
  #change = element("canvas", { className: "mean", width: 1, height: 1, role: "img" });
  #ramp = element("canvas", { className: "ramp", width: COLOURS, height: 1, ariaHidden: "true" });
  #pictures = element(
    "div",
    { className: "means" },
    element("figure", {}, this.#size, element("figcaption", {}, "where it changes")),
    element("figure", {}, this.#change, element("figcaption", {}, "darker", this.#ramp, "brighter")),
  );
  #words = element("p", { className: "mean-words" });
  element = element("div", { className: "mean-panel" }, this.#pictures, this.#words);

  /**
   * @param {Member[]} members whose morphs lead to one class
   * @param {string} goal the name of this class
   * @param {(sample: Sample) => Picture | undefined} pictureOf
   * @param {DisplaySettings} settings
   */
  show(members, goal, pictureOf, settings) {
    const averaged = averagedMembers(members);
    const samples = averaged.map(({ sample }) => sample);
    const changes = canAverage(samples) ? averaged.flatMap((member) => changeOf(member, pictureOf, settings)) : [];
    const mean = meanChange(changes);
    this.#pictures.hidden = !mean;
    this.#words.textContent = words(samples, mean?.count ?? 0, goal);
    if (!mean) return;
    const { raster, levels } = mean;
    const styles = /** @type {const} */ ([
      [this.#size, "magnitude"],
      [this.#change, "signed"],
    ]);
    for (const [canvas, style] of styles) {
      const colours = { ...settings.gradientColors, style };
      const coloured = colourGradient({ ...levels, usualStyle: style }, colours, settings.theme, null);
      if (canvas.width !== raster.width || canvas.height !== raster.height) Object.assign(canvas, raster);
      const image = new ImageData(raster.width, raster.height);
      // Without a ground, the picture itself is not read.
      const picture = /** @type {ImagePicture} */ ({ kind: "image", ...raster });
      const pixels = new Uint32Array(image.data.buffer);
      paintGradient(pixels, raster.width, [0, 0, raster.width, raster.height], picture, coloured);
      canvas.getContext("2d", { willReadFrequently: true })?.putImageData(image, 0, 0);
    }
    const { colours } = legendOf({ ...settings.gradientColors, style: "signed" }, settings.theme, null, "none");
    const ramp = new ImageData(new Uint8ClampedArray(colours.slice().buffer), COLOURS, 1);
    this.#ramp.getContext("2d")?.putImageData(ramp, 0, 0);
    this.#size.ariaLabel = `Mean size of the changes towards ${goal}`;
    this.#change.ariaLabel = `Mean change towards ${goal}`;
    this.element.dataset.averaged = String(mean.count);
  }
}

/**
 * The members whose changes are averaged: those with a morph, at most `MOST_AVERAGED`.
 * @param {Member[]} members
 */
export function averagedMembers(members) {
  return members.filter(({ distance }) => distance !== null).slice(0, MOST_AVERAGED);
}

/**
 * @param {Member} member
 * @param {(sample: Sample) => Picture | undefined} pictureOf
 * @param {DisplaySettings} settings
 */
function changeOf({ sample, target }, pictureOf, { morph }) {
  const picture = pictureOf(sample);
  if (!picture || !target) return [];
  const change = picture.targets[sample.targets.indexOf(target)]?.morphs[shownPosition(target, morph)];
  return change ? [{ picture, morph: change }] : [];
}

/**
 * @param {Sample[]} samples
 * @param {number} count how many are averaged
 * @param {string} goal
 */
function words(samples, count, goal) {
  if (!samples.length) return "";
  if (samples[0].shape.length === 2) return "Changes of signals are not averaged.";
  if (!canAverage(samples)) {
    return `The changes are not averaged: that needs images of one size, with at most ${LARGEST_SIDE} pixels on a side.`;
  }
  if (!count) return "Loading…";
  const changes = `${formatCount(count)} ${count === 1 ? "change" : "changes"}`;
  return `What it takes to become ${goal}: the mean of ${changes}. It says most if the images are centred alike.`;
}
