/**
 * Where everything stands: the panels on a sample's canvas, and the cards in the grid. Pure, and
 * known before anything is drawn, so that rows that nobody sees need not exist.
 */

import { className } from "./captions.js";
import { rasterOf } from "./pixels.js";

/** @import {Panels, Sample} from "./types.js" */

/** Distances in CSS pixels; those that style.css needs too are handed to it by the views. */
export const CARD_PADDING = 12;
export const LINE = 20;
export const HEADING = 20;
export const META = 90;
export const LEAST_COLUMN = 84;
export const TEXT_WIDTH = 152;
const TEXT_HEIGHT = 84;
const PANEL_GAP = 10;
const TEXT_GAP = 14;
const ROW_GAP = 8;
const TITLE_GAP = 8;
const GRID_GAP = 16;
const TITLE_LETTER = 6.2;

/** Beyond this browsers refuse a canvas, or take gigabytes for a screenful. */
const LARGEST_CANVAS_SIDE = 16_384;
const LARGEST_CANVAS = 1 << 24;

/** Enlargements that keep pixels crisp, and reductions for large images. */
export const ZOOMS = [0.125, 0.25, 0.5, 1, 2, 3, 4, 5, 6];
const COMFORTABLE = 80;
const COMFORTABLE_STRIP = 160;
const STRIP_HEIGHT = 48;

/**
 * The smallest zoom at which an image or a signal can be seen well.
 * @param {Sample} sample
 */
export function comfortableZoom({ shape }) {
  const { width, height } = rasterOf(shape);
  const [side, least] = shape.length === 2 ? [width, COMFORTABLE_STRIP] : [Math.max(height, width), COMFORTABLE];
  return ZOOMS.find((zoom) => zoom * side >= least) ?? ZOOMS[ZOOMS.length - 1];
}

/**
 * A panel's size in canvas pixels. A signal's rows are repeated until they can be told apart.
 * @param {Sample["shape"]} shape
 * @param {number} zoom
 */
function panelSize(shape, zoom) {
  const { width, height } = rasterOf(shape);
  return { width, height: shape.length === 2 ? height * Math.ceil(STRIP_HEIGHT / (height * zoom)) : height };
}

/**
 * @typedef {object} CardLayout
 * @property {number} width the card, in CSS pixels
 * @property {number} height
 * @property {number} titleLines
 * @property {number} zoom CSS pixels a canvas pixel
 * @property {{width: number, height: number}} canvas in canvas pixels
 * @property {boolean} drawable whether a browser can hold that canvas
 * @property {Panels} panels
 */

/**
 * A card: the image at the left; then a row for each target, with its gradient, its morph and, at
 * the right, room for words.
 * @param {Sample} sample
 * @param {number} zoom
 * @returns {CardLayout}
 */
export function cardLayout(sample, zoom) {
  const { width, height } = panelSize(sample.shape, zoom);
  const asked = sample.strengths.length > 0;
  const gap = Math.ceil(PANEL_GAP / zoom);
  const gradientLeft = Math.max(width, Math.ceil(LEAST_COLUMN / zoom)) + gap;
  const morphLeft = gradientLeft + width + gap;
  const rowHeight = Math.max(height, asked ? Math.ceil(TEXT_HEIGHT / zoom) : 0);
  const pitch = rowHeight + Math.ceil((HEADING + ROW_GAP) / zoom);
  const targets = sample.targets.map((target, row) => ({
    target: target.index,
    gradient: rectangle(gradientLeft, row * pitch, width, height),
    morph: target.delta_norm === null ? null : rectangle(morphLeft, row * pitch, width, height),
  }));
  const morphs = targets.some(({ morph }) => morph);
  const canvas = {
    width: targets.length ? (morphs ? morphLeft : gradientLeft) + width : width,
    height: Math.max(targets.length - 1, 0) * pitch + height,
  };
  const panelsWidth = Math.max(canvas.width * zoom, LEAST_COLUMN);
  const rowsHeight = Math.max(targets.length - 1, 0) * pitch + rowHeight;
  const bodyWidth = panelsWidth + (asked ? TEXT_GAP + TEXT_WIDTH : 0);
  const bodyHeight = HEADING + Math.max(rowsHeight * zoom, height * zoom + META);
  const titleLines = titleLength(sample) * TITLE_LETTER > bodyWidth ? 2 : 1;
  return {
    width: Math.ceil(2 * CARD_PADDING + bodyWidth),
    height: Math.ceil(2 * CARD_PADDING + titleLines * LINE + TITLE_GAP + bodyHeight),
    titleLines,
    zoom,
    canvas,
    drawable:
      Math.max(canvas.width, canvas.height) <= LARGEST_CANVAS_SIDE &&
      canvas.width * canvas.height <= LARGEST_CANVAS,
    panels: { image: rectangle(0, 0, width, height), targets },
  };
}

