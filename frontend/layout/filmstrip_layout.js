/** The layout of the Follow view: one row for each history, one column for each capture. Pure. */

/** @import {History} from "../samples/history.js" */
/** @import {Sample} from "../types.js" */

/** Sizes in CSS pixels. The view passes those that style/follow.css needs to it. */
export const HEAD_WIDTH = 168;
export const FRAME_WIDTH = 108;
export const ROW_HEIGHT = 236;
export const CHART_HEIGHT = 44;

/**
 * @param {Pick<History, "count">[]} histories
 */
export function sizeOfStrips(histories) {
  const longest = histories.reduce((most, { count }) => Math.max(most, count), 0);
  return { width: HEAD_WIDTH + longest * FRAME_WIDTH, height: histories.length * ROW_HEIGHT };
}

/**
 * The rows and columns that overlap with a rectangle, each as [first, end), without the end.
 * @param {{left: number, top: number, width: number, height: number}} box
 */
export function framesWithin({ left, top, width, height }) {
  const firstColumn = Math.max(Math.floor(left / FRAME_WIDTH), 0);
  return {
    rows: [Math.max(Math.floor(top / ROW_HEIGHT), 0), Math.ceil((top + height) / ROW_HEIGHT)],
    // The row's head covers the left edge.
    columns: [firstColumn, Math.max(Math.ceil((left + width - HEAD_WIDTH) / FRAME_WIDTH), 0)],
  };
}

/**
 * The line of the margin within one frame. It runs from the middle to the frame before, up to the middle to the frame
 * after. So the lines of all frames join.
 * @param {Sample[]} samples
 * @param {number} position
 * @returns {[number, number][]} x in the frame, and margin; empty if the margin is not finite
 */
export function marginLine(samples, position) {
  const at = (/** @type {number} */ other) => samples[other]?.margin ?? NaN;
  const margin = at(position);
  if (!Number.isFinite(margin)) return [];
  /** @type {[number, number][]} */
  const line = [[FRAME_WIDTH / 2, margin]];
  if (Number.isFinite(at(position - 1))) line.unshift([0, (at(position - 1) + margin) / 2]);
  if (Number.isFinite(at(position + 1))) line.push([FRAME_WIDTH, (at(position + 1) + margin) / 2]);
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
