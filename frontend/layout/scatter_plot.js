/** A scatter of flip distances over steps: steps are linear, distances logarithmic, and "never" has a line above. Pure. */

/** @import {StepRange} from "../samples/step_ranges.js" */

export const PLOT = { height: 148, left: 44, right: 12, top: 22, bottom: 20 };
/** The distance of the line "never" from the upper edge. */
const NEVER = 9;
const TICKS = [1, 2, 5];
const MOST_TICKS = 5;

/**
 * @typedef {object} Scatter
 * @property {(step: number) => number} x in CSS pixels
 * @property {(distance: number) => number} y
 * @property {number[]} ticks distances with a line
 */

/**
 * @param {number[]} distances
 * @param {StepRange} span
 * @param {number} width in CSS pixels
 * @returns {Scatter}
 */
export function scatterPlot(distances, span, width) {
  const positive = distances.filter((distance) => distance > 0 && distance < Infinity);
  const least = positive.reduce((one, other) => Math.min(one, other), Infinity);
  const most = positive.reduce((one, other) => Math.max(one, other), 0);
  const [low, high] = positive.length ? [Math.log10(least) - 0.1, Math.log10(most) + 0.1] : [-1, 1];
  const inner = Math.max(width - PLOT.left - PLOT.right, 1);
  const tall = PLOT.height - PLOT.top - PLOT.bottom;
  return {
    x: (step) => PLOT.left + (span.to > span.from ? (inner * (step - span.from)) / (span.to - span.from) : 0),
    y: (distance) => {
      if (distance === Infinity) return NEVER;
      const share = distance > 0 ? (Math.log10(distance) - low) / (high - low) : 0;
      return PLOT.top + tall * (1 - Math.min(Math.max(share, 0), 1));
    },
    ticks: ticksBetween(10 ** low, 10 ** high),
  };
}

/**
 * @param {number} low
 * @param {number} high
 */
function ticksBetween(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const digit of TICKS) {
      const tick = Number(`${digit}e${power}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  const every = Math.ceil(ticks.length / MOST_TICKS);
  return ticks.filter((_, at) => at % every === 0);
}
