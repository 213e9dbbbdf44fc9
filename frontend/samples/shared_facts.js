/** What holds for all shown samples. It is said once, above them. Pure. */

import { OF_THE_CHANGE, formatCount, formatPart } from "./captions.js";

/** @import {Sample} from "../types.js" */

/**
 * @typedef {object} SharedFacts
 * @property {number | null} step the step of all samples; `null` if they differ
 * @property {boolean} unlabelled whether none has a label
 */

/**
 * @param {Sample[]} samples
 * @returns {SharedFacts}
 */
export function sharedFacts(samples) {
  if (!samples.length) return { step: null, unlabelled: false };
  const [{ step }] = samples;
  return {
    step: samples.every((sample) => sample.step === step) ? step : null,
    unlabelled: samples.every(({ label }) => label === null),
  };
}

/**
 * "visible morphs with 100 % of the change, all at step 780"
 * @param {SharedFacts} facts
 * @param {{morph: string, morphKinds: string[], strength: number, atFlip: boolean, largestStrength: number}} settings
 */
export function sharedCaption({ step, unlabelled }, { morph, morphKinds, strength, atFlip, largestStrength }) {
  const words = [];
  if (largestStrength) {
    const kind = morphKinds.length > 1 ? `${morph} morphs` : "morphs";
    words.push(atFlip ? `${kind}, each at its flip` : `${kind} with ${formatPart(strength)}${OF_THE_CHANGE}`);
  }
  if (step !== null) words.push(`all at step ${formatCount(step)}`);
  if (unlabelled) words.push("no sample has a label");
  return words.join(", ");
}
