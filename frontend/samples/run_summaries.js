/** What a run shows at a glance: its newest capture, its probes, its cost and its notices. Pure. */

import { isWrong } from "./captions.js";
import { distanceToChange, medianOf } from "./flip_distances.js";
import { runNotices } from "./session_status.js";
import { binOf, isWithin } from "./step_ranges.js";

/** @import {StepRange} from "./step_ranges.js" */
/** @import {RunNotice} from "./session_status.js" */
/** @import {RunIndex, Sample, Status} from "../types.js" */

/**
 * @typedef {object} RunSummary
 * @property {string} run
 * @property {Sample | null} newest a sample of the newest capture; `null` without captures
 * @property {number} captured how many samples that are not probes were captured within the range
 * @property {number} judged how many of them have a label
 * @property {number} wrong how many of them are wrong
 * @property {Sample[]} probes each probe at its newest step within the range
 * @property {number} right how many of the probes with a label are right
 * @property {number} labelled how many probes have a label
 * @property {number | null} distance the median flip distance of the probes
 * @property {(number | null)[]} trend the median flip distance of the probes in each bin of the training
 * @property {Status | null} status of the newest session
 * @property {RunNotice[]} notices
 */

/**
 * @param {RunIndex} index
 * @param {StepRange} range
 * @param {StepRange} span the first and the last step of all runs
 * @param {number} bins
 * @returns {RunSummary}
 */
export function summarizeRun(index, range, span, bins) {
  const { run, samples, sessions } = index;
  /** @type {Sample | null} */
  let newest = null;
  /** @type {Map<string, Sample>} */
  const latest = new Map();
  /** @type {number[][]} */
  const distances = Array.from({ length: bins }, () => []);
  let captured = 0;
  let judged = 0;
  let wrong = 0;
  for (const sample of samples) {
    if (!newest || sample.step >= newest.step) newest = sample;
    const isInRange = isWithin(range, sample.step);
    if (!sample.probe) {
      if (!isInRange) continue;
      captured++;
      if (sample.label !== null) judged++;
      if (isWrong(sample)) wrong++;
      continue;
    }
    const distance = distanceToChange(sample);
    if (distance !== null) distances[binOf(span, bins, sample.step)].push(distance);
    if (!isInRange) continue;
    const name = probeName(sample);
    const known = latest.get(name);
    if (!known || sample.step >= known.step) latest.set(name, sample);
  }
  const probes = [...latest.values()];
  const labelled = probes.filter(({ label }) => label !== null);
  return {
    run,
    newest,
    captured,
    judged,
    wrong,
    probes,
    right: labelled.filter((sample) => !isWrong(sample)).length,
    labelled: labelled.length,
    distance: medianOf(probes.flatMap((sample) => distanceToChange(sample) ?? [])),
    trend: distances.map(medianOf),
    status: sessions.at(-1)?.status ?? null,
    notices: runNotices(index),
  };
}

/** @param {Sample} sample a probe; one without an id is known by its position in the capture */
function probeName({ id, index }) {
  return id === null ? `#${index}` : `=${id}`;
}

/**
 * Two runs on the probes that both have within the range.
 * @typedef {object} ProbeComparison
 * @property {RunSummary} harder the run whose probes are harder to flip
 * @property {RunSummary} easier
 * @property {number} shared how many probes both have
 * @property {number} harderDistance the median flip distance of the shared probes
 * @property {number} easierDistance
 * @property {boolean} clear whether the difference is larger than chance explains (a sign test at two standard
 *   deviations)
 */

/**
 * Compares the two runs whose shared probes differ most.
 * @param {RunSummary[]} summaries
 * @returns {ProbeComparison | null} `null` if no two runs share at least 5 probes
 */
export function compareProbes(summaries) {
  const ranked = summaries
    .filter(({ probes, distance }) => probes.length >= LEAST && distance !== null)
    .sort((one, other) => /** @type {number} */ (other.distance) - /** @type {number} */ (one.distance));
  if (ranked.length < 2) return null;
  return sharedProbes(ranked[0], ranked[ranked.length - 1]);
}

/** No words are written about fewer samples. */
export const LEAST = 5;

/**
 * @param {RunSummary} one
 * @param {RunSummary} other
 * @returns {ProbeComparison | null}
 */
function sharedProbes(one, other) {
  const ofOther = new Map(other.probes.flatMap((sample) => (sample.id === null ? [] : [[sample.id, sample]])));
  /** @type {[number[], number[]]} */
  const distances = [[], []];
  let wins = 0;
  let losses = 0;
  for (const sample of one.probes) {
    const partner = sample.id === null ? undefined : ofOther.get(sample.id);
    const [first, second] = [distanceToChange(sample), partner ? distanceToChange(partner) : null];
    if (first === null || second === null) continue;
    distances[0].push(first);
    distances[1].push(second);
    wins += Number(first > second);
    losses += Number(first < second);
  }
  const shared = distances[0].length;
  if (shared < LEAST) return null;
  const [first, second] = distances.map((values) => /** @type {number} */ (medianOf(values)));
  const clear = (wins - losses) ** 2 > 4 * (wins + losses) && (wins > losses ? first > second : first < second);
  return first >= second
    ? { harder: one, easier: other, shared, harderDistance: first, easierDistance: second, clear }
    : { harder: other, easier: one, shared, harderDistance: second, easierDistance: first, clear };
}
