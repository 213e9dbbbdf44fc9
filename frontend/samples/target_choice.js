/** Which targets of a sample its card shows. If there are many, the most probable ones come first. Pure. */

import { isPredicted } from "./morphs.js";

/** @import {Sample} from "../types.js" */

/**
 * The user's choice on one card: one target only (its class), or more targets than usual.
 * @typedef {number | "more"} TargetChoice
 */

/**
 * What all cards show: one class, the targets that change the answer, or all targets.
 * @typedef {number | "changing" | "all"} ShownTargets
 */

/** How many targets have a row, and how many have a chip, before the user asks for more. */
const ROWS = 3;
const CHIPS = 6;
/** A card never shows more rows. */
const MOST_ROWS = 10;

/**
 * The targets that have a row in the card, as positions in the sample.
 * @param {Sample} sample
 * @param {ShownTargets} shown
 * @param {TargetChoice} [choice]
 * @returns {number[]}
 */
export function rowsOf(sample, shown, choice) {
  const wanted = typeof choice === "number" ? choice : choice === undefined ? shown : null;
  const alone = typeof wanted === "number" ? sample.targets.findIndex(({ index }) => index === wanted) : -1;
  if (alone >= 0) return [alone];
  const all = inOrder(sample);
  const changing = all.filter((position) => !isPredicted(sample, sample.targets[position]));
  const positions = shown === "changing" && choice !== "more" && changing.length ? changing : all;
  return positions.slice(0, choice === "more" ? MOST_ROWS : positions.length > ROWS ? ROWS : positions.length);
}

/**
 * The targets that have a chip, as positions in the sample, and the number of the others.
 * @param {Sample} sample
 * @param {TargetChoice} [choice]
 */
export function chipsOf(sample, choice) {
  const positions = inOrder(sample);
  if (positions.length < 2) return { positions: [], others: 0 };
  if (choice === "more" || positions.length <= CHIPS) return { positions, others: 0 };
  const first = positions.slice(0, CHIPS - 1);
  const alone = positions.find((position) => sample.targets[position].index === choice);
  const shown = alone === undefined || first.includes(alone) ? first : [...first.slice(0, -1), alone];
  return { positions: shown, others: positions.length - shown.length };
}

/**
 * The positions of the targets: as recorded, or the most probable first if there are more than fit.
 * @param {Sample} sample
 */
function inOrder({ classes, targets }) {
  const positions = targets.map((_, position) => position);
  if (targets.length <= ROWS) return positions;
  const rank = new Map(classes.map((index, position) => [index, position]));
  const rankOf = (/** @type {number} */ position) => rank.get(targets[position].index) ?? Infinity;
  return positions.sort((one, other) => compare(rankOf(one), rankOf(other)) || one - other);
}

/**
 * @param {number} one
 * @param {number} other
 */
function compare(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

/**
 * Whether a sample has a class among its targets. For `null` every sample passes.
 * @param {number | null} target
 * @returns {(sample: Sample) => boolean}
 */
export function hasTarget(target) {
  return target === null ? () => true : ({ targets }) => targets.some(({ index }) => index === target);
}

/**
 * How many samples have each class as a target, sorted by class.
 * @param {Sample[]} samples
 * @returns {[number, number][]}
 */
export function targetCounts(samples) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const { targets } of samples) {
    for (const { index } of targets) counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  return [...counts].sort(([one], [other]) => one - other);
}
