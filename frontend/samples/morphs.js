/** Which morph of a target is meant: the smallest one for numbers, the chosen one for pictures. Pure. */

import { flipOf } from "./verdict.js";

/** @import {Morph, Sample, Session, Target} from "../types.js" */

export const SMALLEST = "smallest";
export const VISIBLE = "visible";

/**
 * The morph that filters, orders and the columns of the flip mean: the one named "smallest", otherwise the first.
 * @param {Target} target
 * @returns {Morph | null} `null` if no ascent was made
 */
export function smallest({ morphs }) {
  return morphs[positionOf(morphs, SMALLEST)] ?? null;
}

/**
 * The position of the morph that is shown: the one of the chosen kind, otherwise the smallest.
 * @param {Target} target
 * @param {string} kind
 * @returns {number} -1 if no ascent was made
 */
export function shownPosition({ morphs }, kind) {
  const position = morphs.findIndex(({ name }) => name === kind);
  return position < 0 ? positionOf(morphs, SMALLEST) : position;
}

/**
 * @param {Target} target
 * @param {string} kind
 * @returns {Morph | null} `null` if no ascent was made
 */
export function shownMorph(target, kind) {
  return target.morphs[shownPosition(target, kind)] ?? null;
}

/**
 * The position of a kind, otherwise 0; -1 if there are no morphs.
 * @param {Morph[]} morphs
 * @param {string} kind
 */
function positionOf(morphs, kind) {
  // Most targets have one morph. Then its name is not read.
  if (morphs.length < 2) return morphs.length - 1;
  return Math.max(
    morphs.findIndex(({ name }) => name === kind),
    0,
  );
}

/**
 * The names of all ascents, in the order of their appearance. Each names a kind of morph.
 * @param {Sample[]} samples
 */
export function kindsOf(samples) {
  /** @type {Set<string>} */
  const kinds = new Set();
  /** @type {Session | null} */
  let last = null;
  for (const sample of samples) {
    const { session } = sample;
    if (session !== last) for (const name of session.ascents) kinds.add(name);
    last = session;
    // A session of an older version does not list its ascents. To read the targets of all samples takes long.
    if (session.ascents.length) continue;
    for (const { morphs } of sample.targets) for (const { name } of morphs) kinds.add(name);
  }
  return [...kinds];
}

/**
 * The kind that is shown if the user did not choose one.
 * @param {string[]} kinds
 */
export function defaultKind(kinds) {
  return [VISIBLE, SMALLEST].find((kind) => kinds.includes(kind)) ?? kinds[0] ?? SMALLEST;
}

/**
 * The strength at which a morph is shown if each is shown at its flip: a morph that never flips is shown at 1.
 * @param {Morph | null} morph
 * @param {number[]} strengths
 */
export function strengthAtFlip(morph, strengths) {
  const flip = morph && flipOf(morph, strengths);
  return flip ?? Math.min(1, strengths[strengths.length - 1] ?? 1);
}

/**
 * Whether the network predicts a target without any change. Then the hook makes no morph.
 * @param {Sample} sample
 * @param {Target} target
 */
export function isPredicted({ classes }, { index }) {
  return classes[0] === index;
}
