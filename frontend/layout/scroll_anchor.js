/** Whether what the user looks at stays where it is, when what is shown changes. Pure. */

/**
 * "always", as far as anything of it or after it is left; only if something of it is still "visible",
 * and otherwise from the top; or "never".
 * @typedef {"always" | "visible" | "never"} Stay
 */

/** @type {readonly Stay[]} */
const STAYS = ["always", "visible", "never"];

/**
 * What holds for two changes that are shown at once.
 * @param {Stay} one
 * @param {Stay} other
 * @returns {Stay}
 */
export function bothStay(one, other) {
  return STAYS[Math.max(STAYS.indexOf(one), STAYS.indexOf(other))];
}
