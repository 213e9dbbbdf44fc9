/** Which of a sample's targets are shown: of many, at first the most probable. Pure. */

/** @import {Sample} from "../types.js" */

/**
 * What was chosen on one card: a target's class alone, or more targets than at first.
 * @typedef {number | "more"} CardChoice
 */

/** Of more targets than these, a card at first shows only these. */
const ROWS = 3;
const CHIPS = 6;
/** A card is never higher than these make it. */
const MOST_ROWS = 10;

/**
 * The targets that have a row in the card, by their places in the sample.
 * @param {Sample} sample
 * @param {number | null} target the class that all samples are asked to become
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
 * The targets that have a chip, by their places in the sample, and how many have none.
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
 * As recorded; but of so many that not all are shown, the most probable come first.
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
 * Whether a sample was asked to become a class; any sample, if that is `null`.
 * @param {number | null} target
 * @returns {(sample: Sample) => boolean}
 */
export function asksFor(target) {
  return target === null ? () => true : ({ targets }) => targets.some(({ index }) => index === target);
}

/**
 * How many samples were asked to become each class, by class.
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
