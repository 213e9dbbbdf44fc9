/** Made-up statuses and notices; each argument replaces a field. */

import { DIGITS } from "./samples.mjs";

export function makeNotice(fields = {}) {
  return { code: "softmax-output", severity: "warning", message: "Softmax.", remedy: "", step: null, count: 1, ...fields };
}

export function makeStatus(fields = {}) {
  return {
    wall_time: 1.7e9,
    notices: [],
    steps: 0,
    captured: 0,
    dropped: 0,
    failed: 0,
    overhead: 0,
    elapsed: 0,
    every: 100,
    least_margin: null,
    ended: false,
    ...fields,
  };
}

/** A session of one capture whose samples are shown; each argument replaces a field of its status. */
export function makeRunSession(fields = {}) {
  const session = { ...DIGITS, started: 1.7e9, rank: null, world_size: null };
  return { session, captures: 1, shown: 4, status: makeStatus(fields) };
}
