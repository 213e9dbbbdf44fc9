/** Suspects: samples whose label may be wrong. Pure. */

import { isWrong } from "./captions.js";
import { isWithin } from "./step_ranges.js";

/** @import {StepRange} from "./step_ranges.js" */
/** @import {Sample} from "../types.js" */

/**
 * @typedef {object} Suspect
 * @property {Sample} sample the newest capture with the most frequent wrong answer
 * @property {number} times how many captures within the range have this answer
 * @property {number} runs how many runs gave it
 * @property {number} loss the largest loss of these captures; NaN if none has one
 * @property {boolean} heldOut whether the network is not trained on it
 */

/** The starts of ids, and the tags, of samples that the network is not trained on. */
const HELD_OUT = /^(val|valid|validation|test|dev|eval|held-?out)(?![a-z])/i;

/** @param {Sample} sample */
function isHeldOut({ id, tag }) {
  return HELD_OUT.test(tag) || (id !== null && HELD_OUT.test(id));
}

/**
 * The candidates for a wrong label. Validation samples come first, then samples with the same wrong answer at several
 * steps or in several runs. Among equals the largest loss comes first.
 * @param {Sample[]} samples
 * @param {StepRange} range
 * @returns {Suspect[]} one for each id and label
 */
export function suspectsIn(samples, range) {
  /** @type {Map<string, Map<number, Sample[]>>} by id and label, then by prediction */
  const answers = new Map();
  for (const sample of samples) {
    if (!isWrong(sample) || !isWithin(range, sample.step)) continue;
    const name = sample.id === null ? sample.key : `${sample.label} ${sample.id}`;
    const ofName = answers.get(name) ?? new Map();
    if (!ofName.size) answers.set(name, ofName);
    const same = ofName.get(sample.classes[0]);
    if (same) same.push(sample);
    else ofName.set(sample.classes[0], [sample]);
  }
  return [...answers.values()].map(suspectOf).sort(bySuspicion);
}

/**
 * @param {Map<number, Sample[]>} answers of one id and label
 * @returns {Suspect}
 */
function suspectOf(answers) {
  const [most] = [...answers.values()].sort((one, other) => other.length - one.length);
  const sample = most.reduce((newest, one) => (one.step >= newest.step ? one : newest));
  const losses = most.flatMap(({ loss }) => (loss === null || Number.isNaN(loss) ? [] : loss));
  return {
    sample,
    times: most.length,
    runs: new Set(most.map(({ run }) => run)).size,
    loss: losses.length ? losses.reduce((largest, loss) => Math.max(largest, loss)) : NaN,
    heldOut: isHeldOut(sample),
  };
}

/**
 * @param {Suspect} one
 * @param {Suspect} other
 */
function bySuspicion(one, other) {
  return (
    Number(other.heldOut) - Number(one.heldOut) ||
    Number(other.times > 1) - Number(one.times > 1) ||
    comparable(other.loss) - comparable(one.loss) ||
    other.times - one.times
  );
}

/** @param {number} loss */
function comparable(loss) {
  return Number.isNaN(loss) ? -1 : Math.min(loss, Number.MAX_VALUE);
}