/**
 * About the letters of a sample's title, without writing it.
 * @param {Sample} sample
 */
function titleLength({ classes, label, session }) {
  const truth = label === null ? "its label is not known" : `it is a ${className(session.class_names, label)}`;
  const named = classes.slice(0, 2).map((index) => className(session.class_names, index));
  return named.reduce((sum, name) => sum + name.length, "says  (0.00) or  (0.00); ".length + truth.length);
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @returns {import("./types.js").Rectangle}
 */
function rectangle(x, y, width, height) {
  return [x, y, width, height];
}

/**
 * @typedef {object} GridLayout
 * @property {CardLayout[]} cards one a sample
 * @property {number} columns
 * @property {number} columnWidth
 * @property {number} lead empty places before the first sample
 * @property {number[]} tops each row's, and at last the end of the grid
 */

/**
 * @param {Sample[]} samples
 * @param {number | null} zoom `null` for what is comfortable for each
 * @param {number} width of the grid, in CSS pixels
 * @returns {GridLayout}
 */
export function gridLayout(samples, zoom, width) {
  /** @type {Map<string, CardLayout>} */
  const known = new Map();
  const cards = samples.map((sample) => {
    const kind = alikeness(sample);
    const card = known.get(kind) ?? cardLayout(sample, zoom ?? comfortableZoom(sample));
    known.set(kind, card);
    return card;
  });
  const columnWidth = cards.reduce((most, card) => Math.max(most, card.width), 0);
  const columns = Math.max(1, Math.floor((width - GRID_GAP) / (columnWidth + GRID_GAP)));
  return withLead({ cards, columns, columnWidth, lead: 0, tops: [] }, 0);
}

/**
 * What a card's layout depends on.
 * @param {Sample} sample
 */
function alikeness(sample) {
  const { shape, targets, strengths } = sample;
  const which = targets.map(({ index, delta_norm }) => (delta_norm === null ? `${index}` : `${index}+`));
  return `${shape} ${which} ${strengths.length > 0} ${titleLength(sample)}`;
}

/**
 * The layout with empty places before its first sample, by which a sample that someone looks at
 * keeps its column when others come in before it.
 * @param {GridLayout} layout
 * @param {number} lead
 * @returns {GridLayout}
 */
export function withLead(layout, lead) {
  const { cards, columns } = layout;
  const tops = [GRID_GAP];
  for (let first = -lead; first < cards.length; first += columns) {
    const row = cards.slice(Math.max(first, 0), first + columns);
    const height = row.reduce((most, card) => Math.max(most, card.height), 0);
    tops.push(tops[tops.length - 1] + height + GRID_GAP);
  }
  return { ...layout, lead, tops };
}

/** @param {GridLayout} layout */
export function sizeOf({ columns, columnWidth, tops }) {
  return { width: GRID_GAP + columns * (columnWidth + GRID_GAP), height: tops[tops.length - 1] };
}

/**
 * A card is as high as its row and as wide as its column, so that cards line up.
 * @param {GridLayout} layout
 * @param {number} place the sample's
 */
export function boxOf({ columns, columnWidth, lead, tops }, place) {
  const row = Math.floor((place + lead) / columns);
  const column = (place + lead) % columns;
  return {
    left: GRID_GAP + column * (columnWidth + GRID_GAP),
    top: tops[row],
    width: columnWidth,
    height: tops[row + 1] - tops[row] - GRID_GAP,
  };
}

/**
 * The samples whose rows meet a stretch of the grid: from `first` up to, not including, `end`.
 * @param {GridLayout} layout
 * @param {number} top
 * @param {number} bottom
 */
export function samplesBetween({ cards, columns, lead, tops }, top, bottom) {
  const first = rowAt(tops, top);
  let end = first;
  while (end < tops.length - 1 && tops[end] < bottom) end++;
  return {
    first: Math.max(first * columns - lead, 0),
    end: Math.min(Math.max(end * columns - lead, 0), cards.length),
  };
}

/**
 * The first row that ends below a height.
 * @param {number[]} tops
 * @param {number} height
 */
function rowAt(tops, height) {
  let low = 0;
  let high = tops.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle + 1] <= height) low = middle + 1;
    else high = middle;
  }
  return low;
}
