/** The colours of gradients: which colour map, which scale, and which style. Pure. */

import { COLOURS, DIVERGING, MIDDLE, NOT_FINITE, SEQUENTIAL } from "./colormap.js";

/** @import {GradientStyle, GradientColors, MapName, Sample, Scale, TargetLevels, Theme} from "../types.js" */

/** @type {GradientColors} */
export const INITIAL_GRADIENT_COLORS = { map: "RdBu", scale: "own", style: "signed" };

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
};

/** The common scale ends at this many root mean squares of a gradient. Few pixels are beyond it. */
const SCALE_END = 4;
/** The scale follows the gradient at this quantile, so that one outlier does not make all others pale. */
const SCALE_QUANTILE = 0.9;

/**
 * The magnitude at which the common scale ends. It follows from the recorded norms of all gradients, so it does not
 * depend on which pictures are loaded.
 * @param {Sample[]} samples
 * @returns {number} 0 if all gradients are zero
 */
export function commonEnd(samples) {
  const sizes = [];
  for (const { shape, targets } of samples) {
    const pixels = shape.length === 2 ? shape[0] * shape[1] : shape[1] * shape[2];
    for (const { gradient_norm } of targets) {
      if (Number.isFinite(gradient_norm)) sizes.push(gradient_norm / Math.sqrt(pixels));
    }
  }
  if (!sizes.length) return 0;
  const sorted = Float64Array.from(sizes).sort();
  return SCALE_END * sorted[Math.floor(SCALE_QUANTILE * (sorted.length - 1))];
}

/**
 * A gradient ready to be drawn. `levels` are positions in the table `colours`, and `zero` is the position of the
 * value zero. `opacity` is the opacity of each colour, 0 to 255. `overlay`: it is drawn over the original.
 * @typedef {{levels: Uint8Array, zero: number, colours: Uint32Array, opacity: Uint8Array, overlay: boolean}}
 *   ColouredGradient
 */

/**
 * @param {TargetLevels} target
 * @param {GradientColors} gradientColors
 * @param {Theme} theme
 * @param {number | null} end the end of the common scale; `null`: the gradient has its own scale
 * @returns {ColouredGradient}
 */
export function colourGradient(target, gradientColors, theme, end) {
  const { magnitude, largestMagnitude, gradient, largest } = target;
  const overlay = gradientColors.style === "overlay";
  if (gradientColors.style === "magnitude") {
    const ratio = end ? largestMagnitude / end : 1;
    const [colours, opacity] = [onScale(SEQUENTIAL[theme], 0, ratio), onScale(OPACITY_FROM_0, 0, ratio)];
    return { levels: magnitude, zero: 0, colours, opacity, overlay };
  }
  const ratio = end ? largest / end : 1;
  const table = overlay ? saturated(gradientColors.map, theme) : DIVERGING[gradientColors.map][theme];
  const [colours, opacity] = [onScale(table, MIDDLE, ratio), onScale(OPACITY, MIDDLE, ratio)];
  return { levels: gradient, zero: MIDDLE, colours, opacity, overlay };
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
 * The legend of the colours: a ramp, the marks below it, and a sentence.
 * @param {GradientColors} gradientColors
 * @param {Theme} theme
 * @param {number | null} end the end of the common scale; `null`: each gradient has its own scale
 */
export function legendOf(gradientColors, theme, end) {
  const reach =
    end === null
      ? "The scale of each gradient ends at its largest value."
      : `The scale of all gradients ends at ${formatShort(end)}.`;
  if (gradientColors.style === "magnitude") {
    return {
      colours: SEQUENTIAL[theme].subarray(0, COLOURS),
      marks: ["0", end === null ? "strong" : formatShort(end)],
      words: `The size of a pixel's effect on the target's score. ${reach}`,
    };
  }
  return {
    colours: DIVERGING[gradientColors.map][theme].subarray(0, COLOURS),
    marks: end === null ? ["lowers", "0", "raises"] : [`−${formatShort(end)}`, "0", formatShort(end)],
    words: `The effect of a brighter pixel on the target's score. ${reach}`,
  };
}

/** @param {number} value */
function formatShort(value) {
  return String(Number(value.toPrecision(2)));
}
