/** Whether a view keeps its scroll position at the samples that the user sees, when other samples are shown. Pure. */

/**
 * - "always": keep the position at the first visible sample, or at the next one after it that is still shown.
 * - "visible": keep it only if one of the visible samples is still shown. Otherwise scroll to the top.
 * - "never": scroll to the top.
 *
 * @typedef {"always" | "visible" | "never"} Stay
 */

/** @type {readonly Stay[]} */
const STAYS = ["always", "visible", "never"];

/**
 * The mode for two changes that are shown at the same time: the stricter one of both.
 * @param {Stay} one
 * @param {Stay} other
 * @returns {Stay}
 */
export function bothStay(one, other) {
  return STAYS[Math.max(STAYS.indexOf(one), STAYS.indexOf(other))];
}
