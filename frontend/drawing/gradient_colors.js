/** The colours of gradients: which colour map, which scale, and which style. Pure. */

import { formatShort } from "../samples/captions.js";
import { elementsIn } from "../samples/sample_arrays.js";
import { COLOURS, DIVERGING, MIDDLE, NOT_FINITE, SEQUENTIAL } from "./colormap.js";

/** @import {GradientStyle, GradientColors, MapName, Sample, Scale, TargetLevels, Theme} from "../types.js" */

/** @type {GradientColors} */
export const INITIAL_GRADIENT_COLORS = { map: "RdBu", scale: "own", style: "auto" };

/** @type {Record<MapName, Record<Theme, string>>} */
export const MAPS = {
  RdBu: { light: "blue – red", dark: "blue – red" },
  PuOr: { light: "purple – orange", dark: "blue – yellow" },
  BrBG: { light: "brown – teal", dark: "pink – green" },
};

/** @type {Record<Scale, string>} */
export const SCALES = { own: "one per gradient", common: "the same for all" };

/** @type {Record<GradientStyle, string>} */
export const STYLES = {
  signed: "the gradient alone",
  overlay: "over the original",
  magnitude: "its magnitude (saliency)",
  heat: "its smoothed magnitude, as heat",
};

/** @type {Record<GradientColors["style"], string>} */
export const STYLE_CHOICES = { auto: "automatic", ...STYLES };

/** An image with a longer side is a photograph. Its single pixels are too small to be read one by one. */
const PHOTOGRAPH = 96;

/** @param {Sample["shape"]} shape */
function isPhotograph(shape) {
  return shape.length === 3 && Math.max(shape[1], shape[2]) > PHOTOGRAPH;
}

/**
 * How a gradient is drawn if the user did not choose a style.
 * @param {Sample["shape"]} shape
 * @returns {GradientStyle}
 */
export function usualStyle(shape) {
  return isPhotograph(shape) ? "heat" : "signed";
}

/** The 99th percentile of normally distributed magnitudes, as a multiple of their root mean square. */
const USUAL_P99 = 2.58;
/** Smoothing levels the peaks. So the common scale of the heat ends at this share of the other styles' scale. */
const HEAT_END = 0.5;

/**
 * The magnitude at which the common scale ends: the largest 99th percentile of all gradients. It follows from the
 * records, so it does not depend on which pictures are loaded. If a record has no percentile, the page estimates it from
 * the norm. A picture paints the sum of its channels, so the percentile of several channels counts by the root of
 * their number.
 * @param {Sample[]} samples
 * @returns {number} 0 if all gradients are zero
 */
export function commonEnd(samples) {
  let end = 0;
  for (const { shape, targets } of samples) {
    const painted = shape.length === 2 ? 1 : Math.sqrt(shape[0]);
    for (const { gradient_p99, gradient_norm } of targets) {
      const p99 = gradient_p99 ?? (USUAL_P99 * gradient_norm) / Math.sqrt(elementsIn(shape));
      if (Number.isFinite(p99)) end = Math.max(end, painted * p99);
    }
  }
  return end;
}

/** The greys of the original under a gradient: the darkest one, and the range above it. */
const GROUND = { light: /** @type {const} */ ([96, 144]), dark: /** @type {const} */ ([16, 128]) };
const DARKENED = /** @type {const} */ ([0, 120]);

/**
 * A gradient ready to be drawn. `levels` are positions in the table `colours`, and `zero` is the position of the
 * value zero. `opacity` is the opacity of each colour, 0 to 255. `ground`: the greys of the original that it is drawn
 * over; `null`: it is drawn alone.
 * @typedef {object} ColouredGradient
 * @property {Uint8Array} levels
 * @property {number} zero
 * @property {Uint32Array} colours
 * @property {Uint8Array} opacity
 * @property {readonly [least: number, range: number] | null} ground
 */

/**
 * @param {TargetLevels} target
 * @param {GradientColors} gradientColors
 * @param {Theme} theme
 * @param {number | null} end the end of the common scale; `null`: the gradient has its own scale
 * @returns {ColouredGradient}
 */
