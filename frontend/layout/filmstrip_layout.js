/** The layout of the Follow view: one row for each history, one column for each capture. Pure. */

/** @import {History} from "../samples/history.js" */
/** @import {Sample} from "../types.js" */

/** Sizes in CSS pixels. The view passes those that style/follow.css needs to it. */
export const HEAD = 168;
export const PITCH = 108;
export const ROW = 236;
export const CHART = 44;

/**
 * @param {Pick<History, "count">[]} histories
 */
export function sizeOfStrips(histories) {
  const longest = histories.reduce((most, { count }) => Math.max(most, count), 0);
  return { width: HEAD + longest * PITCH, height: histories.length * ROW };
}

/**
 * The rows and columns that overlap with a rectangle, each as [first, end), without the end.
 * @param {{left: number, top: number, width: number, height: number}} box
 */
export function framesWithin({ left, top, width, height }) {
  return {
    rows: [Math.max(Math.floor(top / ROW), 0), Math.ceil((top + height) / ROW)],
    // The row's head covers the left edge.
    columns: [Math.max(Math.floor(left / PITCH), 0), Math.max(Math.ceil((left + width - HEAD) / PITCH), 0)],
  };
}

/**
 * The line of the margin within one frame. It runs from the middle to the frame before, up to the middle to the frame
 * after. So the lines of all frames join.
 * @param {Sample[]} samples
 * @param {number} place
 * @returns {[number, number][]} x in the frame, and margin; empty if the margin is not finite
 */
export function lineThrough(samples, place) {
  const at = (/** @type {number} */ other) => samples[other]?.margin ?? NaN;
  const margin = at(place);
  if (!Number.isFinite(margin)) return [];
  /** @type {[number, number][]} */
  const line = [[PITCH / 2, margin]];
  if (Number.isFinite(at(place - 1))) line.unshift([0, (at(place - 1) + margin) / 2]);
  if (Number.isFinite(at(place + 1))) line.push([PITCH, (at(place + 1) + margin) / 2]);
  return line;
}

/**
 * Which target of a sample its frame shows: the chosen target, otherwise the label, otherwise the first target.
 * @param {Sample} sample
 * @param {number | null} target the target that the user chose for all samples
 * @returns {number} a position among the targets; -1 if the sample has no targets
 */
export function targetOfFrame({ targets, label }, target) {
  const find = (/** @type {number | null} */ wanted) => targets.findIndex(({ index }) => index === wanted);
  return [find(target), find(label), targets.length ? 0 : -1].find((place) => place >= 0) ?? -1;
}
