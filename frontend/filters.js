/** Which samples are shown. Pure. */

/** @import {Sample} from "./types.js" */

/** @typedef {"all" | "confused" | "probes"} Show */

/**
 * @typedef {object} Filters
 * @property {Show} show
 */

/** @type {Filters} */
export const NO_FILTERS = { show: "all" };

/**
 * @param {Filters} filters
 * @returns {(sample: Sample) => boolean}
 */
export function matcher({ show }) {
  return ({ probe }) => show === "all" || probe === (show === "probes");
}
