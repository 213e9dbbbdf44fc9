/** The layout of the Follow view: one row for each history, one column for each step. Pure. */

import { equalRows } from "./places.js";

/** @import {Sample} from "../types.js" */

/** Sizes in CSS pixels. The view passes those that style/follow.css needs to it. */
export const HEAD_WIDTH = 216;
export const FRAME_WIDTH = 88;
export const ROW_HEIGHT = 144;
export const CHART_HEIGHT = 36;

/**
 * @param {number} histories how many there are
 * @param {number} steps how many the shared axis has
 */
export function placesOfStrips(histories, steps) {
  return equalRows(histories, ROW_HEIGHT, HEAD_WIDTH + steps * FRAME_WIDTH);
}

/**
 * The columns that overlap with a range, from `first` to `end`, without `end`.
 * @param {number} left
 * @param {number} width
 */
export function columnsWithin(left, width) {
  return {
    first: Math.max(Math.floor(left / FRAME_WIDTH), 0),
    // The row's head covers the left edge.
    end: Math.max(Math.ceil((left + width - HEAD_WIDTH) / FRAME_WIDTH), 0),
  };
}

/**
 * The line from the capture before to this one, within this frame. It begins left of the frame.
 * @param {number[]} columns the column of each capture on the shared axis
 * @param {(number | null)[]} values one for each capture; `null` or NaN leaves a gap
 * @param {number} position
 * @returns {[number, number][]} x in the frame, and value; empty if the value of this capture is unknown
 */
export function lineTo(columns, values, position) {
  const value = values[position];
  if (value === null || !Number.isFinite(value)) return [];
  /** @type {[number, number][]} */
  const line = [[FRAME_WIDTH / 2, value]];
  const before = position > 0 ? values[position - 1] : null;
  if (before !== null && Number.isFinite(before)) {
    line.unshift([FRAME_WIDTH / 2 - (columns[position] - columns[position - 1]) * FRAME_WIDTH, before]);
  }
  return line;
}

/**
 * Which target of a sample its frame shows: the chosen target, otherwise the label, otherwise the first target. If
 * frames show morphs, a target with a morph comes before a label without one.
 * @param {Sample} sample
 * @param {number | null} target the target that the user chose for all samples
 * @param {boolean} [isMorph] whether frames show morphs
 * @returns {number} a position among the targets; -1 if the sample has no targets
 */
export function targetOfFrame({ targets, label }, target, isMorph = false) {
  const find = (/** @type {number | null} */ wanted) => targets.findIndex(({ index }) => index === wanted);
  const withMorph = isMorph ? targets.findIndex(({ morphs }) => morphs.length) : -1;
  const ofLabel = find(label);
  const labelled = withMorph >= 0 && ofLabel >= 0 && !targets[ofLabel].morphs.length ? -1 : ofLabel;
  return [find(target), labelled, withMorph, targets.length ? 0 : -1].find((position) => position >= 0) ?? -1;
}
