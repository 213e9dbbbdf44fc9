/** Where everything stands on a contact sheet: samples side by side on one large picture. Pure. */

/** @import {Sample} from "./types.js" */

export const MOST_ON_SHEET = 200;
export const PADDING = 12;
export const TITLE = 20;
export const HEADING = 16;
export const META = 18;
const GAP = 8;
const COMFORTABLE = 112;
const LARGEST = 224;
const SIGNAL = { width: 256, height: 64 };
const WIDTH = 1920;
/** Beyond this browsers refuse a canvas. */
const LARGEST_SIDE = 16_000;

/**
 * @typedef {object} Sheet
 * @property {Sample[]} samples those that have room, from the first on
 * @property {number} columns
 * @property {{width: number, height: number}} cell
 * @property {number} width
 * @property {number} height
 */

/**
 * @param {Sample[]} samples
 * @returns {Sheet}
 */
export function sheetOf(samples) {
  const some = samples.slice(0, MOST_ON_SHEET);
  const width = some.reduce((most, sample) => Math.max(most, panelsOf(sample).width), 0) + 2 * PADDING;
  const tallest = some.reduce((most, sample) => Math.max(most, panelSize(sample).height), 0);
  const cell = { width, height: 2 * PADDING + TITLE + HEADING + tallest + META };
  const columns = Math.max(Math.min(Math.floor(WIDTH / width), some.length), 1);
  const rows = Math.min(Math.ceil(some.length / columns), Math.max(Math.floor(LARGEST_SIDE / cell.height), 1));
  const room = some.slice(0, rows * columns);
  return { samples: room, columns, cell, width: columns * width, height: rows * cell.height };
}

/**
 * The left edges of a sample's panels within its cell: the original, then gradient and morph (where
 * there is one) of each target.
 * @param {Sample} sample
 */
export function panelsOf(sample) {
  const count = sample.targets.reduce((sum, { delta_norm }) => sum + (delta_norm === null ? 1 : 2), 1);
  const { width } = panelSize(sample);
  return {
    lefts: Array.from({ length: count }, (_, place) => place * (width + GAP)),
    width: count * (width + GAP) - GAP,
  };
}

/**
 * A panel's size on the sheet: whole multiples of the image's, unless it is a large one.
 * @param {Sample} sample
 */
export function panelSize({ shape }) {
  if (shape.length === 2) return SIGNAL;
  const [, height, width] = shape;
  const side = Math.max(height, width);
  const zoom = side > LARGEST ? LARGEST / side : Math.max(Math.floor(COMFORTABLE / side), 1);
  return { width: Math.max(Math.round(zoom * width), 1), height: Math.max(Math.round(zoom * height), 1) };
}
