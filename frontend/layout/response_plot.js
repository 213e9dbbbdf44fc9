/** The points of a response curve: the probabilities of classes along a morph. Pure. */

import { className } from "../samples/captions.js";

/** @import {MeasureText, Morph, Sample, Target} from "../types.js" */

/** Free space at the edges for the dot of the flip and for half of a line's width. */
export const INSET = 4;
/** Around a label. */
export const LABEL_EDGE = 4;
/** Labels take at most this share of a narrow curve. A wide curve keeps more room for its lines. */
const LARGEST_SHARE = 0.55;
const COMFORTABLE_LABEL = 100;
const COMFORTABLE_SHARE = 0.4;
const LABEL_HEIGHT = 12;

/**
 * The size and the scale of a response curve.
 * @typedef {object} Plot
 * @property {number} width in CSS pixels, with the labels
 * @property {number} height
 * @property {number} labelWidth
 * @property {number} largestStrength the strength at the right end
 */

/**
 * The width of the labels, the same for all curves of a session, so that the curves can be compared.
 * @param {Sample} sample
 * @param {number} width of the curve with its labels, in CSS pixels
 * @param {MeasureText} measure
 * @returns {number} in CSS pixels
 */
export function labelWidth({ session, classes, targets }, width, measure) {
  const indices = [classes[0] ?? 0, ...targets.map(({ index }) => index)];
  const names = session.class_names ?? indices.map((index) => className(null, index));
  let longest = widths.get(names);
  if (longest === undefined) {
    longest = names.reduce((most, name) => Math.max(most, measure(name, "small")), 0);
    widths.set(names, longest);
  }
  const most = Math.min(LARGEST_SHARE * width, Math.max(COMFORTABLE_LABEL, COMFORTABLE_SHARE * width));
  return Math.min(Math.ceil(longest) + LABEL_EDGE, Math.floor(most));
}

/** @type {WeakMap<string[], number>} */
const widths = new WeakMap();

/**
 * The x of a strength.
 * @param {Plot} plot
 * @param {number} strength
 */
export function xOf({ width, labelWidth, largestStrength }, strength) {
  return INSET + (strength / (largestStrength || 1)) * (width - labelWidth - 2 * INSET);
}

/**
 * The strength at an x, rounded to a multiple of `step`.
 * @param {Plot} plot
 * @param {number} x
 * @param {number} step
 */
export function strengthAt({ width, labelWidth, largestStrength }, x, step) {
  const share = (x - INSET) / (width - labelWidth - 2 * INSET);
  const strength = Math.round((share * largestStrength) / step) * step;
  return Math.min(Math.max(Number(strength.toFixed(6)), 0), largestStrength);
}

/**
 * The y of a probability. A number outside 0 to 1 is drawn at the edge.
 * @param {Plot} plot
 * @param {number} probability
 */
export function yOf({ height }, probability) {
  return INSET + (1 - Math.min(Math.max(probability, 0), 1)) * (height - 2 * INSET);
}

/**
 * @param {Plot} plot
 * @param {number[]} strengths
 * @param {number[]} probabilities
 * @returns {[number, number][]} the points with a finite probability
 */
function pointsOf(plot, strengths, probabilities) {
  /** @type {[number, number][]} */
  const points = [];
  strengths.forEach((strength, position) => {
    const probability = probabilities[position];
    if (Number.isFinite(probability)) points.push([xOf(plot, strength), yOf(plot, probability)]);
  });
  return points;
}

/**
 * The lines of a response: one for the target and, if the network predicts another class for the original, one for
 * that class.
 * @param {Sample} sample
 * @param {Target} target
 * @param {Morph} morph of the target
 * @param {Plot} plot
 */
export function linesOf({ classes, session, strengths }, target, morph, plot) {
  const names = session.class_names;
  const lines = [
    { kind: "target", name: className(names, target.index), points: pointsOf(plot, strengths, morph.probabilities) },
  ];
  if (classes.length && classes[0] !== target.index) {
    const points = pointsOf(plot, strengths, morph.original_probabilities);
    lines.push({ kind: "original", name: className(names, classes[0]), points });
  }
  const drawn = lines.filter(({ points }) => points.length);
  const labels = labelHeights(
    drawn.map(({ points }) => points[points.length - 1][1]),
    plot.height,
  );
  return drawn.map((line, position) => ({ ...line, label: labels[position] }));
}

/**
 * The y of the middle of one or two labels, so that they do not overlap and stay in the plot.
 * @param {number[]} ends the y at the end of each line
 * @param {number} height
 */
export function labelHeights(ends, height) {
  const inside = (/** @type {number} */ y) => Math.min(Math.max(y, LABEL_HEIGHT / 2), height - LABEL_HEIGHT / 2);
  if (ends.length < 2 || Math.abs(ends[0] - ends[1]) >= LABEL_HEIGHT) return ends.map(inside);
  const middle = Math.min(Math.max((ends[0] + ends[1]) / 2, LABEL_HEIGHT), height - LABEL_HEIGHT);
  const upper = middle - LABEL_HEIGHT / 2;
  const lower = middle + LABEL_HEIGHT / 2;
  return ends[0] <= ends[1] ? [upper, lower] : [lower, upper];
}
