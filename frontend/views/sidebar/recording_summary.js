/** The summary of the records: how many samples there are, how many are missing, and why. */

import { formatCount } from "../../samples/captions.js";
import { overheadCaption } from "../../samples/session_status.js";
import { countsOf, statusesInUse, stretchedRuns, tickedRuns } from "../../state/selectors.js";
import { element } from "../common/dom.js";

/** @import {State} from "../../state/state.js" */

export class RecordingSummary {
  #list = element("dl");
  #shown = "";
  element = element(
    "details",
    { className: "trust" },
    element("summary", { className: "name" }, "What was recorded"),
    this.#list,
  );

  /** @param {State} state */
  show(state) {
    const entries = entriesOf(state);
    const shown = JSON.stringify(entries);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#list.replaceChildren(
      ...entries.map(({ name, value, title }) =>
        element("div", { title }, element("dt", {}, name), element("dd", {}, value)),
      ),
    );
  }
}

/**
 * @param {State} state
 * @returns {{name: string, value: string, title: string}[]}
 */
function entriesOf(state) {
  const { samples, dropped, unreadable, superseded } = countsOf(state);
  return [
    {
      name: "samples in the ticked runs",
      value: formatCount(samples),
      title: "All captured samples that can be shown. TensorBoard keeps all of them.",
    },
    {
      name: "lost in writing",
      value: formatCount(dropped),
      title: "Captured but not written: the hook's budget was used up, or the disk was full.",
    },
    {
      name: "unreadable",
      value: formatCount(unreadable),
      title: "Records that are damaged, or that a newer version of the hook wrote.",
    },
    {
      name: "superseded",
      value: formatCount(superseded),
      title: "A training that restarted from a checkpoint recorded these steps again.",
    },
    ...overheadEntries(state),
    ...intervalEntries(state),
    {
      name: "record version",
      value: String(state.recordVersion ?? ""),
      title: "The newest version of records that this plugin can read.",
    },
  ];
}

/** @param {State} state */
function overheadEntries(state) {
  const isNamed = tickedRuns(state).length > 1;
  const title = "The time of all captures of the newest session, in the loop and on the writing thread.";
  return statusesInUse(state).map(({ run, status }) => ({
    name: isNamed ? `captures of ${run} took` : "captures took",
    value: overheadCaption(status),
    title,
  }));
}

/** @param {State} state */
function intervalEntries(state) {
  const title = "The hook captures less often, so that it stays within budget_mb and max_overhead.";
  const stretched = stretchedRuns(state);
  if (!stretched.length) {
    const codes = statusesInUse(state).flatMap(({ status }) => status.notices.map(({ code }) => code));
    const isRarer = codes.includes("overhead") || codes.includes("budget");
    return [{ name: "interval", value: isRarer ? "captures became rarer" : "captures as often as configured", title }];
  }
  return stretched.map(({ run, from, every }) => ({
    name: `interval of ${run}`,
    value: `captures are rarer from step ${formatCount(from)} on, at most ${formatCount(every)} steps apart`,
    title,
  }));
}
