/** The sample that the help explains everything with. Pure. */

import { flipOf } from "./verdict.js";

/** @import {Sample} from "../types.js" */

/** Of how many samples the best is taken. */
const MOST_SEEN = 100;

/**
 * The first of the samples that a morph makes the network say something else of, and the place of
 * that morph's target; if there is none, the first that has a target at all.
 * @param {Sample[]} samples
 * @returns {{sample: Sample, place: number} | null}
 */
export function exampleOf(samples) {
  const seen = samples.slice(0, MOST_SEEN);
  for (const sample of seen) {
    const place = sample.targets.findIndex((target) => (flipOf(target, sample.strengths) ?? 0) > 0);
    if (place >= 0) return { sample, place };
  }
  const any = seen.find(({ targets }) => targets.length);
  return any ? { sample: any, place: 0 } : null;
}

/**
 * Some of a sample's strengths, spread evenly over them; the first and the last are among them.
 * @param {number[]} strengths
 * @param {number} most at least 2
 * @returns {number[]}
 */
export function someOf(strengths, most) {
  if (strengths.length <= most) return strengths;
  return Array.from({ length: most }, (_, at) => strengths[Math.round((at * (strengths.length - 1)) / (most - 1))]);
}
