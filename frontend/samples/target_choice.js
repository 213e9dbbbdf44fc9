/** Which targets of a sample its card shows. If there are many, the most probable ones come first. Pure. */

/** @import {Sample} from "../types.js" */

/**
 * The user's choice on one card: one target only (its class), or more targets than usual.
 * @typedef {number | "more"} CardChoice
 */

/** How many targets have a row, and how many have a chip, before the user asks for more. */
const ROWS = 3;
const CHIPS = 6;
/** A card never shows more rows. */
const MOST_ROWS = 10;

/**
 * The targets that have a row in the card, as positions in the sample.
 * @param {Sample} sample
 * @param {number | null} target the one target that all cards show; `null`: all targets
 * @param {CardChoice} [choice]
 * @returns {number[]}
 */
export function rowsOf(sample, target, choice) {
  const wanted = typeof choice === "number" ? choice : choice === undefined ? target : null;
  const alone = wanted === null ? -1 : sample.targets.findIndex(({ index }) => index === wanted);
  if (alone >= 0) return [alone];
  const places = inOrder(sample);
  return places.slice(0, choice === "more" ? MOST_ROWS : places.length > ROWS ? ROWS : places.length);
}

/**
 * The targets that have a chip, as positions in the sample, and the number of the others.
 * @param {Sample} sample
 * @param {CardChoice} [choice]
 */
export function chipsOf(sample, choice) {
  const places = inOrder(sample);
  if (places.length < 2) return { places: [], others: 0 };
  if (choice === "more" || places.length <= CHIPS) return { places, others: 0 };
  const first = places.slice(0, CHIPS - 1);
  const alone = places.find((place) => sample.targets[place].index === choice);
  const shown = alone === undefined || first.includes(alone) ? first : [...first.slice(0, -1), alone];
  return { places: shown, others: places.length - shown.length };
}

/**
 * The positions of the targets: as recorded, or the most probable first if there are more than fit.
 * @param {Sample} sample
 */
function inOrder({ classes, targets }) {
  const places = targets.map((_, place) => place);
  if (targets.length <= ROWS) return places;
  const rank = new Map(classes.map((index, place) => [index, place]));
  const rankOf = (/** @type {number} */ place) => rank.get(targets[place].index) ?? Infinity;
  return places.sort((one, other) => compare(rankOf(one), rankOf(other)) || one - other);
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
export function asksFor(target) {
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
