/** The orders in which samples can be shown. Pure. */

/** @import {Sample} from "./types.js" */

/** @typedef {"newest" | "oldest" | "margin"} Sort */

/** @type {Record<Sort, (one: Sample, other: Sample) => number>} */
export const ORDERS = {
  newest: (one, other) => other.step - one.step || other.wall_time - one.wall_time,
  oldest: (one, other) => one.step - other.step || one.wall_time - other.wall_time,
  margin: (one, other) => comparableMargin(one) - comparableMargin(other) || other.step - one.step,
};

/** @param {Sample} sample */
function comparableMargin({ margin }) {
  return Number.isNaN(margin) ? Number.MAX_VALUE : margin;
}
