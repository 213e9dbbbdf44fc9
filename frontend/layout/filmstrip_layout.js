/** Where the frames of filmstrips stand: a row a history, a column a capture. Pure. */

/** @import {History} from "../samples/history.js" */
/** @import {Sample} from "../types.js" */

/** In CSS pixels; what style/follow.css needs too is handed to it by the view. */
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
 * The rows and columns that meet a rectangle: from the first up to, not including, the end.
 * @param {{left: number, top: number, width: number, height: number}} box
 */
export function framesWithin({ left, top, width, height }) {
  return {
    rows: [Math.max(Math.floor(top / ROW), 0), Math.ceil((top + height) / ROW)],
    // What stands at the left is covered by the row's head.
    columns: [Math.max(Math.floor(left / PITCH), 0), Math.max(Math.ceil((left + width - HEAD) / PITCH), 0)],
  };
}

/**
 * The margin's line within one frame, from the middle between it and the one before to the middle
 * between it and the one after, so that the frames' lines make one.
 * @param {Sample[]} samples
 * @param {number} place
 * @returns {[number, number][]} places in the frame and margins; none where the margin is no number
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
 * Of a sample's targets the one that its frame shows: the one that all are asked to become, or its
 * label, or the first; -1 where it has none.
 * @param {Sample} sample
 * @param {number | null} target
 */
export function targetOfFrame({ targets, label }, target) {
  const find = (/** @type {number | null} */ wanted) => targets.findIndex(({ index }) => index === wanted);
  return [find(target), find(label), targets.length ? 0 : -1].find((place) => place >= 0) ?? -1;
}
