/** The layout of a contact sheet: samples side by side on one large picture. Pure. */

/** @import {Sample} from "../types.js" */

export const MOST_ON_SHEET = 200;
export const PADDING = 12;
export const TITLE = 20;
export const HEADING = 16;
const META = 18;
const GAP = 8;
const COMFORTABLE = 112;
const LARGEST = 224;
const SIGNAL = { width: 256, height: 64 };
const WIDTH = 1920;
/** Browsers refuse a larger canvas. */
const LARGEST_SIDE = 16_000;

/**
 * @typedef {object} Sheet
 * @property {Sample[]} samples the first samples, as many as fit
 * @property {number} columns
 * @property {number} cellWidth
 * @property {number[]} tops the top of each row, and then the bottom of the last one
 * @property {number} width
 */

/**
 * @param {Sample[]} samples
 * @returns {Sheet}
 */
export function sheetOf(samples) {
  const some = samples.slice(0, MOST_ON_SHEET);
  const widest = some.reduce((most, sample) => Math.max(most, panelsOf(sample).width), 0);
  const cellWidth = Math.min(widest + 2 * PADDING, LARGEST_SIDE);
  const columns = Math.max(Math.min(Math.floor(WIDTH / cellWidth), some.length), 1);
  const tops = [0];
  for (let first = 0; first < some.length; first += columns) {
    const row = some.slice(first, first + columns);
    const tallest = row.reduce((most, sample) => Math.max(most, panelSize(sample).height), 0);
    const end = tops[tops.length - 1] + 2 * PADDING + TITLE + HEADING + tallest + META;
    if (end > LARGEST_SIDE) break;
    tops.push(end);
  }
  return { samples: some.slice(0, (tops.length - 1) * columns), columns, cellWidth, tops, width: columns * cellWidth };
}

/**
 * The left edges of a sample's panels within its cell: the original, then for each target the gradient and, if an
 * ascent was made, one morph and its change.
 * @param {Sample} sample
 */
export function panelsOf(sample) {
  const count = sample.targets.reduce((sum, { morphs }) => sum + (morphs.length ? 3 : 1), 1);
  const { width } = panelSize(sample);
  return {
    lefts: Array.from({ length: count }, (_, position) => position * (width + GAP)),
    width: count * (width + GAP) - GAP,
  };
}

/**
 * The size of a panel. A small image is enlarged by a whole number, so that all its pixels have the same size.
 * @param {Sample} sample
 */
export function panelSize({ shape }) {
  if (shape.length === 2) return SIGNAL;
  const [, height, width] = shape;
  const side = Math.max(height, width);
  const zoom = side > LARGEST ? LARGEST / side : Math.max(Math.round(COMFORTABLE / side), 1);
  return { width: Math.max(Math.round(zoom * width), 1), height: Math.max(Math.round(zoom * height), 1) };
}
