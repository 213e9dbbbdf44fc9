/** The notices of a run's sessions, and the reason why a run has no samples. Pure. */

import { formatCount, formatCounted, formatDecimals, formatShort } from "./captions.js";

/** @import {Notice, RunIndex, RunSession, Status} from "../types.js" */

/** The severities, the worst one first. */
export const SEVERITIES = /** @type {const} */ (["error", "warning", "info"]);

/**
 * @typedef {object} RunNotice a notice of one run
 * @property {string} key unique in the page
 * @property {string} run
 * @property {Notice["severity"]} severity
 * @property {string} message
 * @property {string} remedy may be empty
 * @property {string} found when it was found, and how often
 */

/**
 * The notices of a run: those of its newest session, and of the sessions whose samples are shown.
 * @param {RunIndex} index
 * @returns {RunNotice[]}
 */
export function runNotices({ run, sessions }) {
  /** @type {Map<string, Notice>} by their text, so that the ranks of a job do not repeat each other */
  const found = new Map();
  for (const notice of supersedingNotices(sessions)) found.set(notice.message, notice);
  for (const { status, shown } of sessions.toReversed()) {
    if (!shown && status !== sessions.at(-1)?.status) continue;
    for (const notice of status?.notices ?? []) {
      const known = found.get(notice.message);
      found.set(notice.message, { ...notice, count: notice.count + (known?.count ?? 0) });
    }
  }
  return [...found.values()].map(({ severity, message, remedy, step, count }) => ({
    key: JSON.stringify([run, message]),
    run,
    severity,
    message,
    remedy,
    found: foundCaption(step, count),
  }));
}

/** @param {RunNotice[]} notices */
export function worstFirst(notices) {
  return SEVERITIES.flatMap((severity) => notices.filter((notice) => notice.severity === severity));
}

/**
 * Says that the samples which are shown are not those of the newest session, because that one has none.
 * @param {RunSession[]} sessions
 * @returns {Notice[]}
 */
function supersedingNotices(sessions) {
  const newest = sessions.at(-1);
  if (!newest?.status || newest.captures || !sessions.some(({ captures }) => captures)) return [];
  const { rank, world_size: size, started } = newest.session;
  const isOfOneJob = rank !== null && sessions.some(({ captures, session }) => captures && session.world_size === size);
  if (isOfOneJob) return [];
  const what = newest.status.ended ? "ended without a capture" : "has captured nothing so far";
  const message = `A newer session, started at ${formatTime(started)}, ${what}. The samples are of earlier sessions.`;
  return [{ code: "newer-session", severity: "info", message, remedy: "", step: null, count: 1 }];
}

/**
 * @param {number | null} step
 * @param {number} count
 */
function foundCaption(step, count) {
  const words = [];
  if (step !== null) words.push(`${count > 1 ? "first at " : ""}step ${formatCount(step)}`);
  if (count > 1) words.push(`${formatCount(count)} times`);
  return words.join(", ");
}

/**
 * Why a run has no samples, by what its newest session tells.
 * @param {Status} status
 */
export function noSamplesCaption({ captured, failed, notices, least_margin: margin, steps, ended, wall_time: time }) {
  const seen = `${formatCounted(steps, "step")} seen`;
  if (captured) {
    const what = formatCounted(captured, "captured sample is", "captured samples are");
    return `its ${what} under another tag, or ${captured === 1 ? "was" : "were"} lost in writing.`;
  }
  if (failed) {
    const isExplained = notices.some(({ severity }) => severity === "error");
    return `no samples: every capture failed so far${isExplained ? ". See the notice above." : `, ${seen}.`}`;
  }
  if (margin !== null) {
    const size = `smallest margin ${formatDecimals(margin)}, ${seen}.`;
    return ended ? `nothing was confused: ${size}` : `nothing was confused so far: ${size}`;
  }
  if (ended) return `the hook was closed and captured nothing, ${seen}.`;
  return `the hook is running: no capture yet, ${seen}. It said so at ${formatTime(time)}.`;
}

/**
 * "4.2 s, 0.8 % of the training": the time that captures took.
 * @param {Status} status
 */
export function overheadCaption({ overhead, elapsed, unlimited }) {
  const seconds = `${formatShort(overhead)} s`;
  const cause = unlimited ? `; ${NO_LIMIT}` : "";
  if (elapsed === 0) return seconds + cause;
  if (overhead > elapsed) return `${seconds}, longer than the training itself${cause}`;
  return `${seconds}, ${formatShort((100 * overhead) / elapsed)} % of the training${cause}`;
}

const NO_LIMIT = "no limit is set";

/**
 * "0.8 % overhead": the time that captures took, as a share of the training without them; `null` if it is unknown.
 * @param {Status} status
 */
export function overheadShare({ overhead, elapsed, unlimited }) {
  if (elapsed <= 0) return null;
  return `${formatShort((100 * overhead) / elapsed)} % overhead${unlimited ? `, ${NO_LIMIT}` : ""}`;
}

/**
 * "12 s ago"
 * @param {number} time seconds since the epoch
 * @param {number} now
 */
export function ageCaption(time, now) {
  const seconds = Math.max(Math.floor(now - time), 0);
  if (!Number.isFinite(seconds)) return "at an unknown time";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${formatCount(Math.floor(seconds / 86_400))} days ago`;
}

/** @param {number} seconds since the epoch */
function formatTime(seconds) {
  const time = new Date(1000 * seconds);
  return Number.isFinite(time.valueOf()) ? time.toLocaleString() : "an unknown time";
}
