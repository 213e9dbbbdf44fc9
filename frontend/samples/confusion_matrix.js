/** The confusion matrix of the captured samples. Each cell is also a filter. Pure. */

import { BITS } from "./filters.js";
import { latestCaptures } from "./subjects.js";

/** @import {Filters} from "./filters.js" */
/** @import {Sample} from "../types.js" */

/**
 * The rows and the columns: "labels" are the label and the prediction, "guesses" the most probable and the
 * second most probable class.
 * @typedef {"labels" | "guesses"} Axes
 */

/**
 * @typedef {object} ConfusionMatrix
 * @property {Axes} axes
 * @property {number[]} classes the class of each row, and of each column, ascending
 * @property {number} allClasses how many classes there are, also those without a row
 * @property {Uint32Array} counts row by row
 * @property {number} largest the largest count outside the diagonal
 */

/** The filters that a cell sets. The matrix ignores them, so that the other cells stay visible. */
const OWN_FILTERS = {
  labels: BITS.label | BITS.prediction,
  guesses: BITS.pair | BITS.prediction,
};

/** The filters that go through the training. */
const STEP_FILTERS = BITS.steps | BITS.captures;

/** The sidebar has space for this many class names. */
export const MOST_CLASSES = 16;

/**
 * @param {Sample[]} samples
 * @param {Uint16Array} failedFilters see `failedFiltersOf`
 * @param {Axes} axes
 * @param {number} [most] at most so many classes: those with the most samples outside the diagonal
 * @returns {ConfusionMatrix}
 */
export function confusionMatrix(samples, failedFilters, axes, most = MOST_CLASSES) {
  // The classes do not depend on the steps, so that the matrix keeps them while the user goes through the steps.
  const ranked = countCells(samples, failedFilters, axes, STEP_FILTERS);
  const cells = countCells(samples, failedFilters, axes);
  /** @type {Map<number, number>} */
  const mixedUp = new Map();
  for (const { row, column, count } of ranked) {
    for (const index of [row, column]) {
      mixedUp.set(index, (mixedUp.get(index) ?? 0) + (row === column ? 0 : count));
    }
  }
  const classes = [...mixedUp]
    .sort(([one, first], [other, second]) => second - first || one - other)
    .slice(0, most)
    .map(([index]) => index)
    .sort((one, other) => one - other);
  const positions = new Map(classes.map((index, position) => [index, position]));
  const counts = new Uint32Array(classes.length ** 2);
  let largest = 0;
  for (const cell of cells) {
    const [row, column] = [positions.get(cell.row), positions.get(cell.column)];
    if (row === undefined || column === undefined) continue;
    counts[row * classes.length + column] = cell.count;
    if (row !== column) largest = Math.max(largest, cell.count);
  }
  return { axes, classes, allClasses: mixedUp.size, counts, largest };
}

/**
 * Counts each sample once: of the captures of one id in a run, only the latest that passes.
 * @param {Sample[]} samples
 * @param {Uint16Array} failedFilters
 * @param {Axes} axes
 * @param {number} [ignored] the bits of more filters that do not count
 * @returns {{row: number, column: number, count: number}[]} the cells with at least one sample
 */
function countCells(samples, failedFilters, axes, ignored = 0) {
  const others = ~(OWN_FILTERS[axes] | ignored);
  /** @type {Map<number, Map<number, number>>} by row, then by column; a label can be any whole number */
  const rows = new Map();
  const counted = latestCaptures(samples, (position) => !(failedFilters[position] & others));
  for (let position = 0; position < samples.length; position++) {
    if (!counted[position]) continue;
    const { label, classes } = samples[position];
    const row = axes === "labels" ? label : classes[0];
    const column = axes === "labels" ? classes[0] : classes[1];
    if (row === null || row === undefined || column === undefined) continue;
    let columns = rows.get(row);
    if (!columns) rows.set(row, (columns = new Map()));
    columns.set(column, (columns.get(column) ?? 0) + 1);
  }
  return [...rows].flatMap(([row, columns]) => Array.from(columns, ([column, count]) => ({ row, column, count })));
}

/**
 * The filters that select the samples of one cell.
 * @param {Axes} axes
 * @param {number} row
 * @param {number} column
 * @returns {Partial<Filters>}
 */
export function cellFilters(axes, row, column) {
  return axes === "labels" ? { label: row, prediction: column } : { prediction: row, pair: [row, column] };
}

/**
 * @param {Axes} axes
 * @returns {Partial<Filters>} the same filters, switched off
 */
export function noCellFilters(axes) {
  return axes === "labels" ? { label: null, prediction: null } : { prediction: null, pair: null };
}

/**
 * The cell that the filters select; `null` if they do not select exactly one cell.
 * @param {Axes} axes
 * @param {Filters} filters
 * @returns {{row: number, column: number} | null}
 */
export function chosenCell(axes, { label, prediction, pair }) {
  if (prediction === null) return null;
  if (axes === "labels") return label === null ? null : { row: label, column: prediction };
  if (!pair?.includes(prediction)) return null;
  return { row: prediction, column: pair[0] === prediction ? pair[1] : pair[0] };
}