export function colourGradient(target, gradientColors, theme, end) {
  const style = gradientColors.style === "auto" ? target.usualStyle : gradientColors.style;
  if (style === "heat") {
    const ratio = end ? target.heatEnd / (HEAT_END * end) : 1;
    // The original is darkened in both themes, so the map that starts at black fits both.
    const [colours, opacity] = [onScale(SEQUENTIAL.dark, 0, ratio), onScale(HEAT_OPACITY, 0, ratio)];
    return { levels: target.heat, zero: 0, colours, opacity, ground: DARKENED };
  }
  if (style === "magnitude") {
    const ratio = end ? target.magnitudeEnd / end : 1;
    const [colours, opacity] = [onScale(SEQUENTIAL[theme], 0, ratio), onScale(OPACITY_FROM_0, 0, ratio)];
    return { levels: target.magnitude, zero: 0, colours, opacity, ground: null };
  }
  const ratio = end ? target.end / end : 1;
  const table = style === "overlay" ? saturated(gradientColors.map, theme) : DIVERGING[gradientColors.map][theme];
  const [colours, opacity] = [onScale(table, MIDDLE, ratio), onScale(OPACITY, MIDDLE, ratio)];
  return { levels: target.gradient, zero: MIDDLE, colours, opacity, ground: style === "overlay" ? GROUND[theme] : null };
}

/**
 * A table for levels whose largest value is `ratio` times the end of the scale. Levels beyond the end get the last
 * colour.
 * @template {Uint32Array | Uint8Array} Table
 * @param {Table} table
 * @param {number} zero the position of the value zero
 * @param {number} ratio
 * @returns {Table}
 */
function onScale(table, zero, ratio) {
  if (ratio === 1) return table;
  const scaled = table.slice();
  for (let position = 0; position < COLOURS; position++) {
    const meant = Math.round(zero + (position - zero) * ratio);
    scaled[position] = table[Math.min(Math.max(meant, 0), COLOURS - 1)];
  }
  return /** @type {Table} */ (scaled);
}

/** A colour is fully opaque from half of the scale on. */
const OPACITY = opacityFrom(MIDDLE);
const OPACITY_FROM_0 = opacityFrom(0);
/** Over a photograph the original stays visible under a weak gradient, and never disappears. */
const HEAT_OPACITY = OPACITY_FROM_0.map((opacity, position) => (position === NOT_FINITE ? 255 : 0.85 * opacity));

/** @param {number} zero */
function opacityFrom(zero) {
  return Uint8Array.from({ length: COLOURS + 1 }, (_, position) =>
    position === NOT_FINITE ? 255 : Math.min(255, Math.round((510 * Math.abs(position - zero)) / (COLOURS - 1 - zero))),
  );
}

/** @type {Map<Uint32Array, Uint32Array>} */
const saturatedTables = new Map();

/**
 * A diverging table without its pale middle. In an overlay, a small gradient is transparent instead of pale.
 * @param {MapName} map
 * @param {Theme} theme
 */
function saturated(map, theme) {
  const table = DIVERGING[map][theme];
  let colours = saturatedTables.get(table);
  if (!colours) {
    colours = table.slice();
    for (let position = 0; position < COLOURS; position++) {
      const side = position < MIDDLE ? -1 : 1;
      const depth = 0.6 + (0.4 * Math.abs(position - MIDDLE)) / MIDDLE;
      colours[position] = table[Math.round(MIDDLE + side * depth * MIDDLE)];
    }
    saturatedTables.set(table, colours);
  }
  return colours;
}

/**
 * Whether all, some or none of the samples are photographs.
 * @typedef {"all" | "some" | "none"} Photographs
 */

/**
 * @param {Sample[]} samples
 * @returns {Photographs}
 */
export function photographsIn(samples) {
  const shapes = [...new Set(samples.map(({ shape }) => shape))];
  if (!shapes.some(isPhotograph)) return "none";
  return shapes.every(isPhotograph) ? "all" : "some";
}

/**
 * The legend of the colours: a ramp, the marks below it, and a sentence.
 * @param {GradientColors} gradientColors
 * @param {Theme} theme
 * @param {number | null} end the end of the common scale; `null`: each gradient has its own scale
 * @param {Photographs} photographs which samples are photographs
 */
export function legendOf({ style, map }, theme, end, photographs) {
  const isHeat = style === "heat" || (style === "auto" && photographs === "all");
  const common = end === null ? null : formatShort(isHeat ? HEAT_END * end : end);
  const reach =
    common === null
      ? "The colours end at the 99th percentile of each gradient."
      : `The colours of all gradients end at ${common}, the largest 99th percentile.`;
  if (isHeat || style === "magnitude") {
    return {
      colours: SEQUENTIAL[isHeat ? "dark" : theme].subarray(0, COLOURS),
      marks: ["0", common ?? "strong"],
      words: `The size of a pixel's effect on the target's score${isHeat ? ", smoothed" : ""}. ${reach}`,
    };
  }
  const heat = style === "auto" && photographs === "some" ? " On photographs, light means a large gradient." : "";
  return {
    colours: DIVERGING[map][theme].subarray(0, COLOURS),
    marks: common === null ? ["lowers", "0", "raises"] : [`−${common}`, "0", common],
    words: `The effect of a brighter pixel on the target's score. ${reach}${heat}`,
  };
}
