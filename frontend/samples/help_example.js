/** Chooses the sample that illustrates the help. Pure. */

import { shownMorph } from "./morphs.js";
import { flipOf } from "./verdict.js";

/** @import {Sample, Target} from "../types.js" */

/** At most so many samples are considered. */
const MOST_SEEN = 100;

/**
 * The first sample whose prediction flips along the morph to a target. If no sample flips, the first one that has
 * a target.
 * @param {Sample[]} samples
 * @param {string} kind the kind of morph that is shown
 * @returns {{sample: Sample, position: number} | null} the sample, and the position of the target in it
 */
export function exampleOf(samples, kind) {
  const seen = samples.slice(0, MOST_SEEN);
  for (const sample of seen) {
    const flips = (/** @type {Target} */ target) => {
      const morph = shownMorph(target, kind);
      return morph !== null && (flipOf(morph, sample.strengths) ?? 0) > 0;
    };
    const position = sample.targets.findIndex(flips);
    if (position >= 0) return { sample, position };
  }
  const any = seen.find(({ targets }) => targets.length);
  return any ? { sample: any, position: 0 } : null;
}

/**
 * An evenly spaced selection that contains the first and the last strength.
 * @param {number[]} strengths
 * @param {number} most at least 2
 * @returns {number[]}
 */
export function evenlySpaced(strengths, most) {
  if (strengths.length <= most) return strengths;
  return Array.from({ length: most }, (_, at) => strengths[Math.round((at * (strengths.length - 1)) / (most - 1))]);
}
