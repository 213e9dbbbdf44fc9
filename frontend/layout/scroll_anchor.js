/** Whether a view keeps its scroll position at the samples that the user sees, when other samples are shown. Pure. */

/**
 * - "always": keep the position at the first visible sample, or at the next one after it that is still shown.
 * - "visible": keep it only if one of the visible samples is still shown. Otherwise scroll to the top.
 * - "never": scroll to the top.
 *
 * @typedef {"always" | "visible" | "never"} AnchorMode
 */

/** @type {readonly AnchorMode[]} */
const ANCHOR_MODES = ["always", "visible", "never"];

/**
 * The mode for two changes that are shown at the same time: the stricter one of both.
 * @param {AnchorMode} one
 * @param {AnchorMode} other
 * @returns {AnchorMode}
 */
export function stricterMode(one, other) {
  return ANCHOR_MODES[Math.max(ANCHOR_MODES.indexOf(one), ANCHOR_MODES.indexOf(other))];
}
